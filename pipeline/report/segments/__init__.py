"""Segments: who is meant, as people write it, and as the warehouse is asked; nothing here asks anybody."""
