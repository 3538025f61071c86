"""Slots: an instance that is started again gets the same name."""

import os
import socket
import subprocess
import sys
import tempfile

import pytest

from local import ROOT
from messaging.extensions.slots import take_slot

HOST = socket.gethostname()
TAKE_AND = "import os, sys; from messaging.extensions.slots import *; print(take_slot('pong', Path(sys.argv[1])))"


def test_the_instances_of_a_service_on_a_host_have_different_names(tmp_path):
    assert take_slot("pong", tmp_path) == f"pong-{HOST}-0"
    assert take_slot("pong", tmp_path) == f"pong-{HOST}-1"
    assert take_slot("ping", tmp_path) == f"ping-{HOST}-0"


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can start processes of several users.")
def test_a_slot_of_another_user_is_never_free():
    code = f"import os; {TAKE_AND}".replace("print", "os.setuid(int(sys.argv[2])); print")
    names = []
    # pytest's own folder is closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        for user in "1001", "1002", "1001":
            command = [sys.executable, "-W", "ignore", "-c", code, f"{folder}/slots", user]
            names.append(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip())

    assert names == [f"pong-{HOST}-0", f"pong-{HOST}-1", f"pong-{HOST}-0"]


def test_a_slot_is_free_once_its_process_has_ended_in_any_way(tmp_path):
    for end in "os._exit(1)", "os.kill(os.getpid(), 9)":
        code = f"{TAKE_AND}; sys.stdout.flush(); {end}"
        command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
        assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == f"pong-{HOST}-0\n"
