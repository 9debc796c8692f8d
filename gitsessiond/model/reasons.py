"""Why an edit is nobody's, in words.

An unassigned owner is ``~`` and a code, with the ids or names it speaks of after it, separated by spaces:
``~over kkkkkkkkkkkk llllllllllll``. The codes are stored (docs/format.md, "Owners"); the words are for people
only. The same words say why ``assign`` refused an edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

NameOf = Callable[[str], str]

PLAIN = {
    "none": "no patch was in use",
    "out": "assigned to no patch",
    "before": "was there before the session",
    "on": "on unassigned lines",
    "beside": "beside unassigned lines",
    "moved": "moves lines of several owners",
    "unknown": "ownership unknown",
    "base": "cannot be told from the file as it was at the start",
    "nothing": "no edit there",
    "shell": "changed while an agent's shell command ran, which does not say so",
    "whole": "the edit goes as a whole only",
}
OF_PATCHES = {
    "over": "lines of {}",
    "touches": "touches {}",
    "format": "rewrites lines of {}",
    "file": "whole file of {}",
    "merged": "made after {} was merged",
    "abandoned": "patch {} is abandoned",
    "several": "edits of {}; name the lines of one",
    "builds": "{} builds on these lines",
    "unproven": "not proven to be a write of {}, which has claimed the file",
    "ended": "patch {} is not open",
}
GUARDED = {
    "many": "one of many new files at once",
    "large": "a large new file",
    "binary": "a new binary file",
}


def reason_words(label: str, name_of: NameOf) -> str:
    """The reason as people read it. ``name_of`` gives a patch's name for its id; unknown codes stay as is."""
    code, *words = label.removeprefix("~").split(" ")
    if code in PLAIN:
        return PLAIN[code]
    if code in OF_PATCHES:
        names = ["an unassigned edit" if word == "~" else name_of(word) for word in words]
        return OF_PATCHES[code].format(listed(names) or "a patch")
    if code == "cycle" and len(words) >= 2:
        return f"cycle: {name_of(words[0])} already needs {name_of(words[1])}"
    if code == "guard" and words:
        return GUARDED.get(words[0], f"guarded: {words[0]}")
    if code == "foreign" and words:
        branch = " ".join(words[1:])
        return f"from {branch}, commit {words[0][:7]}" if branch else f"from commit {words[0][:7]}"
    return label.removeprefix("~")


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
