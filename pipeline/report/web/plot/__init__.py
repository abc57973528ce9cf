"""Drawings of data as numbers and paths: pure functions that a template only writes down."""
