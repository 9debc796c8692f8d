"""What editors' locks say: real bytes of each editor, and bytes that somebody made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsessiond.model.opened import (
    Opened,
    Process,
    Times,
    after_quit,
    after_save,
    by_manner,
    judged,
    usual_name,
    with_program,
)
from gitsessiond.model.swapfiles import (
    BLOCK,
    Kind,
    Lock,
    Said,
    elsewhere_of,
    file_of,
    is_lock,
    lock_of,
    said_by,
    saved_by,
)


def block(
    version: bytes = b"VIM 9.0",
    pid: int = 4711,
    user: bytes = b"ann",
    host: bytes = b"desk",
    file: bytes = b"/w/a.txt",
    dirty: int = 0x55,
    magic: bytes = b"b0",
) -> bytes:
    """Block 0 as vim, Neovim and nano write it."""
    out = bytearray(BLOCK)
    out[0:2], out[2 : 2 + len(version)] = magic, version
    out[24:28] = pid.to_bytes(4, "little")
    for at, text in ((28, user), (68, host), (108, file)):
        out[at : at + len(text)] = text
    out[1006], out[1007] = 0x0D, dirty
    return bytes(out)


VIM = Said("vim", 4711, "ann", "desk", True, b"/w/a.txt")


@pytest.mark.parametrize(
    ("name", "lock"),
    [
        (b".a.txt.swp", Lock("swap", b"a.txt")),
        (b".a.txt.swa", Lock("swap", b"a.txt")),
        (b".bashrc.swp", Lock("swap", b"bashrc")),
        (b"..bashrc.swo", Lock("swap", b".bashrc")),
        (b".#a.txt", Lock("link", b"a.txt")),
        (b".a.txt.kate-swp", Lock("kate", b"a.txt")),
        (b".~lock.plan b.odt#", Lock("office", b"plan b.odt")),
        (b".a\nb.swp", Lock("swap", b"a\nb")),
        (b".a.txt.swx", None),  # vim's probe
        (b".swp", None),  # a buffer without a name
        (b"a.txt.swp", None),
        (b".a.txt.swpx", None),
        (b".~lock.#", None),
        (b".#", None),
        (b".kate-swp", None),
        (b".", None),
        (b"", None),
        (b".gitignore", None),
    ],
)
def test_names(name: bytes, lock: Lock | None) -> None:
    assert lock_of(name) == lock
    assert is_lock(b"src/" + name) == is_lock(name) == (lock is not None)


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("swap", block(), VIM),
        ("swap", block(dirty=0), VIM._replace(modified=False)),
        ("swap", block(b"VIM 8.0") + bytes(3072), VIM),  # Neovim says so, too
        ("swap", block(b"nano 7.2"), VIM._replace(program="nano")),
        ("swap", block(magic=b"bd"), VIM),  # encrypted, but for this
        ("swap", block(file=b"~ann/a.txt"), VIM._replace(file=b"~ann/a.txt")),
        ("swap", block(pid=0), VIM._replace(pid=None)),
        ("swap", block(pid=0xFFFFFFFF), VIM._replace(pid=None)),
        ("swap", block(host=b"d\x1b[2Jk\xff"), VIM._replace(host="d?[2Jk\ufffd")),
        ("swap", block(host=b""), VIM._replace(host=None)),
        ("swap", block()[:1023], None),
        ("swap", block(magic=b"b1"), None),
        ("swap", block(b"EMACS"), None),
        ("swap", bytes(BLOCK), None),
        ("swap", b"", None),
        ("link", b"root@vm.32022", Said(None, 32022, "root", "vm", True)),
        ("link", b"ann@desk.example.org.4242:1767323045", Said(None, 4242, "ann", "desk.example.org", True)),
        ("link", b"ann@corp@desk.7", Said(None, 7, "ann@corp", "desk", True)),
        ("link", b"me@here.5158", Said(None, 5158, "me", "here", True)),
        ("link", b"ann@desk.0", Said(None, None, "ann", "desk", True)),
        ("link", b"ann@desk.99999999999", None),
        ("link", b"ann@desk.x", None),
        ("link", b"../../etc/passwd", None),
        ("link", b"ann@desk.7:boot", None),
        ("link", b"a" * 600 + b"@desk.7", None),
        ("link", b"", None),
        ("kate", b"\0\0\0\x12Kate Swap File 2.0\0\0\0\x14", Said("kate", modified=True)),
        ("kate", b"Kate Swap File 2.0", None),
        (
            "office",
            b",ann,desk,22.11.2026 01:02,file:///home/ann/.config;",
            Said("LibreOffice", user="ann", host="desk"),
        ),
        ("office", b"Ann B\\, C,ann,desk,x,y;", Said("LibreOffice", user="ann", host="desk")),
        ("office", b",,,", Said("LibreOffice")),
        ("office", b"no fields", None),
        ("office", b",a\0b,desk,x,y;", None),
    ],
)
def test_contents(kind: Kind, content: bytes, said: Said | None) -> None:
    assert said_by(kind, content) == said


@given(st.sampled_from(["swap", "link", "kate", "office"]), st.binary(max_size=2048))
def test_any_bytes_are_read(kind: Kind, content: bytes) -> None:
    """Nothing is raised, and what is shown can be shown and is short."""
    for found in (said_by(kind, content), said_by(kind, block()[:24] + content)):
        for text in (found.user, found.host, found.program) if found else ():
            assert text is None or (text.isprintable() and len(text) <= 64)


def test_vim_has_one_dot_for_a_hidden_file() -> None:
    lock = Lock("swap", b"bashrc")
    assert file_of(lock, VIM._replace(file=b"~ann/.bashrc")) == b".bashrc"
    assert file_of(lock, VIM) == b"bashrc"
    assert file_of(lock, VIM._replace(program="nano", file=b"/w/.bashrc")) == b"bashrc"


@pytest.mark.parametrize(
    ("name", "file", "path"),
    [
        (b"%home%ann%w%a.txt.swp", b"/home/ann/w/a.txt", b"/home/ann/w/a.txt"),
        (b"%home%ann%w%a.txt.swo", b"~/w/a.txt", b"/home/ann/w/a.txt"),
        (b"%home%ann%w%a.txt.swp", b"~ann/w/a.txt", b"/home/ann/w/a.txt"),
        (b"%home%ann%w%50%.txt.swp", b"~ann/w/50%.txt", b"/home/ann/w/50%.txt"),
        (b"%home%ann%w%50%%.txt.swp", b"~ann/w/50%.txt", b"/home/ann/w/50%.txt"),
        (b"%home%ann%w%a.txt.swp", b"/etc/passwd", b"/home/ann/w/a.txt"),  # the name of the swap file counts
        (b"%home%ann%w%a.txt.swp", b"", b"/home/ann/w/a.txt"),
        (b"a.txt.swp", b"/home/ann/w/a.txt", None),
        (b"%home%ann", b"/home/ann", None),
    ],
)
def test_swap_files_elsewhere(name: bytes, file: bytes, path: bytes | None) -> None:
    assert elsewhere_of(name, VIM._replace(file=file), b"/home/ann") == path


def test_manners_of_saving() -> None:
    assert saved_by(b"src/a.py___jb_tmp___", b"src/a.py") == "JetBrains"
    assert saved_by(b"b.py___jb_tmp___", b"a.py") is None
    assert saved_by(b"src/.goutputstream-AB12CD", b"src/a.py") == "a GTK program"
    assert saved_by(b"src/a.py~", b"src/a.py") is None
    assert saved_by(b"", b"src/a.py") is None


# Who has it.

NOW = Times(1000.0, 900.0)
LIVES = Process("vim.basic", 500.0)


def found(kind: Kind, said: Said, process: Process | None, times: Times = NOW) -> Opened:
    return judged(kind, said, process, "desk", times)


@pytest.mark.parametrize(
    ("process", "state", "state_from", "program", "program_from"),
    [
        (LIVES, "open", "process", "vim", "process"),
        (Process("nvim", 500.0), "open", "process", "nvim", "process"),
        (Process(None, 0.0), "open", "process", "vim", "swap file"),  # the system shows no names
        (None, "crashed", "process", "vim", "swap file"),
        (Process("vim", 1003.0), "crashed", "process", "vim", "swap file"),  # began later: the number is used again
        (Process("systemd", 1.0), "open", "swap file", "vim", "swap file"),  # a pid of a container
    ],
)
def test_an_open_file_and_a_crash(
    process: Process | None, state: str, state_from: str, program: str, program_from: str
) -> None:
    one = found("swap", VIM, process)
    assert (one.state, one.state_from, one.program, one.program_from) == (state, state_from, program, program_from)
    assert (one.modified, one.modified_from, one.host, one.user) == (True, "swap file", None, "ann")
    assert one.process == (VIM.pid if state_from == "process" else None)


def test_the_pid_of_another_host_says_nothing() -> None:
    one = found("swap", VIM._replace(host="laptop"), LIVES)
    assert (one.state, one.state_from, one.host, one.program) == ("open", "swap file", "laptop", "vim")
    assert (one.pid, one.process) == (VIM.pid, None)


def test_a_long_host_name_is_cut_by_the_editor() -> None:
    here = "a-very-long-name-of-a-machine-indeed.example.org"
    assert judged("swap", VIM._replace(host=here[:31]), LIVES, here, NOW).host is None
    assert judged("swap", VIM._replace(host=here[:10]), LIVES, here, NOW).host == here[:10]


def test_nano_leaves_its_mark_when_it_saves() -> None:
    """Dirty only if the lock is younger than the file."""
    nano, runs = VIM._replace(program="nano"), Process("nano", 1.0)
    assert found("swap", nano, runs, Times(1000.0, 900.0)).modified
    assert not found("swap", nano, runs, Times(1000.0, 1000.5)).modified
    assert found("swap", nano, runs, Times(1000.0, None)).modified
    assert found("swap", VIM, LIVES, Times(1000.0, 1000.5)).modified


def test_joe_says_what_the_environment_does() -> None:
    """$USER and $HOSTNAME, which no shell exports of itself; without them "me" and "here"."""
    said = Said(None, 5158, "me", "here", True)
    one = found("link", said, Process("joe", 1.0))
    assert (one.program, one.host, one.user, one.state) == ("joe", None, None, "open")
    assert found("link", said, None)[:2] == ("joe", "lock link")
    assert found("link", said, None).state == "crashed"
    one = found("link", Said(None, 5158, "ann", "here", True), Process("joe", 1.0))
    assert (one.program, one.program_from, one.host, one.user, one.state) == ("joe", "process", None, "ann", "open")


def test_locks_without_a_pid() -> None:
    kate = found("kate", Said("kate", modified=True), None)
    assert (kate.state, kate.state_from, kate.modified, kate.pid) == ("open", "swap file", True, None)
    office = found("office", Said("LibreOffice", user="ann", host="desk"), None)
    assert (office.state, office.state_from, office.modified, office.modified_from) == (
        "open", "lock file", None, "unknown",
    )  # fmt: skip
    assert office.is_there


def test_what_is_known_afterwards() -> None:
    one = found("swap", VIM, LIVES)
    assert with_program(found("swap", VIM, None), one).program_from == "process"
    assert (after_quit(one).state, after_quit(one).modified, after_quit(one).program) == ("quit", None, "vim")
    assert (after_save(one).state, after_save(one).state_from) == ("unknown", "unknown")
    assert by_manner("JetBrains").row() == {
        "program": "JetBrains", "pid": None, "user": None, "host": None, "state": "unknown", "modified": None,
        "sources": {"program": "save manner", "state": "unknown", "modified": "unknown"},
    }  # fmt: skip


def test_builds_have_the_usual_name() -> None:
    assert [usual_name(name) for name in ("vim.basic", "emacs-nox", "vimdiff", "nvim", "mcedit")] == [
        "vim", "emacs", "vimdiff", "nvim", "mcedit",
    ]  # fmt: skip
