"""The audit: held against the stitcher, the oracle, and rows and facts that were tampered with."""
