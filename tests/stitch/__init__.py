"""The rooms that run identity on the log."""
