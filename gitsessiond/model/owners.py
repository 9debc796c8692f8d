"""The ownership of a whole session: all its Files, its patches, and what is remembered between them.

Values only; what is done to them is in the modules :mod:`gitsessiond.model.ownership` lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from gitsessiond.model import fileset
from gitsessiond.model.files import File, Tools
from gitsessiond.model.fileset import Files
from gitsessiond.model.values import Entry, Placed

PatchState = Literal["open", "merged", "abandoned"]
Pair = tuple[str, str]  # (p, q): p depends on q


@dataclass(frozen=True, eq=False)
class Owners:
    """Who owns which edit of a session. Compared by identity: no change, no new object."""

    files: Files = field(default_factory=Files)  # by file id; order means nothing
    patches: tuple[tuple[str, PatchState], ...] = ()  # in creation order
    declared: frozenset[Pair] = frozenset()  # by `patch depend`
    directions: frozenset[Pair] = frozenset()  # the direction an edge of touch, judge or places last had
    judged: frozenset[Pair] = frozenset()  # edges the judge asked for
    memo: dict[str, Any] = field(default_factory=dict, init=False, repr=False)  # what was derived from it


@dataclass(frozen=True)
class How:
    """How edits are to be sorted: who is at work, and what is known of the paths.

    ``claim`` and ``forced`` give an owner for a path, or None; ``forced`` (the guards) is for new files and
    wins. ``nobody`` is the label of edits that no rule gives to a patch. ``only`` is the one open patch, for
    committed edits. ``earlier`` gives the File that stood for a path when it last had this content.
    """

    current: str | None
    claim: Callable[[bytes], str | None]
    tools: Tools
    nobody: str = "~none"
    only: str | None = None
    forced: Callable[[bytes], str | None] = field(default=lambda path: None)
    earlier: Callable[[bytes, Entry | None], File | None] = field(default=lambda path, entry: None)


class Sorted(NamedTuple):
    """What became of a save or commit: the ownership after it, and where each edit went."""

    owners: Owners
    placed: tuple[Placed, ...]


class Refusal(NamedTuple):
    """Edits that stay where they are; ``why`` as in :mod:`gitsessiond.model.reasons`, without the ``~``."""

    path: bytes
    lines: tuple[int, int] | None
    why: str


class Assigned(NamedTuple):
    """What ``assign`` did and did not do."""

    owners: Owners
    moved: tuple[Placed, ...]
    refused: tuple[Refusal, ...]


def empty_owners() -> Owners:
    """The ownership of a session in which nothing was edited yet."""
    return Owners()


def add_patch(owners: Owners, pid: str) -> Owners:
    """A new open patch, last in order."""
    return replace(owners, patches=(*owners.patches, (pid, "open")))


def set_state(owners: Owners, pid: str, state: PatchState) -> Owners:
    """A patch in another state; its labels stay, so that ``reopen`` is exact."""
    patches = tuple((one, state if one == pid else was) for one, was in owners.patches)
    return owners if patches == owners.patches else replace(owners, patches=patches)


def states_of(owners: Owners) -> dict[str, PatchState]:
    """The state of each patch, in creation order."""
    return dict(owners.patches)


def with_files(owners: Owners, changed: Iterable[File], gone: Iterable[str] = ()) -> Owners:
    """The ownership with these Files put in and those ids taken out, which wins."""
    return replace(owners, files=owners.files.changed(changed, gone))


def changed_files(before: Owners, after: Owners) -> set[str]:
    """The ids of Files that are not the same objects in both."""
    return after.files.changed_since(before.files)


def changed_paths(owners: Owners) -> dict[bytes, File]:
    """The Files the session changed, by the path each has on disk or had last."""
    return owners.files.by(fileset.changed_path)


def loose_paths(owners: Owners) -> dict[bytes, File]:
    """Those of them in which no patch has a part."""
    return owners.files.by(fileset.loose_path)


def paths_on_disk(owners: Owners) -> dict[bytes, File]:
    """The Files by the path each has on disk; deleted ones are not in it."""
    return owners.files.by(fileset.on_disk)


def files_of(owners: Owners, labels: Iterable[str]) -> dict[str, File]:
    """The Files in which any of these owners has a part, by id."""
    return {fid: file for label in labels for fid, file in owners.files.of(label).items()}


def shared_files(owners: Owners) -> dict[str, File]:
    """The Files in which several patches have a part, by id."""
    return owners.files.by(fileset.shared)


def deleted_files(owners: Owners) -> dict[bytes, File]:
    """The Files that are deleted on disk, by the last path each had."""
    return owners.files.by(fileset.deleted)
