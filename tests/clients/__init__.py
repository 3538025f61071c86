import pytest

# pytest explains failed assertions in these modules too, although they are not test modules.
pytest.register_assert_rewrite("tests.clients.kit", "tests.clients.contract", "tests.clients.parts")
