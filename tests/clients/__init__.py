import pytest

# pytest explains failed assertions in the contract as in test modules.
pytest.register_assert_rewrite("tests.clients.kit", "tests.clients.contract", "tests.clients.parts")
