"""A patch's diff as a person sees it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitsessiond.faces.cli.terminal import Look

Json = Mapping[str, Any]


def diff_text(reply: Json, look: Look) -> str:
    """A patch's diff, coloured as git colours it."""
    text = str(reply["diff"])
    if not look.colour or not text:
        return text
    return "".join(look.paint(line[:-1], *diff_style(line)) + "\n" for line in text.splitlines(keepends=True))


def diff_style(line: str) -> tuple[str, ...]:
    """git's own colours: meta bold, frag cyan, old red, new green."""
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "rename ", "similarity")):
        return ("bold",)
    return {"@": ("cyan",), "-": ("red",), "+": ("green",)}.get(line[:1], ())
