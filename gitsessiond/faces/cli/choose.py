"""Asking a person which patch edits belong to: a numbered list, the last entry makes a new patch.

Nothing is sent before all questions are answered, so Ctrl-C at any of them changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.words import clean, place, plural, target_of

NEW = "Create new patch"
MOST_SHOWN = 20

Json = Mapping[str, Any]


class Answer(NamedTuple):
    """One ``assign`` to make: ``what`` None is all unassigned edits; either patch or new is set."""

    what: str | None
    patch: str | None = None
    new: str | None = None


class NumberOrName(click.IntRange):
    """The number of a choice, or what stands beside it."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(1, len(names) + 1)
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A name that is a number is the number of a choice."""
        if isinstance(value, str) and value.strip() in self.names and not value.strip().isdigit():
            return self.names.index(value.strip()) + 1
        return int(super().convert(value, param, ctx))


def choose_for(pending: Sequence[Json], what: str | None) -> list[Answer]:
    """Ask once for all edits that have the same choices; returns the assignments to make.

    Raises:
        click.Abort: Ctrl-C or end of input.
    """
    groups = grouped(pending)
    out: list[Answer] = []
    made: list[str] = []
    for rows in groups:
        patch, new = ask(rows, made)
        if new is not None:
            made.append(new)
        if len(groups) == 1:
            out.append(Answer(what, patch, new))
            continue
        for number, row in enumerate(rows):
            first = new is not None and number == 0
            out.append(Answer(target_of(row), None if first else patch or new, new if first else None))
    return out


def grouped(pending: Sequence[Json]) -> list[list[Json]]:
    """The edits by their choices, both in the order of the reply."""
    groups: dict[tuple[str, ...], list[Json]] = {}
    for row in pending:
        groups.setdefault(tuple(choice["id"] for choice in row["choices"]), []).append(row)
    return list(groups.values())


def ask(rows: Sequence[Json], made: Sequence[str]) -> tuple[str | None, str | None]:
    """Show edits and choices, read a number or name, and for the last one a new name; returns (patch, new name)."""
    for row in rows[:MOST_SHOWN]:
        note(place(row, row["reason"]))
        if row.get("text"):
            note(f"    {clean(str(row['text']))[:100]}")
    if len(rows) > MOST_SHOWN:
        note(f"and {plural(len(rows) - MOST_SHOWN, 'more edit')}")
    choices = [(str(choice["id"]), clean(str(choice["name"]))) for choice in rows[0]["choices"]]
    choices += [(name, name) for name in made]
    for number, (_, name) in enumerate(choices, 1):
        note(f"  {number}  {name}")
    note(f"  {len(choices) + 1}  {NEW}")
    words = "this edit" if len(rows) == 1 else f"these {len(rows)} edits"
    numbers = NumberOrName([name for _, name in choices])
    number = click.prompt(f"Patch for {words}", type=numbers, err=True)
    if number <= len(choices):
        return choices[number - 1][0], None
    return None, str(click.prompt("Name of the new patch", err=True)).strip()
