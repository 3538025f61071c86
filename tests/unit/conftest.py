"""Settings of hypothesis: few examples, because many tests run. No deadline, because machines may be busy."""

from hypothesis import settings

settings.register_profile("quick", max_examples=50, deadline=None)
settings.load_profile("quick")
