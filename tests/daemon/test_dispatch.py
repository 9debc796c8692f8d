"""A request as actions take it: what no process could have as its directory or environment is refused by its form."""

from __future__ import annotations

from typing import Any

import pytest

from gitsessiond.daemon.dispatch import decoded
from gitsessiond.model.errors import LONGEST, BadRequest, NotFound

BAD = (
    {"cwd": "a\0b"}, {"cwd": "/a\0b"}, {"cwd": "src"}, {"cwd": ""}, {"cwd": 3}, {"cwd": "/", "env": []},
    {"cwd": "/", "env": {"": "x"}}, {"cwd": "/", "env": {"A=B": "x"}}, {"cwd": "/", "env": {"A": "\0"}},
    {"cwd": "/", "env": {"A\0": "x"}}, {"cwd": "/", "env": {"A": 3}}, {"cwd": "/", "session": 3},
)  # fmt: skip


@pytest.mark.parametrize("who", BAD)
def test_asker_that_cannot_be(who: dict[str, Any]) -> None:
    """Nothing is done for it, and no action meets such text."""
    with pytest.raises(BadRequest, match="who needs"):
        decoded({"verb": "session.list", "args": {}, "who": who})


def test_asker_with_bytes_that_are_no_text() -> None:
    """Directories and variables may hold any bytes but NUL."""
    who = {"cwd": "/caf\udce9", "env": {"A": "\udcff=\x1b"}}
    assert decoded({"verb": "session.list", "who": who}).who.env == {"A": "\udcff=\x1b"}


@pytest.mark.parametrize("args", [{"what": "a\0b"}, {"message": "\0"}, {"description": "caf\udce9"}, {"url": "\0"}])
def test_text_that_cannot_be(args: dict[str, Any]) -> None:
    """No path and no command holds a NUL, no record bytes that are not UTF-8."""
    with pytest.raises(BadRequest, match="holds"):
        decoded({"verb": "assign", "args": args, "who": {"cwd": "/"}})


def test_text_that_can_be() -> None:
    """A path may be of any bytes, what a program printed of any at all."""
    args = {"what": "caf\udce9", "output": "\0\udcff", "description": "caf\xe9", "content": None}
    assert decoded({"verb": "assign", "args": args, "who": {"cwd": "/"}}).args == args


def test_error_quotes_no_megabyte() -> None:
    """A message quotes what was asked for; its middle is left out where that is endless, and no hint is cut."""
    told = NotFound("x" * (1 << 20) + "end", hint="git session show " + "y" * (1 << 20)).as_dict()
    assert len(told["message"]) < LONGEST and told["message"].endswith("end")
    assert told["hint"] == "git session -h"
    assert NotFound("x" * LONGEST, hint="y" * LONGEST).as_dict()["message"] == "x" * LONGEST
