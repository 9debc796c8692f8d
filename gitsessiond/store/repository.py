"""The user's repository as we may use it: where it is, and why it may be refused.

Free of pygit2, since the front process opens repositories too. What the environment says about repositories
(``GIT_DIR`` and its kin) is ignored: a daemon started from a hook would see another repository's. Paths are
``str`` as :func:`os.fsdecode` makes them, so that any bytes survive.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass

from gitsessiond.model.errors import NotFound, Refused, StoreFailed
from gitsessiond.store.git import run_git

STATE_DIRECTORY = "gitsession"

# linux/magic.h and the file systems' own headers. Locks, file events and sockets do not reach across hosts.
NETWORK_TYPES = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "SMB (CIFS)",
    0x65735546: "FUSE",
    0x01021997: "9p",
    0x73757245: "Coda",
    0x5346414F: "AFS",
    0x00C36400: "Ceph",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x19830326: "BeeGFS",
    0x786F4256: "a VirtualBox shared folder",
    0xBACBACBC: "a VMware shared folder",
}

OPENING_QUESTIONS = (
    "--show-object-format",
    "--is-bare-repository",
    "--is-inside-work-tree",
    "--absolute-git-dir",
)
REFS_HINT = "git refs migrate --ref-format=files"


@dataclass(frozen=True)
class Repository:
    """One worktree of a repository and the directories beside it; absolute, links resolved."""

    git_dir: str  # this worktree's own: HEAD, index, rebase-merge/
    common_dir: str  # shared by all worktrees: objects, refs, config; git_dir itself in the main one
    worktree: str

    @property
    def state_dir(self) -> str:
        """Where everything of ours lives (docs/format.md, "Layout")."""
        return os.path.join(self.common_dir, STATE_DIRECTORY)

    @property
    def is_linked(self) -> bool:
        """Whether this is a worktree that ``git worktree add`` made."""
        return self.git_dir != self.common_dir


@dataclass(frozen=True)
class WorktreeInfo:
    """One line of ``git worktree list``."""

    path: str
    git_dir: str
    head: str | None  # commit; None on an unborn branch
    branch: str | None  # without refs/heads/; None when detached (also while a rebase runs)
    bare: bool = False  # the entry of a bare repository: no files there
    locked: bool = False
    prunable: bool = False  # its directory is gone


def open_repository(cwd: str) -> Repository:
    """The repository whose worktree holds ``cwd``.

    Raises:
        NotFound: no repository here.
        Refused: bare, no commit yet, inside ``.git``, or on a network file system.
        StoreFailed: SHA-256, reftable, or git itself refuses (its words are in the message).
    """
    if not os.path.isdir(cwd):
        raise NotFound(f"no such directory: {cwd}", hint="cd into a git repository")
    told = run_git(["rev-parse", *OPENING_QUESTIONS], cwd=cwd, check=False)
    if told.code:
        raise _not_opened(cwd, os.fsdecode(told.err).strip())
    object_format, bare, inside, git_dir = os.fsdecode(told.out).split("\n", 3)
    if bare == "true":
        raise Refused(f"{cwd} is a bare repository: it has no files to edit", hint="git worktree add ../DIR BRANCH")
    if inside != "true":
        raise Refused(f"{cwd} is inside the git directory", hint="cd to the files of the repository")
    if object_format != "sha1":
        raise StoreFailed(
            f"the repository uses {object_format} object ids, which libgit2 cannot read",
            hint="git clone it into a repository made by `git init --object-format=sha1`",
        )
    git_dir = _without_newline(git_dir)
    top = _without_newline(os.fsdecode(run_git(["rev-parse", "--show-toplevel"], cwd=cwd).out))
    repository = Repository(git_dir, common_dir_of(git_dir), top)
    _refuse_reftable(repository)
    for directory in (repository.worktree, repository.common_dir):
        refuse_network(directory, file_system_type(directory))
    _refuse_empty(repository)
    return repository


def _without_newline(text: str) -> str:
    """A path as git printed it: only the last newline is git's own."""
    return text[:-1] if text.endswith("\n") else text


def _not_opened(cwd: str, said: str) -> NotFound | StoreFailed:
    """The error for what git said (in the C locale) when it would not open anything."""
    if "not a git repository" in said:
        return NotFound(f"no git repository at {cwd}", hint="git init")
    if "refstorage" in said.lower():
        return StoreFailed("this git cannot read the repository's reftable refs", hint=REFS_HINT)
    if "dubious ownership" in said:
        return StoreFailed(
            f"{cwd} belongs to another user, so git refuses it",
            hint=f"git config --global --add safe.directory {cwd}",
        )
    return StoreFailed(f"git cannot open the repository: {said}", hint="git status")


