"""`seamline up`: every stage in one process, on one directory."""
