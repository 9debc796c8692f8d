"""A patch's edits taken out of the files: what is left is the version of all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from gitsessiond.model.clashes import clashes_in, uppermost
from gitsessiond.model.facts import Deciding
from gitsessiond.model.files import File, is_plain, last_path, marks_of, path_of
from gitsessiond.model.graph import graph_of, remembered
from gitsessiond.model.laying import Laying
from gitsessiond.model.owners import How, Owners, Refusal, paths_on_disk, states_of, with_files
from gitsessiond.model.reassign import Refusal as LinesRefusal
from gitsessiond.model.reassign import discard
from gitsessiond.model.registers import Fact, Value, top_owner, written
from gitsessiond.model.values import UNASSIGNED, is_unassigned
from gitsessiond.model.weave import Weave

Closure = Callable[[str], frozenset[str]]


class Discarded(NamedTuple):
    """The ownership without the patch's edits; with refusals it is as it was."""

    owners: Owners
    refused: tuple[Refusal, ...]


def discard_patch(owners: Owners, pid: str, how: How) -> Discarded:
    """Take a patch's edits out of all files; what the chain's commits hold of them it undoes itself.

    Refused as a whole while a patch needs this one because of its edits, or an unassigned edit lies on or
    beside one: without it their order or text there is not defined.
    """
    graph = graph_of(owners)
    states = states_of(owners)
    refused = [
        Refusal(edge.path or b"", None, f"builds {upper}")
        for (upper, lower), edge in graph.edges.items()
        if lower == pid and edge.kind != "declared" and states.get(upper) != "merged"
    ]
    deciding = Deciding(how, states, Laying())
    changed: list[File] = []
    for file in sorted(owners.files.of(pid).values(), key=last_path):
        after = without_patch(file, pid, deciding, graph.closure)
        if isinstance(after, Refusal):
            refused.append(after)
        else:
            changed.append(after)
    refused += in_the_way(owners, changed)
    then = with_files(owners, changed, [file.id for file in changed if is_plain(file)])
    refused += [Refusal(need.path, None, f"builds {uppermost(need)}") for need in clashes_in(owners, then)]
    return Discarded(owners, tuple(refused)) if refused else Discarded(remembered(then), ())


def in_the_way(owners: Owners, changed: Sequence[File]) -> Iterator[Refusal]:
    """Where a file would come back to a path that another one has taken on disk."""
    ids = {file.id for file in changed}
    taken = {path: file for path, file in paths_on_disk(owners).items() if file.id not in ids}
    for file in changed:
        path = path_of(file)
        if path is not None:
            other = taken.setdefault(path, file)
            if other is not file:
                taker = top_owner(other.path if other.path else file.path)
                yield Refusal(path, None, f"builds {UNASSIGNED if is_unassigned(taker) else taker}")


def without_patch(file: File, pid: str, deciding: Deciding, closure: Closure) -> File | Refusal:
    """One file without the patch's facts and lines."""
    path = last_path(file)
    made = file.base is None and bool(file.path) and file.path[0].owner == pid
    if made and any(is_unassigned(label) for label in marks_of(file).labels):
        return Refusal(path, None, f"builds {UNASSIGNED}")
    for stack in (file.path, file.mode, file.content):
        resting = [fact.owner for fact in stack[first_by(stack, pid) :] if fact.owner != pid]
        if resting:
            return Refusal(path, None, f"builds {UNASSIGNED if is_unassigned(resting[0]) else resting[0]}")
    weave: Weave | None = file.weave
    if weave is not None:
        found = discard(weave, pid, deciding.for_lines(file, path), closure)
        if isinstance(found, LinesRefusal):
            return Refusal(path, found.lines, " ".join((found.why, *found.owners)))
        weave = found
    return replace(
        file,
        path=undone(file.path, file.base_path, pid),
        mode=undone(file.mode, file.base_mode, pid),
        content=undone(file.content, file.base_content, pid),
        weave=weave,
    )


def first_by(stack: tuple[Fact[Any], ...], pid: str) -> int:
    """The place of a patch's first write in a register, or its length."""
    return next((at for at, fact in enumerate(stack) if fact.owner == pid), len(stack))


def undone(stack: tuple[Fact[Value], ...], base: Value, pid: str) -> tuple[Fact[Value], ...]:
    """A register without a patch's writes; after those that a commit holds comes one that takes them back."""
    at = first_by(stack, pid)
    if at == len(stack):
        return stack
    value = stack[at - 1].value if at else base
    return written(tuple(fact for fact in stack if fact.owner != pid or fact.ins_in), base, pid, value)
