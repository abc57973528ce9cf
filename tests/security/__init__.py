"""Hostile input: nothing it does is a 5xx, a crash or a silent drop."""
