"""What a run may be: the one place where its numbers are checked, by the API and again by the services."""


def check_run(num_messages: int, size: int, config: dict) -> None:
    """Raise ValueError, with a sentence for the user, unless both, and all bytes together, are within the limits."""
    _check("num_messages", num_messages, 1, config["MAX_MESSAGES"], "messages")
    _check("size", size, 0, config["MAX_SIZE"], "bytes")
    # Each by itself may be at its limit, but not both: Kafka would keep a terabyte, and that of a ping run twice.
    total, most = num_messages * size, config["MAX_BYTES"]
    if total > most:
        raise ValueError(f"num_messages times size must be at most {most} (bytes), not {total}.")


def _check(name: str, value: int, least: int, most: int, unit: str) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most} ({unit}), not {value!r}.")
