"""The curl commands in the documents work. Their output is as shown there, except for figures."""

import json
import re
import shlex
import shutil
import subprocess

import pytest

from tests.documents import DOCUMENTS
from tests.integration.processes import FINAL, Stack, eventually

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NUMBER = re.compile(r"-?\b\d+(?:\.\d+)?(?:e-?\d+)?\b")
README = next(document for document in DOCUMENTS if str(document) == "README.md")


def examples() -> list:
    """Return the code blocks that have a curl and its response, one parameter per document."""
    found = []
    for document in DOCUMENTS:
        shown = [block for block in document.blocks if block.startswith("$ curl")]
        if shown:
            found.append(pytest.param("\n".join(shown), id=str(document)))
    return found


def curl(stack: Stack, command: str) -> str:
    """Run the command with the API of this stack and return what it prints."""
    words = shlex.split(command.replace("localhost:8000", f"127.0.0.1:{stack.port}"))
    words += ["-sS", "--noproxy", "*"]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(autouse=True)
def has_curl():
    if not shutil.which("curl"):
        pytest.skip("curl is missing here.")


@pytest.mark.parametrize("text", examples())
def test_curl_answers_as_shown(stack, text):
    ids: dict[str, str] = {}
    for part in text.split("$ ")[1:]:
        command, _, shown = part.strip().partition("\n")
        for known, real in ids.items():
            command = command.replace(known, real)
        answer = answer_as_shown(stack, command, shown)
        ids |= zip(UUID.findall(shown), UUID.findall(answer), strict=False)


def answer_as_shown(stack: Stack, command: str, shown: str) -> str:
    """Return the output of the command. Raises AssertionError if it differs from what is shown."""
    if "/runs/" in command:  # the run may not be over yet
        return eventually(lambda: compare(shown, curl(stack, command)), 30, command)
    return compare(shown, curl(stack, command))


def compare(shown: str, answer: str) -> str:
    """Return the answer. Raises AssertionError unless it has the shown headers or body. `…` stands for any text."""
    if shown.startswith("HTTP"):
        head = answer.partition("\n\n")[0].splitlines()
        assert shown.splitlines()[0] == head[0]
        assert {plain(line) for line in shown.splitlines()} <= {plain(line) for line in head}, answer
    elif "…" in shown:
        rest = plain(answer)
        for part in filter(None, plain(shown).split("…")):
            assert part in rest, f"{part} is not in {rest}"
            rest = rest.partition(part)[2]
    else:
        assert plain(shown) == plain(answer)
    return answer


def plain(text: str) -> str:
    """Return the text without the parts that differ each time: figures, ids, white space."""
    return re.sub(r"\s+", "", NUMBER.sub("0", re.sub(r"[0-9a-f]{8}-(?:…|[0-9a-f-]{27})", "ID", text)))


def test_every_documented_curl_without_an_id_succeeds(stack):
    for command in sorted({command for document in DOCUMENTS for command in document.commands}):
        if command.startswith("curl ") and "…" not in command and "-…" not in command and not UUID.search(command):
            answer = curl(stack, f"{command.partition(' | ')[0]} -i")
            assert re.match(r"HTTP/1.1 2\d\d ", answer), f"{command}: {answer[:500]}"
            for run in set(re.findall(r"^Location: (\S+)", answer, re.M)):
                if stack.get(run).json()["state"] not in FINAL:
                    stack.request("DELETE", run)


def test_a_consumer_logs_the_line_that_the_readme_shows(fresh_stack):
    [shown] = [block for block in README.blocks if block.startswith("topic=")]
    json.loads(curl(fresh_stack, "curl localhost:8000/ping/1000/100"))
    line = eventually(fresh_stack.pong.stats)[0]

    assert re.findall(r"(\w+)=", shown) == [*line]
