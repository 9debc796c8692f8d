"""A hint is a command that can be pasted, or several with a line each; what is to be explained is in the message."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gitsessiond
from gitsessiond.faces.cli.ending import print_error
from gitsessiond.model.errors import Refused
from gitsessiond.model.hints import in_turn

SOURCE = Path(gitsessiond.__file__).parent
NO_COMMAND = re.compile(r"\belsewhere$|[,;] then\b|&&|;$|\[--|\w\|-|\w\|\w|, or\b|; or\b")


def hints_in(path: Path) -> Iterator[tuple[int, str]]:
    """Every text given as ``hint=`` in a module, with its line; what is filled in is left out."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)) if "hint=" in source else ():
        if not isinstance(node, ast.Call):
            continue
        for given in node.keywords:
            if given.arg == "hint":
                parts = (one for one in ast.walk(given.value) if isinstance(one, ast.Constant))
                yield node.lineno, " ".join(str(one.value) for one in parts if isinstance(one.value, str))


def test_no_hint_is_a_sentence_about_commands() -> None:
    """Nothing that a shell would take for a pipeline, a list or a word of its own."""
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {words}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line, words in hints_in(path)
        if NO_COMMAND.search(words)
    ]
    assert found == []


def test_each_command_of_a_hint_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed as a hint of its own; as JSON they stay one text."""
    error = Refused("not now", hint=in_turn("git session push", "git session publish p"))
    assert print_error(error, False) == 4
    assert capsys.readouterr().err == "error: not now\nhint: git session push\nhint: git session publish p\n"
