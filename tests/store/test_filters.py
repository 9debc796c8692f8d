"""Contents as ``git add`` would store them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsessiond.store.config import Config
from gitsessiond.store.files import signature
from gitsessiond.store.filters import BULK, Filters, Raw, Unclean, looks_binary
from gitsessiond.store.objects import oid_of
from gitsessiond.store.repository import open_repository
from tests.conftest import git
from tests.store.recorded import as_git_adds

PIECES = [b"line\n", b"line\r\n", b"\r", b"\n", b"\r\n", b"\0", b"\x1a", b"\x07", b"caf\xc3\xa9 ", b"$Id$ ", b"\t"]


@pytest.fixture
def filters(repo: Path) -> Iterator[Filters]:
    repository = open_repository(str(repo))
    found = Filters(repository, Config(repository), str(repo / ".git" / "scratch"))
    found.has_files = True
    yield found
    found.close()


def cleaned(filters: Filters, repo: Path, *paths: str) -> list[bytes | Unclean]:
    """Clean contents of files on disk."""
    filters.refresh()
    filters.forget()
    raws = [Raw(os.fsencode(path), (repo / path).read_bytes(), signature(os.lstat(repo / path))) for path in paths]
    return filters.clean(raws)


def assert_as_git(filters: Filters, repo: Path, *paths: str) -> None:
    """The clean contents are what a real ``git add`` puts into an index."""
    stored = as_git_adds(repo)
    for path, clean in zip(paths, cleaned(filters, repo, *paths), strict=True):
        assert isinstance(clean, bytes), (path, clean)
        assert oid_of("blob", clean) == stored[os.fsencode(path)].oid, path


@pytest.mark.parametrize(
    ("attributes", "config"),
    [
        ("* text=auto\n", {}),
        ("* text\n", {}),
        ("* -text\n", {"core.autocrlf": "true"}),
        ("* text=auto eol=crlf\n", {}),
        ("* eol=lf\n", {}),
        ("* crlf=input\n", {}),
        ("* crlf\n", {"core.autocrlf": "input"}),
        ("*.bin binary\n*.txt text=auto\n", {}),
        ("", {"core.autocrlf": "true"}),
        ("", {"core.autocrlf": "input"}),
        ("", {"core.eol": "crlf"}),
        ("* text=auto ident\n", {}),
    ],
)
def test_line_ends_as_git_stores_them(repo: Path, filters: Filters, attributes: str, config: dict[str, str]) -> None:
    """Random mixtures of line ends, control bytes and NULs, under each way of asking for a conversion."""
    for key, value in config.items():
        git(repo, "config", key, value)
    (repo / ".gitattributes").write_text(attributes)
    chance = random.Random(f"{attributes}{config}")
    names = []
    for number in range(40):
        name = f"f{number}.{chance.choice(['txt', 'bin', 'c'])}"
        few = chance.sample(PIECES, chance.randint(1, 4))
        (repo / name).write_bytes(b"".join(chance.choice([*few, b"text " * 20]) for _ in range(chance.randint(0, 30))))
        names.append(name)
    assert_as_git(filters, repo, *names)


def test_auto_leaves_a_file_alone_whose_index_version_has_crlf(repo: Path, filters: Filters) -> None:
    """git's "safer autocrlf": what is stored with CRLF stays so under auto, though hash-object would convert."""
    (repo / "w.txt").write_bytes(b"one\r\ntwo\r\n")
    git(repo, "add", "w.txt")
    git(repo, "commit", "-q", "-m", "with CRLF")
    git(repo, "config", "core.autocrlf", "true")
    (repo / "w.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    (repo / "n.txt").write_bytes(b"new\r\n")
    assert_as_git(filters, repo, "w.txt", "n.txt")
    assert cleaned(filters, repo, "w.txt", "n.txt") == [b"one\r\ntwo\r\nthree\r\n", b"new\n"]


def test_a_clean_filter_is_run(repo: Path, filters: Filters) -> None:
    """One file, and more than a bulk of them, with names that need quoting."""
    git(repo, "config", "filter.up.clean", "tr a-z A-Z")
    (repo / ".gitattributes").write_text("*.up filter=up\n")
    names = [f"f{number}.up" for number in range(BULK)] + ["new\nline.up", 'quo"te.up', "größe.up", " lead.up"]
    for name in names:
        (repo / name).write_text(f"content of {name}\n")
    assert_as_git(filters, repo, names[0])
    assert_as_git(filters, repo, *names)


def test_the_bytes_read_are_cleaned_not_those_on_disk(repo: Path, filters: Filters) -> None:
    """A file saved again after it was read is cleaned as it was read, in bulk too."""
    git(repo, "config", "filter.up.clean", "tr a-z A-Z")
    (repo / ".gitattributes").write_text("*.up filter=up\n")
    raws = []
    for number in range(BULK):
        path = repo / f"f{number}.up"
        path.write_text("old\n")
        raws.append(Raw(os.fsencode(path.name), b"old\n", signature(path.stat())))
    (repo / "f3.up").write_text("newer\n")
    filters.refresh()
    assert filters.clean(raws) == [b"OLD\n"] * BULK


def test_encodings_and_ident_go_through_git(repo: Path, filters: Filters) -> None:
    """working-tree-encoding is re-encoded and $Id$ collapsed."""
    (repo / ".gitattributes").write_text("*.u16 text working-tree-encoding=UTF-16LE\n*.id ident\n")
    (repo / "a.u16").write_bytes("größe\r\n".encode("utf-16-le"))
    (repo / "b.id").write_bytes(b"$Id: 0123456789 $\n")
    assert_as_git(filters, repo, "a.u16", "b.id")
    assert cleaned(filters, repo, "b.id") == [b"$Id$\n"]


def test_filters_that_cannot_be_run_are_told(repo: Path, filters: Filters) -> None:
    """A process filter (LFS), a required one that fails or is missing: no content, and why; others go on."""
    git(repo, "config", "filter.lfs.process", "git-lfs filter-process")
    git(repo, "config", "filter.lfs.clean", "git-lfs clean -- %f")
    git(repo, "config", "filter.bad.clean", "false")
    git(repo, "config", "filter.bad.required", "true")
    git(repo, "config", "filter.missing.required", "true")
    git(repo, "config", "filter.off.process", "")
    git(repo, "config", "filter.off.clean", "tr a-z A-Z")
    (repo / ".gitattributes").write_text(
        "*.off filter=off\n*.lfs filter=lfs\n*.bad filter=bad\n*.miss filter=missing\n*.nodriver filter=none\n"
    )
    for name in ("a.lfs", "b.bad", "c.miss", "d.nodriver", "e.txt", "f.off"):
        (repo / name).write_text("x\n")
    lfs, bad, missing, *good = cleaned(filters, repo, "a.lfs", "b.bad", "c.miss", "d.nodriver", "e.txt", "f.off")
    assert isinstance(lfs, Unclean) and "lfs" in lfs.why
    assert isinstance(bad, Unclean) and "bad" in bad.why
    assert isinstance(missing, Unclean) and "missing" in missing.why
    assert good == [b"x\n"] * 3
    git(repo, "add", "f.off")
    assert git(repo, "show", ":f.off") == b"x\n"


def test_one_failing_file_does_not_spoil_a_bulk(repo: Path, filters: Filters) -> None:
    """The others of the bulk are cleaned one by one."""
    git(repo, "config", "filter.pick.clean", "grep -v FAIL")
    git(repo, "config", "filter.pick.required", "true")
    (repo / ".gitattributes").write_text("*.p filter=pick\n")
    names = [f"f{number}.p" for number in range(BULK + 1)]
    for name in names:
        (repo / name).write_text("FAIL\n" if name == "f2.p" else "fine\n")
    found = cleaned(filters, repo, *names)
    assert [isinstance(clean, Unclean) for clean in found] == [name == "f2.p" for name in names]


def test_an_lfs_pointer_without_lfs_is_plain_text(repo: Path, filters: Filters) -> None:
    """Where LFS is not installed the pointer on disk is what git stores."""
    for name in ("process", "clean", "smudge"):
        git(repo, "config", f"filter.lfs.{name}", "")  # nor by the machine's own configuration
    git(repo, "config", "filter.lfs.required", "false")
    (repo / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repo / "a.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n")
    assert_as_git(filters, repo, "a.bin")


def test_irreversible_line_ends_under_safecrlf_are_told(repo: Path, filters: Filters) -> None:
    """core.safecrlf=true makes `git add` refuse the file, so it has no clean content."""
    git(repo, "config", "core.autocrlf", "input")
    git(repo, "config", "core.safecrlf", "true")
    (repo / "a.dos").write_bytes(b"one\r\ntwo\n")
    assert isinstance(cleaned(filters, repo, "a.dos")[0], Unclean)


def test_nothing_of_the_users_is_written(repo: Path, filters: Filters) -> None:
    """Cleaning writes no object and no index of the repository, and leaves no scratch directory behind."""
    git(repo, "config", "filter.up.clean", "tr a-z A-Z")
    (repo / ".gitattributes").write_text("*.up filter=up\n")
    (repo / "a.up").write_text("something nobody stored\n")
    before = (repo / ".git" / "index").stat(), sorted((repo / ".git" / "objects").rglob("*"))
    cleaned(filters, repo, "a.up")
    assert before == ((repo / ".git" / "index").stat(), sorted((repo / ".git" / "objects").rglob("*")))
    filters.close()
    assert not (repo / ".git" / "scratch").exists()


def test_without_any_attribute_git_is_not_asked(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository without attributes or autocrlf pays nothing for them."""
    repository = open_repository(str(repo))
    plain = Filters(repository, Config(repository), str(repo / ".git" / "scratch"))
    monkeypatch.setattr(plain, "attributes", None)
    assert plain.clean([Raw(b"a.txt", b"a\r\n", b"")]) == [b"a\r\n"]


def test_smudged_content_is_what_git_checks_out(repo: Path, filters: Filters) -> None:
    """Restoring a blob gives the bytes `git checkout` would write."""
    git(repo, "config", "filter.rot.clean", "tr a-z A-Z")
    git(repo, "config", "filter.rot.smudge", "tr A-Z a-z")
    (repo / ".gitattributes").write_text("*.rot filter=rot\n*.dos text eol=crlf\n")
    for name, data in (("a.rot", b"HELLO\n"), ("b.dos", b"one\ntwo\n"), ("c.txt", b"plain\n")):
        oid = git(repo, "hash-object", "-w", "--stdin", stdin=data).decode().strip()
        git(repo, "update-index", "--add", "--cacheinfo", f"100644,{oid},{name}")
        git(repo, "checkout", "--", name)
        filters.refresh()
        assert filters.smudge(name.encode(), oid, data) == (repo / name).read_bytes()


def test_binary_is_what_convert_c_calls_so() -> None:
    """NUL, lone CR, one odd byte in 128, and a final ^Z that counts as no odd byte."""
    assert looks_binary(b"a\0") and looks_binary(b"a\rb") and looks_binary(b"\x07" + b"a" * 127)
    assert not looks_binary(b"\x07" + b"a" * 128) and not looks_binary(b"a\r\n\tb\x1a") and not looks_binary(b"")
