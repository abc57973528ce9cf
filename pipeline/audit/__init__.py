"""Every attribution once more, from the facts alone: whether it is right, and what another policy would do."""
