"""Finds links, anchors, code and commands in the documents of this project."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from local import ROOT

COMMAND = re.compile(r"(?:\$ )?(.*?)(?: {2,}#.*)?")
"""Matches a line of code. Group 1 is the line without its prompt and its comment."""


@dataclass(frozen=True)
class Document:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def _prose(self) -> str:
        """The text without its fenced blocks."""
        return re.sub(r"^ *```.*?^ *```", "", self.text, flags=re.M | re.S)

    @property
    def blocks(self) -> list[str]:
        """The code blocks that are indented by four spaces, without fenced blocks."""
        found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", self._prose, re.M)
        return ["\n".join(line[4:] for line in block.strip("\n").split("\n")) for block in found]

    @property
    def spans(self) -> list[str]:
        """Code in the middle of a sentence or table, between backticks."""
        lines = [line for line in self._prose.splitlines() if not line.startswith("    ")]
        return [span.replace("\\|", "|") for span in re.findall(r"`([^`]+)`", "\n".join(lines))]

    @property
    def commands(self) -> list[str]:
        """Every line of blocks, spans and fenced `sh` blocks, without prompt and comment."""
        lines = [line for code in (*self.blocks, *self._fenced("sh"), *self.spans) for line in code.splitlines()]
        return [COMMAND.fullmatch(line).group(1) for line in lines]

    @property
    def links(self) -> list[str]:
        return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", self._prose))

    @property
    def anchors(self) -> set[str]:
        """The anchors that GitHub makes from the headings."""
        titles = re.findall(r"^#+ (.*)", self._prose, re.M)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def _fenced(self, language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, re.M | re.S)


DOCUMENTS = [Document(path) for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))]
