"""One text file as a weave: every line ever written there, in one order, with its writer and its deleter.

A **mark** of an owner is a line it inserted (``ins``) or deleted (``gone``). A **ghost** is a line that one
owner both wrote and deleted and that no commit of the chain holds: no version shows it; it is kept so that an
undo in an editor finds its way home. All owners that begin with ``~`` are one layer, nobody's; the rest of
the label says why.

Every version is a filter of the weave, so nothing is merged to obtain it (docs/ownership.md).

A line is its bytes up to and including ``\\n``; ``\\r`` belongs to the line. A last line without ``\\n``
keeps that fact, and it counts only while the line is last: a filter that puts a line after it writes the
``\\n``.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

from gitsessiond.model.values import BASE, UNASSIGNED

EVERY_COMMIT = -1  # the bit mask of base lines: they were there before the first commit of the chain


class Run(NamedTuple):
    """Neighbouring lines that share their marks.

    ``ins_in`` and ``gone_in`` are bit masks over the commits of the chain (bit i = ``Session.chain[i]``):
    which of them hold the insertion, and the deletion. ``gone_in`` is a part of ``ins_in``, and 0 while
    ``gone`` is None. Only the last line of a run may lack its ``\\n``. A run is never empty.
    """

    ins: str
    gone: str | None
    ins_in: int
    gone_in: int
    lines: tuple[bytes, ...]


@dataclass(frozen=True)
class Weave:
    """The runs of one text file, in order."""

    runs: tuple[Run, ...] = ()


class Edit(NamedTuple):
    """A maximal row of neighbouring marks of one owner, all of them committed or none.

    ``lines``: 1-based, inclusive, of the live file; ``(k, k - 1)`` is a deletion before line k. ``added`` and
    ``deleted`` count lines of the owner's version against what it stands on.
    """

    owner: str
    lines: tuple[int, int]
    added: int
    deleted: int
    committed: bool


def split_lines(content: bytes) -> list[bytes]:
    """The lines of a text, each with its ``\\n``; only the last may lack it."""
    lines = content.split(b"\n")
    last = lines.pop()
    whole = [line + b"\n" for line in lines]
    if last:
        whole.append(last)
    return whole


def join_lines(lines: Iterable[bytes]) -> bytes:
    """The text of these lines; one without its ``\\n`` gets it when another line follows."""
    parts = list(lines)
    return b"".join([line if line.endswith(b"\n") else line + b"\n" for line in parts[:-1]] + parts[-1:])


def join_runs(rows: list[tuple[bytes, ...]]) -> bytes:
    """:func:`join_lines` for whole runs: only the last line of a run needs a look."""
    out: list[bytes] = []
    for lines in rows:
        if out and not out[-1].endswith(b"\n"):
            out.append(b"\n")
        out += lines
    return b"".join(out)


def layer(owner: str | None) -> str | None:
    """The owner, with all unassigned ones as :data:`UNASSIGNED`."""
    return UNASSIGNED if owner is not None and owner.startswith(UNASSIGNED) else owner


def is_ghost(run: Run) -> bool:
    """Whether no version and no commit shows these lines."""
    return run.gone is not None and run.ins_in == 0 and layer(run.ins) == layer(run.gone)


def weave_from(runs: Iterable[Run]) -> Weave:
    """The weave of these runs in its shortest form: same neighbours joined, empty ones left out."""
    out: list[Run] = []
    same: list[tuple[bytes, ...]] = []  # the lines of the runs that are joined to the last of ``out``
    for run in runs:
        if not run.lines:
            continue
        if out and run[0] == out[-1][0] and run[1:4] == out[-1][1:4] and same[-1][-1].endswith(b"\n"):
            same.append(run.lines)
            continue
        if len(same) > 1:
            out[-1] = Run(*out[-1][:4], tuple(chain.from_iterable(same)))
        out.append(run)
        same = [run.lines]
    if len(same) > 1:
        out[-1] = Run(*out[-1][:4], tuple(chain.from_iterable(same)))
    return Weave(tuple(out))


def weave_of(base: bytes, owner: str = BASE, ins_in: int = EVERY_COMMIT) -> Weave:
    """A weave of one run: a file all of whose lines are one owner's."""
    lines = tuple(split_lines(base))
    return Weave((Run(owner, None, ins_in, 0, lines),)) if lines else Weave()


def live(weave: Weave) -> bytes:
    """The file as it is on disk."""
    return join_runs([run.lines for run in weave.runs if run.gone is None])


def labels_of(weave: Weave, owners: Container[str]) -> set[str]:
    """The labels of the weave that belong to a set of owners; base always does."""
    labels = {run.ins for run in weave.runs} | {run.gone for run in weave.runs if run.gone is not None}
    return {label for label in labels if label == BASE or label in owners or layer(label) in owners}


def version(weave: Weave, owners: Container[str]) -> bytes:
    """The file with the edits of these owners only; :data:`UNASSIGNED` stands for every ``~`` label."""
    inside = labels_of(weave, owners)
    return join_runs([run.lines for run in weave.runs if run.ins in inside and run.gone not in inside])


def version_at(weave: Weave, owners: Container[str], bit: int) -> bytes:
    """These owners' part of one commit of the chain: the marks it holds, by whom they belong to now."""
    return version(as_of(weave, bit), owners)


