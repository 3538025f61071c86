import pytest

# The contract's assertions explain themselves as those of test modules do.
pytest.register_assert_rewrite("tests.clients.kit", "tests.clients.contract", "tests.clients.parts")
