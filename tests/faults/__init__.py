"""Real processes, really killed, frozen and cut off."""
