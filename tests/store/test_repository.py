"""Which repositories are opened, and in which words the others are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitsessiond.model.errors import BadRequest, NotFound, Refused, StoreFailed
from gitsessiond.store.config import Config, canonical_key
from gitsessiond.store.repository import (
    file_system_type,
    open_repository,
    refuse_network,
    worktrees,
)
from tests.conftest import git


def test_opens_from_any_directory_of_the_worktree(repo: Path) -> None:
    """The worktree's top, its git directory and ours are found from below, links resolved."""
    found = open_repository(str(repo / "src"))
    assert (found.worktree, found.git_dir, found.common_dir) == (str(repo), str(repo / ".git"), str(repo / ".git"))
    assert found.state_dir == str(repo / ".git" / "gitsession")
    assert not found.is_linked


def test_a_linked_worktree_shares_the_state_directory(repo: Path) -> None:
    """All worktrees have one common directory, hence one state directory."""
    git(repo, "worktree", "add", "-q", "-b", "other", "../linked")
    found = open_repository(str(repo.parent / "linked"))
    assert found.is_linked
    assert found.worktree == str(repo.parent / "linked")
    assert found.state_dir == open_repository(str(repo)).state_dir


@pytest.mark.parametrize("name", [b"with space", b"new\nline", b"caf\xe9", "größe".encode(), b'quo"te\\'])
def test_any_directory_name_is_opened(tmp_path: Path, name: bytes) -> None:
    """Names with spaces, newlines, quotes and bytes that are no UTF-8 survive, in main and linked worktrees."""
    top = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(top)
    where = Path(os.fsdecode(top))
    git(where, "init", "-q")
    git(where, "commit", "-q", "--allow-empty", "-m", "first")
    git(where, "worktree", "add", "-q", "--detach", os.path.join(top, b"inner " + name))
    assert os.fsencode(open_repository(os.fsdecode(top)).worktree) == top
    inner = open_repository(os.fsdecode(os.path.join(top, b"inner " + name)))
    assert os.fsencode(inner.common_dir) == os.path.join(top, b".git")
    listed = worktrees(inner)
    assert [os.fsencode(info.path) for info in listed] == [top, os.path.join(top, b"inner " + name)]
    assert [info.git_dir for info in listed] == [inner.common_dir, inner.git_dir]


def test_the_environment_names_no_repository(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIT_DIR and its kin, as a hook's child has them, are ignored."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", "/")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    assert open_repository(str(repo)).worktree == str(repo)


def test_worktrees_tell_branch_head_and_locks(repo: Path) -> None:
    """Detached, locked and vanished worktrees are told apart."""
    git(repo, "worktree", "add", "-q", "-b", "one", "../one")
    git(repo, "worktree", "add", "-q", "--detach", "../two")
    git(repo, "worktree", "lock", "../two")
    git(repo, "worktree", "add", "-q", "-b", "three", "../three")
    (repo.parent / "three" / ".git").unlink()
    main, *linked = worktrees(open_repository(str(repo)))
    assert (main.path, main.branch, main.bare) == (str(repo), "main", False)
    by_name = {Path(info.path).name: info for info in linked}
    assert by_name["one"].branch == "one"
    assert by_name["two"].branch is None and by_name["two"].locked
    assert by_name["three"].prunable and by_name["three"].git_dir.endswith("/worktrees/three")
    assert {info.head for info in linked} == {main.head}


def test_no_repository_is_not_found(tmp_path: Path) -> None:
    """Exit 10, with what to do."""
    for where in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotFound) as caught:
            open_repository(str(where))
        assert caught.value.exit_code == 10 and caught.value.hint


def test_bare_and_git_directories_are_refused(repo: Path) -> None:
    """A bare repository has no files; inside .git there are none of the user's."""
    git(repo, "clone", "-q", "--bare", ".", "../bare.git")
    for where, word in ((repo.parent / "bare.git", "bare"), (repo / ".git", "inside the git directory")):
        with pytest.raises(Refused, match=word) as caught:
            open_repository(str(where))
        assert caught.value.exit_code == 4


def test_a_worktree_of_a_bare_repository_is_opened(repo: Path) -> None:
    """Bare repositories with linked worktrees are a usual way to work."""
    git(repo, "clone", "-q", "--bare", ".", "../bare.git")
    git(repo.parent / "bare.git", "worktree", "add", "-q", "../beside", "main")
    found = open_repository(str(repo.parent / "beside"))
    assert found.common_dir == str(repo.parent / "bare.git")
    assert worktrees(found)[0].bare


