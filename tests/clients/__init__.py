"""Real trackers: the day they recorded, and the journeys that come of what they send."""
