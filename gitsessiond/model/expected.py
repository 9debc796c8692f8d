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
from gitsessiond.model.versions import Overlay, committed_version, overlay_of, tip_versions
from gitsessiond.model.weave import Run, is_ghost, weave_from

EntryAt = Callable[[bytes], Entry | None]


def expected_commit(
    owners: Owners, bit: int, paths: frozenset[bytes], entry_at: EntryAt, base_at: EntryAt, tools: Tools
) -> list[File] | None:
    """The Files with what chain commit ``bit`` holds of each, if it is such a commit.

    ``paths``: where the commit differs from its parent, all of them.
    """
    files = list(owners.files.values())
    tip = bit - 1 if bit else None
    parent = [committed_version(file, tip, tools) for file in files]
    for pid, found in candidates(owners, files, parent, tip, tools):
        if not gives(files, parent, found, paths, entry_at, base_at):
            continue
        known = [copy_bit(file, bit - 1, bit) if bit else without_bit(file, bit) for file in files]
        held = [holding_as(file, pid, bit, one, tools) for file, one in zip(known, found, strict=True)]
        if None not in held:
            return [file for file in held if file is not None]
    return None


def holding_as(file: File, pid: str | None, bit: int, wanted: Version, tools: Tools) -> File | None:
    """:func:`holding`, if the commit then has the file as it should.

    One that another file replaces there is gone by whoever took it away on disk.
    """
    for owner in (pid, None) if wanted is None else (pid,):
        held = holding(file, owner, bit)
        if version_of(held, EVERYONE, tools, bit) == wanted:
            return held
    return None


def gives(
    files: list[File],
    parent: list[Version],
    found: list[Version],
    paths: frozenset[bytes],
    entry_at: EntryAt,
    base_at: EntryAt,
) -> bool:
    """Whether the commit is its parent with the Files in the versions ``found``."""
    changed = [(file, was, now) for file, was, now in zip(files, parent, found, strict=True) if was != now]
    if all(was is not None and now is not None and was[0] == now[0] == file.base_path for file, was, now in changed):
        after = {now[0]: now[1] for _, _, now in changed if now is not None}
        return after.keys() == paths and all(entry == entry_at(path) for path, entry in after.items())
    places = [now[0] for now in found if now is not None]
    if len(set(places)) < len(places):  # one hides the other in an overlay
        return False
    old, new = (overlay_of(zip(files, versions, strict=True)) for versions in (parent, found))
    differs = {path for path in old.keys() | new.keys() if at(old, path, base_at) != at(new, path, base_at)}
    return differs == paths and all(at(new, path, base_at) == entry_at(path) for path in paths)


def candidates(
    owners: Owners, files: list[File], parent: list[Version], tip: int | None, tools: Tools
) -> Iterator[tuple[str | None, list[Version]]]:
    """What might be committed at once: everything (None), nothing (""), a patch's part; the versions then."""
    yield None, [live_version(file, tools) for file in files]
    yield "", parent
    for pid, _ in owners.patches:
        if owners.files.of(pid):
            yield pid, tip_versions(files, parent, pid, tip, tools)


def at(overlay: Overlay, path: bytes, base_at: EntryAt) -> Entry | None:
    """What an overlay of the base has at a path."""
    return overlay[path] if path in overlay else base_at(path)


def holding(file: File, pid: str | None, bit: int) -> File:
    """The file with all marks of one owner (None: of everyone) held by a commit, besides those it holds."""
    if pid is not None and pid not in marks_of(file).labels:
        return file
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
