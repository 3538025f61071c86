"""Tables in plain text."""

from collections.abc import Sequence

Row = Sequence[str]


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table. The first row is the header."""
    columns = [pad(column) for column in zip(*rows, strict=True)]
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]


def pad(column: Row) -> list[str]:
    """Align figures to the right, and names to the left. The column of names has no heading."""
    width = max(map(len, column))
    return [f"{cell:>{width}}" if column[0] else f"{cell:{width}}" for cell in column]
