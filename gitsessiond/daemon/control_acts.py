"""What a saved control file asks for (docs/control-files.md). Pure: from its content and what is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gitsessiond.daemon.control_texts import ASSIGN, USE, mark_of, shown_patches, target_of
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.wire.requests import BESIDE

Json = Mapping[str, Any]

WORDS = ("ready", "draft", "merged", "abandoned")
MARK = re.compile(r"\s+# (?P<mark>[0-9a-f]{8})(?: .*)?$")
NOT_BY_FILE = ("uninstall", "daemon.stop")


class Wish(NamedTuple):
    """One request that a save stands for."""

    verb: str
    args: dict[str, Any]


def wishes_of(path: bytes, content: bytes, view: Json) -> list[Wish]:
    """The requests, in order, that make of what is what was saved; none where it is so already.

    Raises:
        GitSessionError: it can not be read, or asks for what cannot be.
    """
    if path == USE:
        return wished_use(words_of(content), view)
    if path == ASSIGN:
        return wished_assigning(text_of(content), view)
    _, directory, name = path.split(b"/")
    patch = shown_patches(view["status"]["patches"])[directory]
    if name == b"description":
        text = text_of(content).rstrip("\n")
        same = text == patch["description"].rstrip("\n")
        return [] if same else [Wish("patch.rename", {"patch": patch["id"], "description": text})]
    return wished_status(words_of(content), patch) if name == b"status" else wished_needs(content, patch, view)


def text_of(content: bytes) -> str:
    """The text of a file.

    Raises:
        BadRequest: it is none.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BadRequest(f"it is not UTF-8 (byte {exc.start + 1})", hint="save it as UTF-8") from None
    if "\0" in text:
        raise BadRequest("it is not text", hint="save it as UTF-8")
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def words_of(content: bytes) -> list[str]:
    """The lines of a file that say something, without the space around them."""
    lines = (line.strip() for line in text_of(content).split("\n"))
    return [line for line in lines if line and not line.startswith("# ")]


def wished_use(words: list[str], view: Json) -> list[Wish]:
    """Another patch in use, or none."""
    if len(words) > 1:
        raise BadRequest("more than one patch is named", hint="git session patch use NAME")
    session = view["status"]["session"]
    if not words:
        return [] if session["patch_in_use"] is None else [Wish("patch.use", {"patch": "-"})]
    same = any(one["name"] == words[0] and one["id"] == session["patch_in_use"] for one in view["status"]["patches"])
    return [] if same else [Wish("patch.use", {"patch": words[0]})]


def wished_status(words: list[str], patch: Json) -> list[Wish]:
    """Another status."""
    if len(words) != 1 or words[0] not in (*WORDS, patch["status"]):
        raise BadRequest(f"{' '.join(words)[:60]!r} is no status", hint=f"write {', '.join(WORDS[:3])} or {WORDS[3]}")
    wanted, pid = words[0], patch["id"]
    if wanted == patch["status"]:
        return []
    match wanted:
        case "ready":
            return [Wish("patch.ready", {"patch": pid})]
        case "merged":
            return [Wish("merge", {"patch": pid, "ready": True})]
        case "abandoned":
            return [Wish("patch.abandon", {"patch": pid})]
    if patch["status"] == "abandoned":
        return [Wish("patch.reopen", {"patch": pid})]
    return [Wish("patch.ready", {"patch": pid, "undo": True})]


def wished_needs(content: bytes, patch: Json, view: Json) -> list[Wish]:
    """Other dependencies."""
    ids = {one["name"]: one["id"] for one in view["status"]["patches"]}
    lines = [line for line in text_of(content).split("\n") if line.strip()]
    names = list(dict.fromkeys(line if line in ids else line.strip() for line in lines))
    unknown = [name for name in names if name not in ids]
    if unknown:
        raise Refused(f"there is no patch {unknown[0]!r}", hint="git session patch list")
    wanted, has = [ids[name] for name in names], [one["id"] for one in patch["depends_on"]]
    more = [Wish("patch.depend", {"patch": patch["id"], "on": one}) for one in wanted if one not in has]
    less = [Wish("patch.depend", {"patch": patch["id"], "on": one, "remove": True}) for one in has if one not in wanted]
    return more + less


