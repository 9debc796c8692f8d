"""Which program a shell command gives which file to."""

from __future__ import annotations

import pytest

from gitsessiond.model import proving
from gitsessiond.model.proving import LINKING, SETTING_MODES, Command


@pytest.mark.parametrize(
    "command, removes",
    [
        ("rm a.txt", True),
        ("/bin/rm -f -- ./a.txt b.txt", True),
        ("cd x; if true; then sudo rm a.txt; fi", True),
        ("X=1 git -C . rm -q 'a.txt' && ls", True),
        ("git mv a.txt b.txt", True),
        ("ls \\\n | cat\nunlink a.txt # gone", True),
        ("(mv a.txt b.txt) 2>&1 >log", True),
        ("mv b.txt a.txt", False),
        ("git diff a.txt; rm b.txt", False),
        ("git commit -m 'rm a.txt' a.txt", False),
        ("echo '; rm a.txt'", False),
        ("cat > n.sh <<'E'\nrm a.txt\nE", False),
        ('cat a.txt > log; rm "b.txt', False),
        ("rm b.txt > a.txt", False),
        ("rm *.txt", False),
        ("echo ';' rm a.txt", False),
        ("echo '' rm a.txt", False),
    ],
)
def test_what_a_command_takes_away(command: str, removes: bool) -> None:
    """Only a program for that, given just this file."""
    assert Command(command.encode()).removes(b"a.txt") == removes


def test_what_a_command_makes() -> None:
    """An empty file, a mode, a link."""
    made = Command(b"cat <<E > one\n>no\nE\n:> two; touch three; echo x 2>>four; cp five six; cat seven < eight", b"")
    assert [made.creates(name) for name in (b"one", b"two", b"three", b"four", b"six")] == [True] * 5
    assert [made.creates(name) for name in (b"no", b"seven", b"eight", b"x")] == [False] * 4
    command = Command(b"chmod +x run; cat see; ln -s to at", b"d")
    assert command.runs(SETTING_MODES, b"d/run") and command.runs(LINKING, b"d/at")
    assert not command.runs(SETTING_MODES, b"d/see") and not command.runs(SETTING_MODES, b"run")


def test_a_command_is_read_once_for_all_the_files_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words, and where they lead; a long one beside thousands of changed files would hold up the recorder."""
    reads: list[bytes] = []

    def words_in(text: bytes) -> list[bytes]:
        reads.append(text)
        return text.split()

    monkeypatch.setattr(proving, "words_in", words_in)
    command = Command(b"cd sub && make one two/three", b"d")
    assert [path for path in (b"d/one", b"x/one", b"d/sub/two/three", b"one", b"three") if command.names(path)] == [
        b"d/one",
        b"x/one",
        b"d/sub/two/three",
    ]
    assert not Command(b"make one two", b"d").names(b"x/one") and len(reads) == 2
