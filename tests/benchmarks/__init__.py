"""First figures: each stage alone, and `seamline up` from first request to visible. `make bench` prints the table."""
