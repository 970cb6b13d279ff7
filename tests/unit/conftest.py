"""Property tests: fewer examples than usual, since they run with everything else, and no clock."""

from hypothesis import settings

settings.register_profile("unit", max_examples=50, deadline=None)
settings.load_profile("unit")
