"""docs/git-commands.md: a row for each command, stories that exist, and words that the product says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.actions import test_adoption, test_more_stories
from tests.scenarios import test_stories

HERE = Path(__file__).parents[2]
KINDS = ("adopted", "edit", "parked", "left", "followed", "as `", "of ", "`")


class Row(NamedTuple):
    command: str
    becomes: str
    words: list[str]
    stories: set[int]


def rows() -> list[Row]:
    found = []
    for line in (HERE / "docs/git-commands.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            words = [] if re.match(r"as |nothing", cells[2]) else re.findall(r"`([^`]+)`", cells[2])
            name = cells[0].strip("`").removeprefix("git ")
            found.append(Row(name, cells[1], words, {int(one) for one in re.findall(r"\d+", cells[3])}))
    return found


def test_every_command_has_a_row() -> None:
    """Each of git's main commands, in order, and none twice."""
    told = subprocess.run(["git", "--list-cmds=list-mainporcelain"], capture_output=True, check=True, text=True)
    names = [row.command for row in rows()]
    assert set(told.stdout.split()) <= set(names)
    assert names == sorted(set(names))
    assert all(row.becomes.startswith(KINDS) for row in rows())


def test_the_words_are_said() -> None:
    """What a row quotes is in the sources, as far as it is no name or number."""
    files = [path for top in ("gitsessiond", "hooks") for path in (HERE / top).rglob("*.[ps][yh]")]
    said = "".join(path.read_text() for path in files)
    parts = {part.strip(" ,;)") for row in rows() for words in row.words for part in words.split("…")} - {""}
    assert len(parts) > 15 and not [part for part in parts if not part.startswith(("git ", "--")) and part not in said]


def test_every_story_is_of_a_row() -> None:
    """All 57 stories are told, each is in some row, and none is named that is not told."""
    names = [name for module in (test_adoption, test_more_stories, test_stories) for name in vars(module)]
    told = {int(found[1]) for found in (re.match(r"test_(\d\d)_", name) for name in names) if found}
    assert told == set(range(1, 58)) == set().union(*(row.stories for row in rows()))
