"""The pure core against the text of its rules."""
