"""The edits that nobody owns, as rows a person can decide on."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import NamedTuple

from gitsessiond.model.files import File, last_path, marks_of, text_on_disk
from gitsessiond.model.owners import Owners, files_of, states_of
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
    """All of them, in path order; an abandoned patch's edits are among them. Computed once per Owners."""
    found: list[Row] | None = owners.memo.get("rows")
    if found is None:
        found = owners.memo["rows"] = find_rows(owners)
    return found


def find_rows(owners: Owners) -> list[Row]:
    """:func:`unassigned_rows`; those of a file are computed once per File."""
    states = states_of(owners)
    choices = tuple(pid for pid, state in states.items() if state == "open")
    nobodys = {label for label in owners.files.labelled if is_unassigned(label) or states.get(label) == "abandoned"}
    out: list[Row] = []
    for file in sorted(files_of(owners, nobodys).values(), key=lambda file: (last_path(file), file.id)):
        labels = marks_of(file).labels & nobodys
        key = ("rows", labels, choices)
        if key not in file.memo:
            file.memo[key] = tuple(rows_of(file, labels, choices))
        out += file.memo[key]
    return out


def rows_of(file: File, labels: Set[str], choices: tuple[str, ...]) -> Iterator[Row]:
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
