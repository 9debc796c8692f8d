"""Replies of ``update`` as lines. Pure: a reply in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitsessiond.faces.cli.mergelines import conflict_rows, settle_hints, settle_lines
from gitsessiond.faces.cli.words import clean, command, listed, names_in, plural, short, upstream_words

Json = Mapping[str, Any]


def update_lines(reply: Json) -> list[str]:
    """What came in, what would, or what is in its way."""
    name, target, base = clean(reply["session"]["name"]), clean(reply["target"]), short(reply["base"])
    if reply["conflicts"]:
        verb = "would conflict" if reply["dry_run"] else "conflicts"
        count = plural(len(reply["conflicts"]), "place")
        ways = [] if reply["dry_run"] else settle_lines(reply["conflicts"])
        rows = conflict_rows(reply["conflicts"])
        return [f"Nothing moved: {name} {verb} with {target} in {count}.", *rows, *ways]
    notes = [sentence(clean(note)) for note in reply["notes"]]
    if not reply["updated"] and not reply["dry_run"]:
        behind = upstream_words(reply["session"]) if is_behind(reply) else []
        return [f"{name} has all of {target}.", *(sentence(f"but {clean(words)}") for words in behind), *notes]
    verb = "Updated" if reply["updated"] else "Would update"
    much = f"{plural(reply['commits'], 'commit')}, {plural(len(reply['files']), 'file')}"
    out = [f"{verb} {name} to {target} at {base}: {much}."]
    if reply["merged"]:
        out.append(f"In {target} already, so merged: {listed(names_in(reply['merged']))}.")
    return [*out, *notes]


def sentence(words: str) -> str:
    """Words as a line of their own."""
    return words[:1].upper() + words[1:] + "."


def is_behind(reply: Json) -> bool:
    """Whether there is nothing to take in because the target itself was not brought up to its upstream."""
    return not reply["updated"] and bool((reply["session"].get("upstream") or {}).get("behind"))


def update_hints(reply: Json) -> list[str]:
    """What an editor will say, or how to settle what clashed."""
    out = []
    if reply["unsaved"]:
        told = listed([f"{one['path']} ({clean(one['program'])})" for one in reply["unsaved"]])
        word = "will be another" if not reply["updated"] else "is another"
        out.append(f"not saved in an editor, and {word} file on disk: {told}; read it again there before saving")
    if reply["conflicts"] and not reply["dry_run"]:
        return out + settle_hints(reply["conflicts"], command("update"))
    return [*out, command("push")] if is_behind(reply) and not reply["dry_run"] else out
