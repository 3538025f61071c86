"""Measures the services and compares them with other code or another commit: `python -m benchmarks --help`."""


class BenchmarkError(Exception):
    """The measurement is invalid: a message was lost or came twice, or something broke. The text says what happened."""


def expect(what: str, count: int, expected: int) -> None:
    """Raises BenchmarkError if the count is not the expected one."""
    if count != expected:
        raise BenchmarkError(f"{what}: {count} instead of {expected}.")
