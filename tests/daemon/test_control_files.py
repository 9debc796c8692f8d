"""Control files without a daemon: what a save asks for, what is shown, and the directory on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.daemon import control_files
from gitsessiond.daemon.control_acts import Wish, wished_request, wishes_of
from gitsessiond.daemon.control_dir import LARGEST, ControlDir, NoSave, Save
from gitsessiond.daemon.control_files import ControlFiles
from gitsessiond.daemon.control_showing import show
from gitsessiond.daemon.control_texts import STATUS, directory_of, shown_patches, target_of, texts_of
from gitsessiond.model.errors import BadRequest, GitSessionError, Refused


def patch(name: str, **facts: Any) -> dict[str, Any]:
    told = {"id": (name + "kkkkkkkkkkkk")[:12], "name": name, "description": "", "status": "draft", "depends_on": []}
    return told | {"blockers": [], "merge_commit": None} | facts


def row(path: str, first: int, last: int, text: str) -> dict[str, Any]:
    return {"path": path, "kind": "line", "lines": [first, last], "text": text, "reason": "", "choices": []}


def view(*patches: dict[str, Any], rows: Any = (), in_use: str | None = None) -> dict[str, Any]:
    session = {"id": "s", "name": "x", "patch_in_use": in_use, "created_at": "2026-01-02T03:04:05.678Z"}
    status = {"session": session, "patches": list(patches)}
    return {"status": status, "unassigned": list(rows), "unassigned_left": 0, "patches": []}


ONE, TWO, GONE = patch("one", description="Words"), patch("two", status="ready"), patch("gone", status="abandoned")


@pytest.mark.parametrize(
    ("path", "content", "verbs"),
    [
        ("patches/one/status", "ready\n", [("patch.ready", {"patch": ONE["id"]})]),
        ("patches/one/status", "draft", []),
        ("patches/one/status", "merged\n# second must be merged first\n", [("merge", {"patch": ONE["id"], "ready": True})]),
        ("patches/two/status", " draft \r\n", [("patch.ready", {"patch": TWO["id"], "undo": True})]),
        ("patches/gone/status", "draft\n", [("patch.reopen", {"patch": GONE["id"]})]),
        ("patches/one/status", "abandoned\n", [("patch.abandon", {"patch": ONE["id"]})]),
        ("patches/one/description", "Words", []),
        ("patches/one/description", "\ufeffOther\n\nbody\n\n",
         [("patch.rename", {"patch": ONE["id"], "description": "Other\n\nbody"})]),
        ("patches/one/depends-on", "two\n\n", [("patch.depend", {"patch": ONE["id"], "on": TWO["id"]})]),
        ("use", "two\n", [("patch.use", {"patch": "two"})]),
        ("use", "one\n", []),
        ("use", "", [("patch.use", {"patch": "-"})]),
    ],
)  # fmt: skip
def test_what_a_save_asks_for(path: str, content: str, verbs: list[tuple[str, dict[str, Any]]]) -> None:
    """Each file's content becomes the request of the command; what is so already becomes none."""
    shown = view(ONE, TWO, GONE, in_use=ONE["id"])
    assert wishes_of(path.encode(), content.encode(), shown) == [Wish(*one) for one in verbs]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("patches/one/status", b""),
        ("patches/one/status", b"ready\nmerged\n"),
        ("patches/one/status", b"conflicts\n"),
        ("patches/one/description", b"\xff"),
        ("patches/one/description", b"a\0b"),
        ("patches/one/depends-on", b"nobody\n"),
        ("use", b"one\ntwo\n"),
        ("assign", b"a.txt:1-1 one\n"),
        ("assign", b"a.txt:1-1 -> one  # 00000000 other words\n"),
    ],
)
def test_what_cannot_be_is_refused(path: str, content: bytes) -> None:
    """With a sentence and a hint."""
    with pytest.raises(GitSessionError) as refused:
        wishes_of(path.encode(), content, view(ONE, TWO, rows=[row("a.txt", 1, 1, "words")]))
    assert refused.value.hint


