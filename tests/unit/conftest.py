"""Settings of hypothesis: few examples, because many tests run; no deadline, because a busy machine is not a fault."""

from hypothesis import settings

settings.register_profile("quick", max_examples=50, deadline=None)
settings.load_profile("quick")
