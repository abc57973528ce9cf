"""The HTTP edge: a request becomes hits that are durable before the answer leaves; it knows no identity rule."""
