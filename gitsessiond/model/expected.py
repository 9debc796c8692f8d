"""Commits that hold just what one would think: all that is on disk, or what one patch had not committed yet.

Then nothing need be looked for: which marks the commit holds follows from whose they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from gitsessiond.model.files import File, Tools, Version, copy_bit, live_version, marks_of, version_of, without_bit
from gitsessiond.model.owners import Owners
from gitsessiond.model.registers import EVERYONE, Fact
from gitsessiond.model.values import Entry
from gitsessiond.model.versions import Overlay, overlay_of, tip_version
from gitsessiond.model.weave import Run, is_ghost, weave_from

EntryAt = Callable[[bytes], Entry | None]


def expected_commit(
    owners: Owners, bit: int, paths: frozenset[bytes], entry_at: EntryAt, base_at: EntryAt, tools: Tools
) -> list[File] | None:
    """The Files with what chain commit ``bit`` holds of each, if it is such a commit.

    ``paths``: where the commit differs from its parent, all of them.
    """
    files = list(owners.files.values())
    parent = [parent_version(file, bit, tools) for file in files]
    before = overlay_of(zip(files, parent, strict=True))
    for pid, found in candidates(owners, files, parent, bit, tools):
        after = overlay_of(zip(files, found, strict=True))
        met = before.keys() | after.keys()
        differs = {path for path in met if at(before, path, base_at) != at(after, path, base_at)}
        if differs != paths or any(at(after, path, base_at) != entry_at(path) for path in paths):
            continue
        known = [copy_bit(file, bit - 1, bit) if bit else without_bit(file, bit) for file in files]
        held = [holding(file, pid, bit) for file in known]
        if all(version_of(file, EVERYONE, tools, bit) == one for file, one in zip(held, found, strict=True)):
            return held
    return None


def parent_version(file: File, bit: int, tools: Tools) -> Version:
    """The file in a commit's parent."""
    if bit:
        return version_of(file, EVERYONE, tools, bit - 1)
    return (file.base_path, file.base) if file.base_path is not None and file.base else None


def candidates(
    owners: Owners, files: list[File], parent: list[Version], bit: int, tools: Tools
) -> Iterator[tuple[str | None, list[Version]]]:
    """What might be committed at once: everything (None), a patch's part, nothing (""); the versions then."""
    yield None, [live_version(file, tools) for file in files]
    tip = bit - 1 if bit else None
    for pid, _ in owners.patches:
        if any(pid in marks_of(file).patches for file in files):
            yield (
                pid,
                [
                    tip_version(file, pid, tip, tools) if pid in marks_of(file).patches else was
                    for file, was in zip(files, parent, strict=True)
                ],
            )
    yield "", parent


def at(overlay: Overlay, path: bytes, base_at: EntryAt) -> Entry | None:
    """What an overlay of the base has at a path."""
    return overlay[path] if path in overlay else base_at(path)


def holding(file: File, pid: str | None, bit: int) -> File:
    """The file with all marks of one owner (None: of everyone) held by a commit, besides those it holds."""
    one = 1 << bit

    def mine(owner: str | None) -> bool:
        return owner is not None and pid in (None, owner)

    def run_held(run: Run) -> Run:
        if is_ghost(run):
            return run
        ins_in = run.ins_in | one if mine(run.ins) else run.ins_in
        gone = mine(run.gone) and ins_in & one
        return run._replace(ins_in=ins_in, gone_in=run.gone_in | one if gone else run.gone_in)

    def held(stack: tuple[Fact[Any], ...]) -> tuple[Fact[Any], ...]:
        return tuple(fact._replace(ins_in=fact.ins_in | one) if mine(fact.owner) else fact for fact in stack)

    return replace(
        file,
        path=held(file.path),
        mode=held(file.mode),
        content=held(file.content),
        weave=weave_from(run_held(run) for run in file.weave.runs) if file.weave else None,
    )
