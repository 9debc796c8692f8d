"""What one owner has in a file, and when two states of a file are of one kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gitsessiond.model.files import File, facts_of, marks_of
from gitsessiond.model.registers import Fact, relabelled, same_layer, without
from gitsessiond.model.values import BASE, Change, is_unassigned
from gitsessiond.model.weave import is_patch, relabel, weave_from


def parts_of(file: File) -> dict[str, list[object]]:
    """Each owner's part of a file, to be compared with what it was at another time."""
    parts: dict[str, list[object]] = {}
    for fact in facts_of(file):
        parts.setdefault(fact.owner, []).append(fact)
    for run in file.weave.runs if file.weave else ():
        if run.gone is None or not same_layer(run.ins, run.gone):
            for owner, side in ((run.ins, "ins"), (run.gone, "gone")):
                if owner is not None and owner != BASE:
                    parts.setdefault(owner, []).extend((side, line) for line in run.lines)
    return parts


def without_uncommitted(file: File, owner: str) -> File:
    """The file without what an owner did in it since the last commit: it had made anew what another deleted."""

    def mine(fact: Fact[Any]) -> bool:
        return same_layer(fact.owner, owner) and not fact.ins_in

    runs = [
        run._replace(gone=None) if run.gone is not None and same_layer(run.gone, owner) and not run.gone_in else run
        for run in (file.weave.runs if file.weave else ())
        if not same_layer(run.ins, owner) or run.ins_in
    ]
    return replace(
        file,
        mode=without(file.mode, file.base_mode, mine),
        content=without(file.content, file.base_content, mine),
        weave=weave_from(runs) if file.weave else None,
    )


def same_content(change: Change) -> bool:
    """Whether a change leaves blob and kind of file as they were."""
    if change.before is None or change.after is None:
        return False
    return change.before.oid == change.after.oid and same_kind(change.before.mode, change.after.mode)


def same_kind(one: int | None, other: int) -> bool:
    """Whether two modes are both of regular files, of symlinks, or of submodules."""
    return one is not None and one >> 12 == other >> 12


def all_nobodys(file: File, label: str) -> File:
    """The file with every edit unassigned."""
    return replace(
        file,
        path=relabelled(file.path, file.base_path, lambda fact: True, label),
        mode=relabelled(file.mode, file.base_mode, lambda fact: True, label),
        content=relabelled(file.content, file.base_content, lambda fact: True, label),
        weave=relabel(file.weave, lambda run, side: True, label) if file.weave else None,
    )


def with_facts(file: File, select: Callable[[Fact[Any]], bool], to: str) -> File:
    """The file with the selected facts given to another owner; the same object if there are none."""
    if not any(select(fact) for fact in facts_of(file)):
        return file
    return replace(
        file,
        path=relabelled(file.path, file.base_path, select, to),
        mode=relabelled(file.mode, file.base_mode, select, to),
        content=relabelled(file.content, file.base_content, select, to),
    )


def stands_on_nobody(file: File, states: dict[str, Any]) -> str | None:
    """The reason, if a patch's fact, or its edit in a new file, stands on what is nobody's."""
    marks = marks_of(file)
    loose = {one for one in marks.labels if is_unassigned(one) or states.get(one) == "abandoned"}
    if not loose:
        return None
    for stack in (file.path, file.mode, file.content):
        seen = False
        for fact in stack:
            if seen and is_patch(fact.owner) and fact.owner not in loose:
                return f"builds {fact.owner}"
            seen = seen or fact.owner in loose
    if file.path and file.base is None and file.path[0].owner in loose and marks.patches - loose:
        return "whole"
    last = file.path[-1] if file.path else None
    if last is not None and last.value is None and last.owner not in loose:
        return "on"
    return None
