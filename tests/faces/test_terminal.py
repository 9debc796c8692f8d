"""What reaches a terminal: text of others can neither repaint it nor hide there; a pipe gets every byte."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import TextIO

import pytest

from gitsessiond.faces.cli.progress import Told
from gitsessiond.faces.cli.terminal import Look, harmless, write

EVIL = (
    "\x1b]0;title\x07", "\x1b[2J", "\x1b[1;1H", "\x1b[8m", "\x1b[38;5;1m", "\x9b31m", "\x1bP+q\x1b\\", "back\b\b\b\b", "over\rwrite",
    "\x1b", "\x1b[", "\x1b[31", "\x00\x7f", "\x1b[;m", "\x1b[0;8m", "\udc9b2J", "\x0e\x0f\x0c\x0b",
)  # fmt: skip


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, int]]:
    """A terminal to write to, and where to read what it got."""
    there, here = os.openpty()
    with open(here, "w", encoding="utf-8") as stream:
        yield stream, there
    os.close(there)


@pytest.mark.parametrize("text", EVIL)
def test_terminal_is_not_repainted(terminal: tuple[TextIO, int], text: str) -> None:
    """Every control character in a name, a message, a path or a diff is a question mark there."""
    stream, there = terminal
    write(stream, f"a{text}b\n")
    got = os.read(there, 1000)
    assert got.isascii() and b"?" in got
    assert not {*got} & ({*range(32), 127} - {*b"\r\n"}), got


def test_terminal_has_our_own_styles(terminal: tuple[TextIO, int]) -> None:
    """Colours of ours stay, and so do tabs, other letters and the ends of lines of either kind."""
    stream, there = terminal
    text = Look(colour=True).paint("caf\xe9\t\u540d", "bold", "red")
    write(stream, text + "\r\n")
    assert os.read(there, 1000) == f"{text}\r\n".encode()
    assert harmless(text) == text


def test_pipe_gets_every_byte() -> None:
    """A program reads what there is."""
    stream = io.StringIO()
    write(stream, "".join(EVIL))
    assert stream.getvalue() == "".join(EVIL)


def test_whom_one_waits_for_is_named_in_one_line() -> None:
    """Whatever the other's verb is called."""
    stream = io.StringIO()
    Told(stream).waited(2, None, "git session \x1b[2J\nx")
    assert stream.getvalue() == "git session: waiting for git session ?[2J?x\n"