def test_edits_are_known_again_by_their_marks() -> None:
    """A filled-in line finds its edit where it is now; two that look alike are told apart by their lines, or refused."""
    before = [row("a -> b.txt", 4, 5, "x = 1"), row("c.txt", 1, 1, "}"), row("c.txt", 9, 9, "}")]
    listed = texts_of(view(ONE, rows=before), {}, ())[b"assign"].decode()
    filled = "".join(
        line.replace(" ->   # ", " -> one   # ", 1) + "\n" if not line.startswith("#") else line + "\n"
        for line in listed.splitlines()
    ).replace("a -> b.txt:4-5 ->   # ", "a -> b.txt:4-5 -> one   # ")
    assert [wish.args["what"] for wish in wishes_of(b"assign", filled.encode(), view(ONE, rows=before))] == [
        "c.txt:9-9", "a -> b.txt:4-5", "c.txt:1-1",
    ]  # fmt: skip
    assert wishes_of(b"assign", listed.encode(), view(ONE, rows=before)) == []
    moved = [row("a -> b.txt", 7, 8, "x = 1")]
    line = filled.splitlines()[0]
    assert "a -> b.txt:4-5 -> one" in line
    (wish,) = wishes_of(b"assign", line.replace("a -> b.txt", "a.txt").encode().replace(b"a.txt", b"a -> b.txt"), view(
        ONE, rows=[*moved, row("a -> b.txt", 4, 5, "else")]))  # fmt: skip
    assert wish.args == {"what": "a -> b.txt:7-8", "patch": "one"}
    with pytest.raises(Refused):
        wishes_of(b"assign", filled.encode(), view(ONE, rows=[row("c.txt", 2, 2, "}"), row("c.txt", 8, 8, "}")]))


def test_requests_are_json_with_a_verb() -> None:
    """Anything else is refused, and so is what a file cannot ask."""
    assert wished_request(b'{"verb": "daemon.checkpoint"}') == Wish("checkpoint", {})
    for bad in (b"", b"{", b"[]", b'{"verb": 1}', b'{"verb": "merge", "args": []}', b'{"verb": "uninstall"}', b"\xff",
                b'{"verb": "lock.list"}', b'{"verb": "x", "args": {"a": NaN}}', b"[" * 200_000, b'{"verb": "events", "args": {"follow": true}}'):  # fmt: skip
        with pytest.raises(BadRequest):
            wished_request(bad)


def test_directories_are_safe_names_on_any_system() -> None:
    """As they are where that goes; else fit, told apart by the id, never two that differ in case alone."""
    assert directory_of("Größe 2", "k" * 12) == "Größe 2"
    for name in (
        "a/b",
        "..",
        ".x",
        "con",
        "NUL.txt",
        "a:b",
        "x.",
        "ü" * 64,
        "../../etc",
        "x.refused",
        "a\\b",
        "é" * 60,
    ):
        made = directory_of(name, "kxyzkxyzkxyz")
        assert made.endswith("~kxyzkx") and not {"/", "\\", ":"} & set(made), made
        assert not made.startswith(".") and len(made.encode()) < 120
    both = shown_patches([patch("a?b"), patch("a*b") | {"id": "a?bkkkzzzzzz"}])
    assert len({name.lower() for name in both}) == 2


