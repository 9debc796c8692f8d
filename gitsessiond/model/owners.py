"""The ownership of a whole session: all its Files, its patches, and what is remembered between them.

Values only; what is done to them is in the modules :mod:`gitsessiond.model.ownership` lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from gitsessiond.model.files import File, Tools, last_path, marks_of, path_of
from gitsessiond.model.values import Entry, Placed

PatchState = Literal["open", "merged", "abandoned"]
Pair = tuple[str, str]  # (p, q): p depends on q


@dataclass(frozen=True, eq=False)
class Owners:
    """Who owns which edit of a session. Compared by identity: no change, no new object."""

    files: Mapping[str, File] = field(default_factory=dict)  # by file id; order means nothing
    patches: tuple[tuple[str, PatchState], ...] = ()  # in creation order
    declared: frozenset[Pair] = frozenset()  # by `patch depend`
    directions: frozenset[Pair] = frozenset()  # the direction a touch or judge edge last had
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
    files = dict(owners.files)
    paths, patched = dict(paths_on_disk(owners)), dict(patched_files(owners))
    dropped = set(gone)
    new = {file.id: file for file in changed if file.id not in dropped}
    for fid in dropped | new.keys():
        before = files.get(fid)
        path = path_of(before) if before is not None else None
        if path is not None and paths.get(path) is before:
            del paths[path]
        patched.pop(fid, None)
        if fid in dropped:
            files.pop(fid, None)
    for fid, file in new.items():
        files[fid] = file
        path = path_of(file)
        if path is not None:
            paths[path] = file
        if marks_of(file).patches:
            patched[fid] = file
    after = replace(owners, files=files)
    after.memo.update(paths=paths, patched=patched)  # carried on: a session may have tens of thousands of files
    return after


def changed_files(before: Owners, after: Owners) -> set[str]:
    """The ids of Files that are not the same objects in both."""
    return {
        fid for fid in before.files.keys() | after.files.keys() if before.files.get(fid) is not after.files.get(fid)
    }


def changed_paths(owners: Owners) -> dict[bytes, frozenset[str]]:
    """Each path the session changed, as it is called on disk or last was, with the owners of its edits."""
    return {last_path(file): marks_of(file).labels for file in owners.files.values() if marks_of(file).labels}


def paths_on_disk(owners: Owners) -> dict[bytes, File]:
    """The Files by the path each has on disk; deleted ones are not in it. Computed once per Owners."""
    found: dict[bytes, File] | None = owners.memo.get("paths")
    if found is None:
        pairs = ((path_of(file), file) for file in owners.files.values())
        found = owners.memo["paths"] = {path: file for path, file in pairs if path is not None}
    return found


def patched_files(owners: Owners) -> dict[str, File]:
    """The Files in which a patch has a part, by id. Computed once per Owners."""
    found: dict[str, File] | None = owners.memo.get("patched")
    if found is None:
        found = {fid: file for fid, file in owners.files.items() if marks_of(file).patches}
        owners.memo["patched"] = found
    return found


def deleted_files(owners: Owners) -> dict[bytes, File]:
    """The Files that are deleted on disk, by the last path each had. Computed once per Owners."""
    found: dict[bytes, File] | None = owners.memo.get("deleted")
    if found is None:
        found = {last_path(file): file for file in owners.files.values() if path_of(file) is None}
        owners.memo["deleted"] = found
    return found
