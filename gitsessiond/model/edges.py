"""Where edits of two owners meet in one weave: what makes a patch depend on another (docs/ownership.md)."""

from __future__ import annotations

from collections.abc import Callable

from gitsessiond.model.weave import Weave, is_patch, labels_of, layer


def hard_edges(weave: Weave) -> dict[tuple[str, str], int]:
    """``(p, q)`` for each patch p that deletes a line of patch q, with the live line (1-based) beside it."""
    found: dict[tuple[str, str], int] = {}
    count = 0
    for run in weave.runs:
        if run.gone is None:
            count += len(run.lines)
        elif run.gone != run.ins and is_patch(run.ins) and is_patch(run.gone):
            found.setdefault((run.gone, run.ins), count + 1)
    return {edge: max(1, min(line, count)) for edge, line in found.items()}


def touching(weave: Weave, p: str, q: str, closure: Callable[[str], frozenset[str]]) -> bool:
    """Whether no line that both keep stands between an edit of p and one of q.

    Looked at on what p stands on and on what q stands on; ``closure`` gives an owner's dependencies,
    transitive, without itself. :data:`UNASSIGNED` as p or q is the whole unassigned layer.
    """
    return _meet(weave, p, q, closure(p)) or _meet(weave, p, q, closure(q))


def _meet(weave: Weave, p: str, q: str, under: frozenset[str]) -> bool:
    """Whether marks of p and q lie side by side on the lines that the owners ``under`` them make."""
    inside = labels_of(weave, under)
    seen: str | None = None  # whose mark was seen since the last line that both keep
    for run in weave.runs:
        marks = (layer(run.ins), layer(run.gone))
        mine, theirs = p in marks, q in marks
        if not mine and not theirs:
            if run.ins in inside and run.gone not in inside:
                seen = None
        elif layer(run.ins) == layer(run.gone):
            continue  # no version shows it
        elif (mine and theirs) or (seen is not None and seen != (p if mine else q)):
            return True
        else:
            seen = p if mine else q
    return False
