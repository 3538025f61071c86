"""A function fits on a screen, and a module holds one idea."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = "api", "benchmarks", "client", "demo", "local", "messaging", "ping", "pong", "tests"
MODULES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
FUNCTION_LINES = 40
MODULE_LINES = 250


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_and_no_function_is_too_long(path):
    source = path.read_text()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    long = [f.name for f in functions if f.end_lineno - f.lineno + 1 > FUNCTION_LINES]

    assert long == []
    assert len(source.splitlines()) <= MODULE_LINES
