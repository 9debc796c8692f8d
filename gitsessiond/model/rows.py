"""The edits that nobody owns, as rows a person can decide on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gitsessiond.model.files import File, last_path, marks_of, text_on_disk
from gitsessiond.model.owners import Owners, states_of
from gitsessiond.model.values import BASE, is_unassigned
from gitsessiond.model.versions import facts_by
from gitsessiond.model.weave import edits


class Row(NamedTuple):
    """Neighbouring unassigned edits of one file, or one whole-file fact.

    ``lines``: 1-based, inclusive, of the file on disk, ``(k, k - 1)`` a deletion before line k; None for a
    fact. ``label``: the reason (:mod:`gitsessiond.model.reasons`), the first edit's where reasons differ.
    ``choices``: the patches that can take it, in creation order.
    """

    path: bytes
    kind: str
    lines: tuple[int, int] | None
    label: str
    choices: tuple[str, ...]


def unassigned_rows(owners: Owners) -> list[Row]:
    """All of them, in path order; an abandoned patch's edits are among them."""
    states = states_of(owners)
    choices = tuple(pid for pid, state in states.items() if state == "open")
    abandoned = {pid for pid, state in states.items() if state == "abandoned"}
    out: list[Row] = []
    for file in sorted(owners.files.values(), key=last_path):
        labels = {owner for owner in marks_of(file).labels if is_unassigned(owner) or owner in abandoned}
        if labels:
            out += rows_of(file, labels, choices)
    return out


def rows_of(file: File, labels: set[str], choices: tuple[str, ...]) -> Iterator[Row]:
    """The rows of one file. A new or deleted file is one row, with all that is in it."""
    path = last_path(file)
    whole = False
    for placed in facts_by(file, labels):
        yield Row(path, placed.kind, None, label_of(placed.owner), choices)
        whole = whole or placed.kind in ("add", "delete", "content")
    if whole or not text_on_disk(file) or file.weave is None:
        return
    row: Row | None = None
    for edit in edits(file.weave, None):
        if edit.owner == BASE or edit.owner not in labels:
            continue
        if row is not None and row.lines is not None and edit.lines[0] <= row.lines[1] + 1:
            row = row._replace(lines=(row.lines[0], max(row.lines[1], edit.lines[1])))
            continue
        if row is not None:
            yield row
        row = Row(path, "line", edit.lines, label_of(edit.owner), choices)
    if row is not None:
        yield row


def label_of(owner: str) -> str:
    """The reason an owner stands for: an abandoned patch's edits say which patch it was."""
    return owner if is_unassigned(owner) else f"~abandoned {owner}"
