"""The whole chain from log to table in one process: one seed, virtual time, crashes between any two steps."""
