"""Wire formats of trackers: a request in, hits and the exact reply out; nothing here does I/O or reads a clock."""