def test_a_repository_without_commit_is_refused(tmp_path: Path) -> None:
    """There is no base to start from; the hint says how to make one."""
    git(tmp_path, "init", "-q")
    with pytest.raises(Refused, match="no commit") as caught:
        open_repository(str(tmp_path))
    assert caught.value.hint is not None and caught.value.hint.startswith("git commit")


def test_an_unborn_branch_beside_others_is_opened(repo: Path) -> None:
    """`git switch --orphan` leaves a repository with commits, only not here."""
    git(repo, "switch", "-q", "--orphan", "empty")
    assert open_repository(str(repo)).worktree == str(repo)


def test_sha256_is_refused(tmp_path: Path) -> None:
    """libgit2 cannot read it: exit 15, never a crash later."""
    git(tmp_path, "init", "-q", "--object-format=sha256")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    with pytest.raises(StoreFailed, match="sha256") as caught:
        open_repository(str(tmp_path))
    assert caught.value.exit_code == 15


def test_reftable_is_refused_whether_or_not_git_reads_it(repo: Path) -> None:
    """git 2.39 refuses the extension itself, newer git reads it and libgit2 does not: the same exit 15."""
    git(repo, "config", "core.repositoryFormatVersion", "1")
    git(repo, "config", "extensions.refStorage", "reftable")
    with pytest.raises(StoreFailed) as caught:
        open_repository(str(repo))
    assert caught.value.exit_code == 15 and caught.value.hint


@pytest.mark.parametrize("kind", [0x6969, 0xFF534D42, 0x65735546, 0x01021997])
def test_network_file_systems_are_refused(kind: int) -> None:
    """NFS, SMB, FUSE and 9p: locks and events do not cross hosts."""
    with pytest.raises(Refused) as caught:
        refuse_network("/there", kind)
    assert caught.value.exit_code == 4


def test_local_file_systems_are_not_refused(tmp_path: Path) -> None:
    """ext4, tmpfs, overlay and what cannot be told pass; statfs names what we stand on."""
    for kind in (0xEF53, 0x01021994, 0x794C7630, None, file_system_type(str(tmp_path))):
        refuse_network(str(tmp_path), kind)
    assert file_system_type("/proc") == 0x9FA0


def test_config_is_read_again_when_a_file_changed(repo: Path) -> None:
    """Each getter sees what was set before it was called, in any of git's files, includes too."""
    config = Config(open_repository(str(repo)))
    assert config.get("gitsession.branchPrefix") is None
    git(repo, "config", "gitsession.branchPrefix", "s/")
    assert config.get("gitsession.branchprefix") == "s/"
    extra = repo.parent / "extra"
    extra.write_text("[gitsession]\n\tnever = a\n\tnever = b\n\tquick\n")
    git(repo, "config", "--global", "include.path", str(extra))
    assert config.all("gitsession.never") == ["a", "b"] and config.flag("gitsession.quick")
    extra.write_text("[gitsession]\n\tmaxFileSize = 2m\n")
    assert config.all("gitsession.never") == []
    assert config.number("gitsession.maxFileSize", 7) == 2 << 20
    for wrong in ("-1", "1_0", "many"):  # what `config` shows as none is none
        extra.write_text(f"[gitsession]\n\tmaxFileSize = {wrong}\n")
        with pytest.raises(BadRequest, match="is no number"):
            config.number("gitsession.maxFileSize", 7)


def test_config_reads_nothing_while_nothing_changed(repo: Path) -> None:
    """A getter costs a few stats, not a process."""
    config = Config(open_repository(str(repo)))
    config.get("core.bare")
    before = config.version
    for _ in range(10):
        config.get("core.bare")
    assert config.version == before


def test_each_worktree_has_its_own_config(repo: Path) -> None:
    """`git config --worktree` of a linked worktree counts there only; removing it does not end the others'."""
    git(repo, "config", "extensions.worktreeConfig", "true")
    git(repo, "worktree", "add", "-q", "-b", "other", "../linked")
    linked = open_repository(str(repo.parent / "linked"))
    git(repo.parent / "linked", "config", "--worktree", "gitsession.never", "x")
    here = Config(open_repository(str(repo)))
    there = here.of(linked)
    assert (here.get("gitsession.never"), there.get("gitsession.never")) == (None, "x")
    assert here.of(open_repository(str(repo))) is here
    git(repo, "worktree", "remove", "../linked")
    git(repo, "config", "gitsession.never", "y")
    assert there.get("gitsession.never") == "y"


def test_config_keys_are_compared_as_git_does() -> None:
    """Section and name without regard to case, the subsection exactly."""
    assert canonical_key("Filter.LFS.Clean") == "filter.LFS.clean"
    assert canonical_key("Core.FileMode") == "core.filemode"
    assert canonical_key("url.a.B.c.InsteadOf") == "url.a.B.c.insteadof"
