"""The HTTP edge: what is durable when, and what a client sees."""
