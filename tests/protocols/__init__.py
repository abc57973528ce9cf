"""What trackers send, and exactly what they get back: the pure part, without a server."""
