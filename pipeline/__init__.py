"""Seamline: hits from trackers people already run, stitched into one journey per person."""

__version__ = "0.1.0"
