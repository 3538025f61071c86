"""Measures the services, side by side with other code or with another commit: `python -m benchmarks --help`."""


class BenchmarkError(Exception):
    """A message was lost or came twice, or something broke, so no figure counts. The text says what happened."""


def expect(what: str, count: int, expected: int) -> None:
    """Raises BenchmarkError if the count is not the expected one."""
    if count != expected:
        raise BenchmarkError(f"{what}: {count} instead of {expected}.")
