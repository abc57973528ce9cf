"""Reports, segments and their commands."""
