"""``git session``, ``status``, ``show`` and ``list``, answered before anything slow is imported.

Start-up is most of what a short command costs: click alone takes 55 ms, pydantic more. So this module and all
it imports stay free of click, pydantic, dataclasses and asyncio (a test imports it and looks). What it does
not understand, wrong options and ``-h`` included, it leaves to :mod:`gitsessiond.faces.cli.app`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from gitsessiond.faces.cli.connect import Dial, open_client
from gitsessiond.faces.cli.ending import run_guarded
from gitsessiond.faces.cli.glance import list_lines
from gitsessiond.faces.cli.panel import MOST, panel_lines
from gitsessiond.faces.cli.terminal import look_of, put, put_json
from gitsessiond.model.errors import GitSessionError, NotFound

VERBS = {"status": "status", "show": "status", "list": "list"}


class Glance(NamedTuple):
    """What was asked: the panel, the panel or else the list (``git session`` alone), or the list."""

    what: str = "panel"
    session: str | None = None
    json: bool = False
    ascii: bool = False
    all: bool = False


def run_fast(argv: Sequence[str], dial: Dial = open_client) -> int | None:
    """Answer the command if it is one of the fast ones; returns its exit code, or None if it is another's."""
    asked = read_words(argv)
    if asked is None:
        return None
    return run_guarded(lambda: answer(asked, dial), argv)


def read_words(argv: Sequence[str]) -> Glance | None:
    """What the words ask for; None when they hold anything but the commands and options known here."""
    asked, verb = Glance(), None
    words = iter(argv)
    for word in words:
        if word in ("-s", "--session"):
            value = next(words, None)
            if value is None:
                return None
            asked = asked._replace(session=value)
        elif word.startswith("--session="):
            asked = asked._replace(session=word.partition("=")[2])
        elif word == "--json":
            asked = asked._replace(json=True)
        elif word == "--ascii":
            asked = asked._replace(ascii=True)
        elif word == "--all":
            asked = asked._replace(all=True)
        elif word.startswith("-"):
            return None
        elif verb is None and word in VERBS:
            verb = word
            asked = asked._replace(what=VERBS[word])
        elif verb in ("status", "show") and asked.session is None:
            asked = asked._replace(session=word)
        else:
            return None
    allowed = (not asked.all or verb == "list") and (not asked.ascii or verb != "list")
    return asked if allowed and asked.session != "" else None


def answer(asked: Glance, dial: Dial) -> int:
    """Ask the daemon and print.

    Raises:
        GitSessionError: what the daemon answered.
    """
    if asked.what == "list":
        return show_list(asked, dial)
    try:
        status = dial(asked.session, True).call("session.status", {} if asked.json else {"most": MOST})
    except NotFound as nothing_here:
        named = asked.session or os.environ.get("GITSESSION")
        if asked.what == "status" or named:
            raise
        return show_list_instead(asked, dial, nothing_here)
    return show_status(status, asked)


def show_status(status: dict[str, Any], asked: Glance) -> int:
    """Print the panel."""
    if asked.json:
        put_json(status)
    else:
        put(panel_lines(status, look_of(sys.stdout, os.environ, asked.ascii)))
    return 0


def show_list(asked: Glance, dial: Dial) -> int:
    """Print the sessions of this repository."""
    reply = dial(asked.session, True).call("session.list", {"all": asked.all})
    if asked.json:
        put_json(reply)
    else:
        look = look_of(sys.stdout, os.environ, asked.ascii)
        put(list_lines(reply, look, here(), asked.all))
    return 0


def show_list_instead(asked: Glance, dial: Dial, nothing_here: GitSessionError) -> int:
    """``git session`` where no session is: the list, or the first error where there is no repository."""
    try:
        return show_list(asked, dial)
    except NotFound:
        raise nothing_here from None


def here() -> str:
    """The directory as a person reached it, without links; paths of worktrees are given so too."""
    return os.path.realpath(os.curdir)