def _refuse_reftable(repository: Repository) -> None:
    """Refuse a repository whose refs libgit2 (1.9) cannot read although git can."""
    told = run_git(["config", "extensions.refstorage"], cwd=repository.worktree, check=False)
    storage = told.out.strip().lower()
    if storage and storage != b"files":
        raise StoreFailed(f"libgit2 cannot read {os.fsdecode(storage)} refs", hint=REFS_HINT)


def _refuse_empty(repository: Repository) -> None:
    """Refuse a repository without any commit; an unborn branch beside other branches is no reason."""
    if run_git(["rev-parse", "-q", "--verify", "HEAD^{commit}"], cwd=repository.worktree, check=False).code == 0:
        return
    listed = run_git(["for-each-ref", "--count=1"], cwd=repository.worktree, check=False)
    if listed.code == 0 and not listed.out:  # where it fails there are refs: to damaged objects
        raise Refused("the repository has no commit yet", hint="git commit --allow-empty -m 'first commit'")


def common_dir_of(git_dir: str) -> str:
    """The directory all worktrees share (gitrepository-layout(5), ``commondir``)."""
    try:
        with open(os.path.join(git_dir, "commondir"), "rb") as file:
            shared = os.fsdecode(file.read()).rstrip("\n")
    except OSError:  # it has none: it is the shared one itself
        return git_dir
    return os.path.realpath(os.path.join(git_dir, shared))


def file_system_type(directory: str) -> int | None:
    """The file system's magic number as statfs(2) gives it; None where there is no such call."""
    if sys.platform != "linux":
        return None
    room = ctypes.create_string_buffer(512)  # larger than any struct statfs; f_type is its first word
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(directory), room) != 0:
        return None
    word = ctypes.sizeof(ctypes.c_long)
    return int.from_bytes(room.raw[:word], sys.byteorder) & 0xFFFFFFFF


def refuse_network(directory: str, kind: int | None) -> None:
    """Refuse a directory on a file system of this type if hosts share it.

    Raises:
        Refused: it is a network file system, or acts like one (FUSE: no events of other writers).
    """
    name = NETWORK_TYPES.get(kind) if kind is not None else None
    if name is not None:
        raise Refused(
            f"{directory} is on {name}: locks and file events do not work across hosts there",
            hint="git clone it to a local disk",
        )


def worktrees(repository: Repository) -> list[WorktreeInfo]:
    """Every worktree of the repository, the main one first, those whose directory is gone included."""
    out = os.fsdecode(run_git(["worktree", "list", "--porcelain", "-z"], cwd=repository.common_dir).out)
    git_dirs = linked_git_dirs(repository.common_dir)
    found = []
    for number, block in enumerate(part for part in out.split("\0\0") if part):
        facts = dict(_fact(line) for line in block.split("\0") if line)
        path = facts["worktree"]
        if number == 0 and not repository.is_linked:
            path = repository.worktree  # git guesses it from the git directory, wrongly for submodules
        head = facts.get("HEAD", "")
        found.append(
            WorktreeInfo(
                path=path,
                git_dir=repository.common_dir if number == 0 else git_dirs.get(path, ""),
                head=head if head.strip("0") else None,
                branch=facts["branch"].removeprefix("refs/heads/") if "branch" in facts else None,
                bare="bare" in facts,
                locked="locked" in facts,
                prunable="prunable" in facts,
            )
        )
    return found


def _fact(line: str) -> tuple[str, str]:
    """One attribute of ``worktree list --porcelain``: ``name`` or ``name value``."""
    name, _, value = line.partition(" ")
    return name, value


def linked_git_dirs(common_dir: str) -> dict[str, str]:
    """Path of each linked worktree -> its git directory, from ``worktrees/<id>/gitdir``."""
    found: dict[str, str] = {}
    home = os.path.join(common_dir, "worktrees")
    for name in os.listdir(home) if os.path.isdir(home) else ():
        git_dir = os.path.join(home, name)
        try:
            with open(os.path.join(git_dir, "gitdir"), "rb") as file:
                pointer = os.fsdecode(file.read()).rstrip("\n")
        except OSError:
            continue  # half-made or half-removed by git just now
        found[os.path.dirname(os.path.join(git_dir, pointer))] = git_dir
    return found