def wished_assigning(text: str, view: Json) -> list[Wish]:
    """The edits behind whose arrow a patch is named; each is looked for where it is now."""
    out: list[Wish] = []
    for line in text.split("\n"):
        target, arrow, rest = split_line(line, view)
        if not arrow:
            continue
        found = MARK.search(rest)
        name = (rest[: found.start()] if found else rest).strip()
        if name and not name.startswith("# "):
            where = found_again(target, found["mark"], view) if found else target
            out.append(Wish("assign", {"what": where, "patch": name}))
    return sorted(out, key=lambda wish: line_number(wish.args["what"]), reverse=True)


def line_number(target: str) -> int:
    """Where an edit begins, so that those further down go first; assigning moves no line, but is checked by line."""
    found = re.search(r":(\d+)-\d+$", target)
    return int(found[1]) if found else 0


def split_line(line: str, view: Json) -> tuple[str, str, str]:
    """What is named before the arrow, the arrow, what is behind it; a path may hold an arrow itself."""
    if line.startswith("#") or not line.strip():
        return "", "", ""
    for row in view["unassigned"]:
        target = target_of(row)
        if line.startswith(target) and line[len(target) :].lstrip().startswith("->"):
            return target, "->", line[len(target) :].lstrip()[2:]
    target, arrow, rest = line.partition(" ->")
    if not arrow:
        raise BadRequest(f"{line[:60]!r} has no arrow", hint="leave the lines as they are, and add names behind ->")
    return target.strip(), arrow, rest


def found_again(target: str, mark: str, view: Json) -> str:
    """Where the edit with this mark is now.

    Raises:
        Refused: it is nowhere, or more than one looks like it.
    """
    alike = [target_of(row) for row in view["unassigned"] if mark_of(row) == mark]
    if target in alike:
        return target
    if len(alike) == 1:
        return alike[0]
    why = "is not unassigned any more" if not alike else "could be one of several now"
    raise Refused(f"{target} {why}", hint="read .gitsession/assign again")


def wished_request(content: bytes) -> Wish:
    """The request in a file of ``requests/``.

    Raises:
        BadRequest: it is none, or not one to be asked by a file.
    """
    try:
        found = json.loads(text_of(content), parse_constant=no_number)
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"it is no JSON: {exc}"[:200], hint='write {"verb": ..., "args": {...}}') from None
    if not isinstance(found, dict) or not isinstance(found.get("verb"), str):
        raise BadRequest("it is no request: a verb is needed", hint='write {"verb": ..., "args": {...}}')
    args = found.get("args", {})
    if not isinstance(args, dict):
        raise BadRequest("args is no object", hint='write {"verb": ..., "args": {...}}')
    verb = found["verb"]
    if verb in NOT_BY_FILE or verb.startswith(BESIDE) or (verb == "events" and args.get("follow")):
        raise BadRequest(f"{verb[:40]} is not asked by a file", hint="git session -h")
    return Wish("checkpoint" if verb == "daemon.checkpoint" else verb, args)


def no_number(text: str) -> None:
    """NaN and Infinity are no JSON.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{text} is no number")


def not_done(wish: Wish, reply: Json) -> Json | None:
    """Why a request was not carried out; None: it was."""
    if "ok" not in reply:
        found: Json = reply.get("error") or {"message": "no answer", "hint": "git session"}
        return found
    ok = reply["ok"]
    if ok.get("check_due"):
        hint = f"git session merge {wish.args['patch'][:6]} --ready"
        return {"message": f"{ok['check_due']['command']} is to be run first, by a command", "hint": hint}
    if wish.verb == "merge" and not ok["merged"]:
        return {"message": ok.get("message") or "it was not merged", "hint": "git session conflicts"}
    if wish.verb == "assign":
        if ok["refused"]:
            one = ok["refused"][0]
            return {"message": f"{one['path']}: {one['reason']}", "hint": "git session unassigned"}
        if not ok["moved"] and not ok["already"]:
            return {"message": f"{wish.args['what']} has no unassigned edits", "hint": "git session unassigned"}
    return None
