"""`make run`: the brokers, ping, pong and the API on this machine, their logs on one screen, until Ctrl-C."""

import os
import shlex
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import requests
from honcho import environ
from honcho.manager import Manager

from brokers import BrokerError, Brokers

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
READY_SECONDS = 90


def main() -> int:
    # What the environment says goes before what .env says.
    settings = environ.parse((HERE / ".env").read_text()) | os.environ
    port = settings["API_PORT"]
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        print(f"API_PORT must be a port number, not {port!r}.")
        return 1
    os.environ["no_proxy"] = "localhost,127.0.0.1"  # whatever proxy this machine has is not for these
    if listens(port):
        print(f"Something listens on port {port} already. Try again with another one: make run API_PORT=8001")
        return 1
    os.environ |= {name: settings[name] for name in ("KAFKA_PORT", "RABBITMQ_PORT")}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))  # the terminal was closed
    print("Starting ZooKeeper, Kafka and RabbitMQ ...", flush=True)
    try:
        with Brokers(HERE / "brokers" / "data", ports="usual") as brokers:
            for broker in brokers:
                print(f"  {broker.name} at {broker.address}, log in {os.path.relpath(broker.log)}", flush=True)
            run_services(port, settings | brokers.environment)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave a broker behind
            print("Stopping the brokers ...", flush=True)
    except BrokerError as error:
        print(error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def listens(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def run_services(port: str, settings: dict[str, str]) -> None:
    """Run ping, pong and the API until Ctrl-C, or until one of them ends; then end the others."""
    settings |= {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore", "API_BIND": f"127.0.0.1:{port}"}
    manager = Manager()
    for name, command in {
        "ping": ["nameko", "run", "--config", "config.yml", "ping"],
        "pong": ["nameko", "run", "--config", "config.yml", "pong"],
        "api": ["gunicorn", "--config", "api/gunicorn.conf.py", "api:create_app()"],
    }.items():
        command[0] = str(BIN / command[0])
        manager.add_process(name, f"exec {shlex.join(command)}", env=settings, cwd=str(HERE))
    threading.Thread(target=say_hello, args=(f"http://localhost:{port}",), daemon=True).start()
    manager.loop()


def say_hello(api: str) -> None:
    """Send the first 1,000 messages, once all is ready, and say what to do next."""
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(api):
        if time.monotonic() > deadline:
            print(f"Not ready after {READY_SECONDS} s: see above, and {api}/readyz", flush=True)
            return
        time.sleep(0.2)
    answer = requests.get(f"{api}/ping/1000/100", timeout=60)
    time.sleep(1)  # the consumers' lines first
    print(
        f"\n$ curl {api}/ping/1000/100\n{answer.text}\n"
        f"Ready. In a second terminal:\n\n    curl {api}/ping/10000/100\n    curl {api}/pong/1000/100\n\n"
        "Ctrl-C ends everything.\n",
        flush=True,
    )


def is_ready(api: str) -> bool:
    try:
        return requests.get(f"{api}/readyz", timeout=10).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    sys.exit(main())
