"""The reply of ``config`` as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitsessiond.faces.cli.words import clean


def config_lines(settings: list[Mapping[str, Any]], *, origins: bool) -> Iterator[str]:
    """``key = value``, one a line, as git prints them; ``origins``: with where each comes from, in front."""
    told = [f"{'default' if one['origin'] == 'default' else clean(str(one['origin']))}" for one in settings]
    width = max((len(words) for words in told), default=0)
    for one, origin in zip(settings, told, strict=True):
        value = clean(str(one["text"])) if one["text"] is not None else ""
        line = f"{one['key']} = {value}".rstrip()
        yield f"{origin:<{width}}  {line}" if origins else line