def test_many_ended_patches_have_no_directory() -> None:
    """Open ones all have; of those that ended the last twenty."""
    patches = [patch(f"m{n}", status="merged") for n in range(30)] + [patch("open")]
    shown = shown_patches(patches)
    assert list(shown) == [*(f"m{n}".encode() for n in range(10, 30)), b"open"]
    assert len(shown_patches(patches[:3])) == 3


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A worktree, as far as control files go."""
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_a_save_at_the_same_moment_is_put_back(tree: Path) -> None:
    """A file that is not as expected, or is open for writing, keeps what it has; no draft stays behind."""
    files, path = ControlDir(str(tree)), tree / ".gitsession" / "patches" / "one" / "status"
    first = files.put(b"patches/one/status", b"draft\n", None)
    assert first is not None and path.read_bytes() == b"draft\n" and path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"ready\n")
    assert files.put(b"patches/one/status", b"merged\n", first) is None
    assert files.put(b"patches/one/status", b"merged\n", None) is None
    assert path.read_bytes() == b"ready\n"
    with path.open("ab"):
        assert files.read(b"patches/one/status") == NoSave("busy")
        assert files.put(b"patches/one/status", b"x", files.signature(b"patches/one/status")) is None
    assert os.listdir(path.parent) == ["status"] and path.read_bytes() == b"ready\n"
    found = files.read(b"patches/one/status")
    assert isinstance(found, Save) and files.put(b"patches/one/status", b"new\n", found.signature)


def test_no_link_is_followed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither of a file, nor of a directory, nor of .gitsession itself."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "status").write_text("secret")
    files = ControlDir(str(tree))
    files.make(b"patches")
    (tree / ".gitsession" / "patches" / "one").symlink_to(outside)
    (tree / ".gitsession" / "use").symlink_to(outside / "status")
    (tree / ".gitsession" / "new").symlink_to(outside / "new")
    assert files.read(b"patches/one/status").kind == "odd"  # type: ignore[union-attr]
    with pytest.raises(OSError):
        files.put(b"patches/one/status", b"x", None)
    assert files.put(b"use", b"x", files.signature(b"use")) is not None  # in the link's place
    assert not (tree / ".gitsession" / "use").is_symlink()
    assert files.put(b"new", b"x", None) is None and files.put_aside(b"new") == b"new.refused"
    os.rename(tree / ".gitsession", tree / "away")
    (tree / ".gitsession").symlink_to(outside)
    assert files.signature(b"status") is None and files.names(b"") == []
    with pytest.raises(OSError):
        files.put(b"status", b"x", None)
    assert [path.name for path in outside.iterdir()] == ["status"] and (outside / "status").read_text() == "secret"


def test_what_is_no_text_file_is_not_read(tree: Path) -> None:
    """A directory, a pipe, a file beyond measure; none of them is waited for."""
    files = ControlDir(str(tree))
    files.make(b"requests/a")
    os.mkfifo(tree / ".gitsession" / "requests" / "b")
    (tree / ".gitsession" / "requests" / "c").write_bytes(bytes(LARGEST + 1))
    assert [files.read(b"requests/" + name).kind for name in (b"a", b"b", b"c")] == ["odd"] * 3  # type: ignore[union-attr]
    assert files.read(b"requests/d") == NoSave("gone") and files.read(b"nowhere/d") == NoSave("gone")


def test_another_users_save_is_none(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the socket, files take wishes of their own user and of root alone."""
    files = ControlDir(str(tree))
    files.make(b"patches/one")
    (tree / ".gitsession" / "use").write_text("one\n")
    assert isinstance(files.read(b"use"), Save) and files.inode(b"patches/one")
    if os.geteuid() == 0:
        for path in ("use", "patches/one"):
            os.chown(tree / ".gitsession" / path, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    save = files.read(b"use")  # where we are the other, all of the directory is
    assert isinstance(save, NoSave) and save.why.startswith("it is") and files.inode(b"patches/one") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize("whose", ["", "patches", "patches/one"])
def test_nothing_in_another_users_directory_is_a_save(tree: Path, whose: str) -> None:
    """Who has the directory could put a file of ours in the place of another; nothing is read or written there."""
    shown = ControlFiles(str(tree))
    texts = texts_of(view(ONE), {}, ["panel"])
    show(shown, texts)
    status = tree / ".gitsession/patches/one/status"
    status.write_text("abandoned\n")
    os.chown(tree / ".gitsession" / whose, 12345, 12345)
    before = status.read_bytes()
    assert shown.dir.read(b"patches/one/status") == NoSave("odd", "it is in another user's directory")
    assert shown.dir.names(b"patches/one") == []
    assert not shown.dir.move(b"patches/one/status", b"patches/one/other")
    show(shown, texts_of(view(ONE), {}, ["another panel"]))
    assert status.read_bytes() == before and not (tree / ".gitsession/patches/one/other").exists()


def test_the_next_daemon_knows_what_was_written(tree: Path) -> None:
    """What the last one wrote is no save, also in a copy of the worktree; what was saved since is one."""
    texts = texts_of(view(ONE), {}, ["panel"])
    first = ControlFiles(str(tree))
    assert show(first, texts) == []
    first.refuse(b"use", None, "no", "hint")
    assert show(first, texts) == []
    first.stop()
    other = tree / "copy"
    (other / ".git").mkdir(parents=True)
    for path in sorted((tree / ".gitsession").rglob("*")):
        if path.is_file():
            target = other / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (other / ".gitsession" / "use").write_text("one\n")
    second = ControlFiles(str(other))
    for path in texts:
        save = second.dir.read(path)
        assert isinstance(save, Save) and second.is_as_written(path, save) == (path != b"use"), path
    assert show(second, texts) == [b"use"]
    assert "no" in (other / ".gitsession" / "errors").read_text()
    assert (other / ".gitsession" / "use").read_text() == "one\n"
    head = (other / ".gitsession" / STATUS.decode()).read_text().splitlines()
    assert head[0].startswith("# Changed ") and head[2:] == ["panel"]


def test_what_was_refused_stays_until_it_is_done(tree: Path) -> None:
    """The last refusal above the one before; all of it goes with a save that is carried out."""
    files, beside = ControlFiles(str(tree)), tree / ".gitsession" / "use.refused"
    show(files, texts_of(view(ONE), {}, ()))
    for words in ("first", "second"):
        (tree / ".gitsession" / "use").write_text(words + "\n")
        save = files.dir.read(b"use")
        assert isinstance(save, Save)
        files.refuse(b"use", save, f"no {words}", "git session")
    told = beside.read_text()
    assert told.index(": no second\n# git session\n") < told.index("\nsecond\n") < told.index(": no first\n")
    assert told.endswith("\nfirst\n")
    files.accept(b"use", save)
    assert not beside.exists()


def test_a_worktree_on_its_way_out_gets_no_file(tree: Path) -> None:
    """Without its .git nothing comes back."""
    files = ControlFiles(str(tree))
    (tree / ".git").rmdir()
    show(files, texts_of(view(ONE), {}, ()))
    files.stop()
    files.end()
    assert os.listdir(tree) == []


def test_rows_name_what_assign_takes() -> None:
    """`PATH:FROM-TO`; a whole file by its path."""
    assert target_of(row("a b.txt", 3, 3, "x")) == "a b.txt:3-3"
    assert target_of({"path": "new", "lines": None}) == "new"


def test_a_reply_is_the_askers(tree: Path) -> None:
    """It stays when the next daemon starts, and is neither held in memory nor told to that."""
    files = ControlFiles(str(tree))
    texts = texts_of(view(ONE), {}, ())
    show(files, texts)
    files.reply(b"requests/keep.reply", {"ok": "x" * 1000})
    show(files, texts | {b"use": b"one\n"})
    assert "reply" not in (tree / ".gitsession/.known").read_text() and b"requests/keep.reply" not in files.written
    files.stop()
    show(ControlFiles(str(tree)), texts)
    assert (tree / ".gitsession/requests/keep.reply").exists()


@pytest.mark.parametrize("words", ["cannot open /tmp/r\udcff/.git", "no \ud800", "A" * 900_000])
def test_what_is_told_is_short_and_can_be_written(tree: Path, words: str) -> None:
    """Whatever a message has in it: odd bytes, half a letter, a verb of a megabyte."""
    files, errors = ControlFiles(str(tree)), tree / ".gitsession/errors"
    texts = texts_of(view(ONE), {}, ["panel"])
    show(files, texts)
    files.lapse(GitSessionError(words))
    assert (tree / ".gitsession/STATUS").read_bytes().startswith(b"# Not kept current since ")
    files.note_refused(b"requests/x.json", words, words)
    files.refuse(b"use", None, words, words)
    assert show(files, texts) == [] and 2 < errors.read_bytes().count(b"\n") < 6 and errors.stat().st_size < 3000


def test_a_file_that_is_being_written_is_not_removed(tree: Path) -> None:
    """It is somebody's save by then; one that is left alone goes, and no draft stays."""
    files, path = ControlDir(str(tree)), tree / ".gitsession" / "use"
    found = files.put(b"use", b"one\n", None)
    assert found is not None
    with path.open("ab"):
        files.remove(b"use", found)
    assert os.listdir(path.parent) == ["use"] and path.read_bytes() == b"one\n"
    files.remove(b"use", found)
    assert os.listdir(path.parent) == []


def test_what_is_shown_as_before_is_not_digested_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list for the next daemon is written at each change: a large session must not hold front up."""
    files = ControlFiles(str(tree))
    texts = texts_of(view(*(patch(f"p{n}") for n in range(30))), {}, ["panel"])
    show(files, texts)
    digested: list[bytes] = []
    monkeypatch.setattr(control_files, "digest", lambda content: digested.append(content) or "x")
    show(files, texts | {b"use": b"p1\n"})
    assert 0 < len(digested) < 6
