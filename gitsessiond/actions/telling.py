"""What the user's git did, in words: for the history, for events, and for the hook that prints it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from gitsessiond.actions.context import Live
from gitsessiond.actions.relearning import Relearned
from gitsessiond.model.holdings import rows_brought
from gitsessiond.model.ownership import edits_of
from gitsessiond.model.values import is_unassigned
from gitsessiond.store.head import last_words
from gitsessiond.store.steps import State

TAKES_AWAY = frozenset({"reset", "rebase", "pull", "checkout", "git"})  # what can take edits out of the files


class Told(NamedTuple):
    """A sentence for the history, and the same as facts for the event."""

    text: str
    facts: dict[str, Any]


def what_moved_head(live: Live) -> str:
    """What moved HEAD, for a sentence: ``reset``, ``rebase``, ``commit --amend`` ... or ``git``."""
    assert live.worktree is not None
    words = last_words(live.worktree.repository.git_dir)
    if words.startswith("commit (amend)"):
        return "commit --amend"
    found = re.match(r"(reset|rebase|pull|merge|checkout|cherry-pick|revert|commit|am)\b", words)
    return found[1] if found else "git"


def what_was_adopted(before: State, after: State, found: Relearned, how: str) -> Told:
    """What happened: each new commit with its edits by patch, what was lost, what was noted."""
    names = {pid: patch.name for pid, patch in after.patches.items()}
    parts, rows = [], []
    for facts in found.learned:
        counts = counted(after, facts.oid)
        rows.append({"oid": facts.oid, "subject": facts.subject, "edits": counts})
        parts.append(f"{facts.short} {facts.subject}: {spread(counts, names)}")
    lost = lost_edits(before, after) if how in TAKES_AWAY else {}
    parts += [f"{names[pid]} lost {plural(count)} by {how}" for pid, count in lost.items()]
    parts += found.notes
    if before.session.base != after.session.base:
        parts.append(f"base is now {after.session.base[:7]}")
    if before.session.parked is not None:
        parts.append(f"resumed (was parked: {before.session.parked})")
    facts_told = {"commits": rows, "lost": lost, "by_git": how, "notes": list(found.notes)}
    return Told("; ".join(parts) or f"HEAD moved by {how}", facts_told)


def counted(state: State, oid: str) -> dict[str, int]:
    """owner -> edits a chain commit brought, the unassigned ones under ``~``."""
    if oid not in state.session.chain:
        return {}
    counts: dict[str, int] = {}
    for owner, count in rows_brought(state.owners, state.session.chain.index(oid)).items():
        layer = "~" if is_unassigned(owner) else owner
        counts[layer] = counts.get(layer, 0) + count
    return counts


def spread(counts: dict[str, int], names: dict[str, str]) -> str:
    """``2 edits to p, 1 to q``."""
    if not counts:
        return "no edits"
    order = sorted(counts.items(), key=lambda item: (item[0] == "~", -item[1], names.get(item[0], item[0])))
    words = []
    for number, (owner, count) in enumerate(order):
        amount = plural(count) if number == 0 else str(count)
        words.append(f"{amount} " + ("unassigned" if owner == "~" else f"to {names.get(owner, owner)}"))
    return ", ".join(words)


def lost_edits(before: State, after: State) -> dict[str, int]:
    """patch -> how many of its edits are no longer in the files.

    Merged patches have theirs in the base, and across a move of the base nothing can be counted.
    """
    lost: dict[str, int] = {}
    if before.session.base != after.session.base:
        return lost
    for pid, patch in after.patches.items():
        if patch.status == "merged":
            continue
        fewer = len(edits_of(before.owners, pid)) - len(edits_of(after.owners, pid))
        if fewer > 0:
            lost[pid] = fewer
    return lost


def plural(count: int) -> str:
    """``1 edit``, ``2 edits``."""
    return f"{count} edit" if count == 1 else f"{count} edits"
