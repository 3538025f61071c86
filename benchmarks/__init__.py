"""Side-by-side measurements, on brokers of their own: `python -m benchmarks [NAME ...]`."""


class BenchmarkError(Exception):
    """A message was lost or came twice, or something broke: no figure is worth quoting. The text says what."""
