"""Everything that the documents mention exists: files, anchors, make targets, commands, services of Docker."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from local import ROOT
from local.__main__ import OWN
from local.brokers.commands import COMMANDS
from tests.documents import DOCUMENTS, Document

NOT_OURS = {".git", ".venv", ".pipenv", "node_modules", "data", "jars", "__pycache__"}
PATH = re.compile(r"\.?[\w-][\w.-]*(?:/[\w.-]+)*(?:\.(?:py|md|ya?ml|toml|json|js|css|html|xml|sh)|/)")
"""Matches the path of a file or folder of this project."""
WRITTEN_BY_READERS = {"shout.py", "api/routes/limits.py", "tests/unit/test_limits.py"}
"""Files of the examples. The documents say how to write them."""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


@cache
def files() -> set[str]:
    """Return each file and folder of the project as a path from its root. A folder ends with a slash."""
    found = set()
    for path in ROOT.rglob("*"):
        name = path.relative_to(ROOT)
        if not NOT_OURS & {*name.parts}:
            found.add(f"/{name}/" if path.is_dir() else f"/{name}")
    return found


@each_document
def test_links_lead_to_files_and_headings_that_exist(document: Document):
    anchors = {other.path: other.anchors for other in DOCUMENTS}
    for link in document.links:
        if not link.startswith(("http://", "https://")):
            target, _, anchor = link.partition("#")
            path = (document.path.parent / target).resolve() if target else document.path
            assert path.exists(), link
            assert not anchor or anchor in anchors[path], link


@each_document
def test_paths_exist(document: Document):
    assert missing_paths(document) == set()


def missing_paths(document: Document) -> set[str]:
    """Return the paths that do not exist. A path may be short, like `runs/stamp.py` in a table about `messaging/`."""
    named = {span for span in document.spans if PATH.fullmatch(span)}
    return {path for path in named - WRITTEN_BY_READERS if not any(file.endswith(f"/{path}") for file in files())}


@each_document
def test_make_targets_exist(document: Document):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {word for command in document.commands for word in targets_of(command)}

    assert named <= targets


def targets_of(command: str) -> list[str]:
    if not command.startswith("make "):
        return []
    words = shlex.split(command)
    return [word for word in words[1:] if re.fullmatch("[a-z-]+", word)]


def test_every_make_target_except_tools_has_its_line_of_help():
    listed = set(re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.M).group(1).split())
    # Without this option, make prints directory names if it runs inside `make test`.
    command = ["make", "--no-print-directory", "help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=20).stdout

    assert {line.split()[0] for line in shown.splitlines()} == listed - {"tools"}


@each_document
def test_python_modules_in_commands_exist(document: Document):
    for command in document.commands:
        for module, argument in re.findall(r"python3? -m ([\w.]+)(?: ([a-z][\w-]*))?", command):
            if module == "local":
                assert not argument or argument in {*OWN, *COMMANDS}, command
            else:
                assert argument in help_of(module), command


@cache
def help_of(module: str) -> str:
    """Return what `python -m MODULE --help` prints."""
    command = [sys.executable, "-m", module, "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=20).stdout


@each_document
def test_programs_of_the_virtual_environment_exist(document: Document):
    named = {name for command in document.commands for name in re.findall(r"\.venv/bin/([\w-]+)", command)}

    assert {name for name in named if not (Path(sys.executable).parent / name).exists()} == set()


@each_document
def test_services_of_docker_exist(document: Document):
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].keys()
    named = set()
    for command in document.commands:
        named.update(re.findall(r"docker-compose exec (?:-T )?([a-z]+)", command))
        for words in re.findall(r"docker-compose (?:up|logs)(.*)", command):
            named.update(word for word in re.sub(r"--?[a-z]+( \w+=\d+)?", "", words).split() if word.isalpha())

    assert named <= services


def test_the_log_lines_of_the_operating_guide_exist():
    source = "\n".join(path.read_text() for path in (ROOT / "messaging").rglob("*.py"))
    [table] = re.findall(r"^\| line \| meaning \|\n(?:\|.*\n)+", (ROOT / "docs/operating.md").read_text(), re.M)
    lines = [line for row in table.splitlines()[2:] for line in re.findall("`([^`]+)`", row.split(" | ")[0])]
    longest = {max(re.findall("[A-Za-z][A-Za-z ,:]*", line), key=len) for line in lines}

    assert len(longest) >= 9
    assert {text for text in longest if text not in source} == set()


def test_what_does_not_exist_is_noticed(tmp_path):
    text = """# A title, with `code`\n
See [this](#a-title-with-code) in `api/nowhere.py`, not `api/app.py`.\n
    make bake ARGS="-k taken"    # and eat\n
```mermaid\n    not code\n```\n"""
    document = Document(tmp_path / "page.md")
    document.path.write_text(text)

    assert missing_paths(document) == {"api/nowhere.py"}
    assert [word for command in document.commands for word in targets_of(command)] == ["bake"]
    assert document.anchors == {"a-title-with-code"}
    assert document.links == ["#a-title-with-code"]
    assert document.blocks == ['make bake ARGS="-k taken"    # and eat']
