"""How Hypothesis runs here: a busy machine is slow, and that is no failure."""

from hypothesis import settings

settings.register_profile("seamline", deadline=None)
settings.load_profile("seamline")
