"""A recorded day, a small shop, and what a newcomer sees first; nothing of it runs in production."""
