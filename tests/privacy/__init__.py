"""Forgetting and telling."""
