"""A route of the API that can refuse HEAD."""

from typing import Any

import werkzeug.routing


class Rule(werkzeug.routing.Rule):
    """With `head=False`, HEAD is 405. A GET with effects needs this, because werkzeug serves HEAD by calling GET."""

    def __init__(self, *args: Any, head: bool = True, **options: Any):
        super().__init__(*args, **options)
        if not head and self.methods:
            self.methods.discard("HEAD")
