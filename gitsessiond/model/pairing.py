"""Which commit of the chain a rewritten commit was before: by what ``amend``, ``rebase`` and their kin keep.

Two commits made in one second are common, so time alone never decides. First that answers, each only among
commits no earlier rule paired:

1. same author, author time and subject;
2. same author and author time, the words changed (``commit --amend -m``), when that pairs one with one;
3. same author and subject, same change, the time changed (``commit --amend --reset-author``);
4. the same change alone, when that pairs one with one.

Several candidates for rule 1 are told apart by their change (git's patch id), then by their order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from gitsessiond.model.commits import CommitFacts

PatchIds = Callable[[Sequence[str]], Mapping[str, str]]  # commits -> their patch ids; asked only in doubt


def pair_rewritten(old: Sequence[CommitFacts], new: Sequence[CommitFacts], patch_ids: PatchIds) -> dict[str, str]:
    """new commit -> the old one it was. Both in chain order; no commit is in both."""
    if not old or not new:
        return {}
    pairs: dict[str, str] = {}
    ids: dict[str, str] = {}

    def change(facts: CommitFacts) -> Hashable:
        if not ids:
            ids.update(patch_ids([one.oid for one in (*old, *new)]))
        return ids.get(facts.oid, facts.oid)

    by_words = _groups(old, new, pairs, lambda facts: (facts.author, facts.subject))
    for olds, news in by_words:
        if len(olds) > 1 or len(news) > 1:
            _pair_sole(pairs, _groups(olds, news, pairs, change))
        _pair_in_order(pairs, olds, news)
    _pair_sole(pairs, _groups(old, new, pairs, lambda facts: facts.author))
    if _left(old, new, pairs):
        who = _groups(old, new, pairs, lambda facts: (_name(facts), facts.subject, change(facts)))
        for olds, news in who:
            _pair_in_order(pairs, olds, news)
        _pair_sole(pairs, _groups(old, new, pairs, change))
    return pairs


def _name(facts: CommitFacts) -> bytes:
    """The author without the time."""
    return facts.author.rsplit(b" ", 2)[0]


def _left(old: Sequence[CommitFacts], new: Sequence[CommitFacts], pairs: Mapping[str, str]) -> bool:
    """Whether both sides still have commits without a pair."""
    return len(pairs) < min(len(old), len(new))


def _groups(
    old: Sequence[CommitFacts],
    new: Sequence[CommitFacts],
    pairs: Mapping[str, str],
    key: Callable[[CommitFacts], Hashable],
) -> list[tuple[list[CommitFacts], list[CommitFacts]]]:
    """The unpaired commits of both sides that share a key, in order; only groups that have both sides."""
    taken = set(pairs.values())
    groups: dict[Hashable, tuple[list[CommitFacts], list[CommitFacts]]] = {}
    for facts in old:
        if facts.oid not in taken:
            groups.setdefault(key(facts), ([], []))[0].append(facts)
    for facts in new:
        if facts.oid not in pairs and (found := key(facts)) in groups:
            groups[found][1].append(facts)
    return [group for group in groups.values() if group[1]]


def _pair_sole(pairs: dict[str, str], groups: Sequence[tuple[list[CommitFacts], list[CommitFacts]]]) -> None:
    """Pair the groups of one with one."""
    for olds, news in groups:
        if len(olds) == 1 and len(news) == 1:
            pairs[news[0].oid] = olds[0].oid


def _pair_in_order(pairs: dict[str, str], olds: Sequence[CommitFacts], news: Sequence[CommitFacts]) -> None:
    """Pair what is left of a group in chain order."""
    taken = set(pairs.values())
    left_old = [facts for facts in olds if facts.oid not in taken]
    left_new = [facts for facts in news if facts.oid not in pairs]
    for was, now in zip(left_old, left_new, strict=False):
        pairs[now.oid] = was.oid
