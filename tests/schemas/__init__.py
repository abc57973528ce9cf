"""The published schemas against the structs they come from."""
