"""The bytes that each version wrote to the log, kept for ever, and what today's version makes of them."""
