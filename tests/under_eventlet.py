"""Runs pytest like `nameko run` runs services: with eventlet's threads, sockets and waits instead of native ones."""

import signal
import sys
import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

import eventlet  # noqa: E402

eventlet.monkey_patch()

import pytest  # noqa: E402

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that pytest ends its brokers, as with Ctrl-C
    sys.exit(pytest.main(sys.argv[1:]))
