"""Reports: what can be asked of the warehouse by name, and of whom; the page and the commands stand on this."""
