"""Health pages and metrics: what they say, and that they say it of everything that is counted."""