def as_of(weave: Weave, bit: int) -> Weave:
    """The weave as one commit of the chain holds it: its marks only, by whom they belong to now.

    Its live text is that commit's blob; what holds between patches there is read off it as off any weave.
    """
    return weave_from(
        Run(
            run.ins,
            run.gone if run.gone_in >> bit & 1 else None,
            EVERY_COMMIT if run.ins == BASE else 0,
            0,
            run.lines,
        )
        for run in weave.runs
        if run.ins_in >> bit & 1
    )


def owners_of(weave: Weave) -> frozenset[str]:
    """Every owner (unassigned labels too) with a mark that is not a ghost's."""
    owners: set[str] = set()
    for run in weave.runs:
        if not is_ghost(run):
            owners.add(run.ins)
            if run.gone is not None:
                owners.add(run.gone)
    return frozenset(owners - {BASE})


def is_patch(owner: str | None) -> bool:
    """Whether an owner is a patch: neither base nor unassigned."""
    return owner is not None and owner != BASE and not owner.startswith(UNASSIGNED)


class Row(NamedTuple):
    """An edit with its marks: numbers of runs, and whether it is their insertion (else their deletion)."""

    edit: Edit
    marks: tuple[tuple[int, bool], ...]


def edits(weave: Weave, tip_bit: int | None) -> list[Edit]:
    """All edits in file order; ``tip_bit`` is the bit of the chain's last commit, None without one.

    A line that its own patch deleted again after a commit counts as a deletion that is not committed yet.
    """
    return [row.edit for row in edit_rows(weave, tip_bit)]


def edit_rows(weave: Weave, tip_bit: int | None) -> list[Row]:
    """:func:`edits` with their marks."""
    done: list[Row] = []
    rows: dict[tuple[str, bool], list[tuple[int, bool]]] = {}
    first = [1]  # for each run the number of the first live line not before it

    def close(keep: Container[tuple[str, bool]]) -> None:
        for key in [key for key in rows if key not in keep]:
            marks = tuple(rows.pop(key))
            shown = sum(len(weave.runs[i].lines) for i, added in marks if added and weave.runs[i].gone is None)
            added = sum(len(weave.runs[i].lines) for i, added in marks if added)
            deleted = sum(len(weave.runs[i].lines) for i, added in marks if not added)
            lines = (first[marks[0][0]], first[marks[0][0]] + shown - 1)
            done.append(Row(Edit(key[0], lines, added, deleted, key[1]), marks))

    for number, run in enumerate(weave.runs):
        first.append(first[-1] + (len(run.lines) if run.gone is None else 0))
        marks = _marks(run, tip_bit)
        if marks is not None:
            close({(owner, committed) for owner, committed, _ in marks})
            for owner, committed, added in marks:
                rows.setdefault((owner, committed), []).append((number, added))
    close(())
    return sorted(done, key=lambda row: row.edit.lines)


def _marks(run: Run, tip_bit: int | None) -> list[tuple[str, bool, bool]] | None:
    """The marks of a run as ``(owner, committed, added)``; None for lines in no version and no tip."""
    held = tip_bit is not None and bool(run.ins_in >> tip_bit & 1)
    gone_held = tip_bit is not None and bool(run.gone_in >> tip_bit & 1)
    if run.gone is not None and layer(run.gone) == layer(run.ins):
        return [(run.gone, False, False)] if held and not gone_held else None
    marks = [(run.ins, held, True)] if run.ins != BASE else []
    return marks if run.gone is None else [*marks, (run.gone, gone_held, False)]


def relabel(weave: Weave, select: Callable[[Run, Literal["ins", "gone"]], bool], to: str) -> Weave:
    """Give the selected marks to another owner; ``select`` is asked for each mark but base's."""
    out: list[Run] = []
    for run in weave.runs:
        ins = to if run.ins != BASE and select(run, "ins") else run.ins
        gone = to if run.gone is not None and select(run, "gone") else run.gone
        out.append(Run(ins, gone, run.ins_in, run.gone_in, run.lines))
    return weave_from(out)


def remap_bits(weave: Weave, mapping: Mapping[int, int]) -> Weave:
    """Rename the commits of the chain, old bit to new bit; a bit that is not in the mapping is dropped.

    Text that its deleter put back as new lines, because a commit held the deletion, is then undeleted after all.
    """

    def moved(mask: int) -> int:
        if mask == EVERY_COMMIT:
            return mask
        return sum(1 << new for old, new in mapping.items() if mask >> old & 1)

    runs = [run._replace(ins_in=moved(run.ins_in), gone_in=moved(run.gone_in)) for run in weave.runs]
    return weave_from(_put_back(runs) if any(run.gone_in for run in weave.runs) else runs)


def _put_back(runs: Sequence[Run]) -> list[Run]:
    """Undelete lines that stand again, as their deleter's, behind nothing but what is his too."""
    out: list[Run] = []
    for run in runs:
        at = len(out)
        while at and (is_ghost(out[at - 1]) or out[at - 1].gone == run.ins != out[at - 1].ins):
            at -= 1
            dead = out[at]
            if dead.lines == run.lines and not is_ghost(dead) and (run.gone, run.ins_in, dead.gone_in) == (None, 0, 0):
                out[at] = dead._replace(gone=None)
                break
        else:
            out.append(run)
    return out


def drop_ghosts(weave: Weave) -> Weave:
    """The weave without its ghosts; no version changes."""
    return weave_from(run for run in weave.runs if not is_ghost(run))
