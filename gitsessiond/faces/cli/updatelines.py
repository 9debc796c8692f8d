"""Replies of ``update`` as lines. Pure: a reply in, sentences out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitsessiond.faces.cli.mergelines import conflict_rows, record_file
from gitsessiond.faces.cli.words import clean, command, listed, names_in, plural, short, short_of

Json = Mapping[str, Any]


def update_lines(reply: Json) -> list[str]:
    """What came in, what would, or what is in its way."""
    name, target, base = clean(reply["session"]["name"]), clean(reply["target"]), short(reply["base"])
    if reply["conflicts"]:
        verb = "would conflict" if reply["dry_run"] else "conflicts"
        count = plural(len(reply["conflicts"]), "place")
        return [f"Nothing moved: {name} {verb} with {target} in {count}.", *conflict_rows(owned(reply["conflicts"]))]
    notes = [sentence(clean(note)) for note in reply["notes"]]
    if not reply["updated"] and not reply["dry_run"]:
        return [f"{name} has all of {target}.", *notes]
    verb = "Updated" if reply["updated"] else "Would update"
    much = f"{plural(reply['commits'], 'commit')}, {plural(len(reply['files']), 'file')}"
    out = [f"{verb} {name} to {target} at {base}: {much}."]
    if reply["merged"]:
        out.append(f"In {target} already, so merged: {listed(names_in(reply['merged']))}.")
    return [*out, *notes]


def sentence(words: str) -> str:
    """Words as a line of their own."""
    return words[:1].upper() + words[1:] + "."


def owned(conflicts: Sequence[Json]) -> list[Json]:
    """Conflicts with a name for the owner also where that is no patch."""
    return [one if one.get("patch") else {**one, "patch": {"id": None, "name": one["labels"][2]}} for one in conflicts]


def update_hints(reply: Json) -> list[str]:
    """What an editor will say, or how to settle what clashed."""
    out = []
    if reply["unsaved"]:
        told = listed([f"{one['path']} ({clean(one['program'])})" for one in reply["unsaved"]])
        word = "will be another" if not reply["updated"] else "is another"
        out.append(f"not saved in an editor, and {word} file on disk: {told}; read it again there before saving")
    if reply["conflicts"] and not reply["dry_run"]:
        first, ids = reply["conflicts"][0], [one["id"] for one in reply["conflicts"]]
        ways = f"{command('resolve', short_of(first['id'], ids))} --ours|--theirs|--union|--base|--file F"
        out += [
            f"edit {record_file(first)} in any editor and save it without markers,",
            f"or {ways}; then {command('update')}",
        ]
    return out
