"""One module a page: what it asks, and the values its template shows."""
