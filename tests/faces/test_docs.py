"""The reference pages say what the commands say."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from gitsessiond.faces.cli.app import root
from gitsessiond.faces.cli.ending import EXIT_CODES
from gitsessiond.faces.cli.manual import EXIT_WORDS, cli_page, commands, man_page
from gitsessiond.model.errors import KINDS
from gitsessiond.model.settings import SETTINGS
from tests.faces import schemas
from tests.faces.schemas import SCHEMAS

DOCS = Path(__file__).parents[2] / "docs"


def test_cli_page_is_the_live_help() -> None:
    """docs/cli.md equals what the commands print: python -m gitsessiond.faces.cli.manual cli > docs/cli.md"""
    assert (DOCS / "cli.md").read_text() == cli_page()


def test_man_page_is_the_live_help() -> None:
    """docs/git-session.1 equals what the commands print: python -m gitsessiond.faces.cli.manual man > …"""
    assert (DOCS / "git-session.1").read_text() == man_page()


def test_every_help_lists_the_exit_codes() -> None:
    """Each -h ends with all exit codes."""
    for path, command in commands(root):
        text = " ".join(command.get_help(click.Context(command, info_name=path, **command.context_settings)).split())
        for code, words in EXIT_CODES.items():
            assert f"{code} {words}" in text, path


def test_every_error_has_its_exit_code_in_the_table() -> None:
    """Whatever can be raised, its code is explained, and the two tables have the same codes."""
    assert {kind.exit_code for kind in KINDS.values()} <= set(EXIT_CODES)
    assert set(EXIT_WORDS) == set(EXIT_CODES)


def test_every_command_has_a_schema() -> None:
    """Each command's JSON is described, and no description is left over."""
    words = {
        path.removeprefix("git session").strip() for path, one in commands(root) if not isinstance(one, click.Group)
    }
    assert words <= set(SCHEMAS)
    assert set(SCHEMAS) - words == {"", "editors"}  # groups that answer alone


def test_every_setting_is_explained() -> None:
    """In the table of settings, and nothing else is."""
    table = (DOCS / "recording.md").read_text().partition("## Settings")[2].partition("###")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {key for row in rows for key in re.findall(r"`(gitsession\.\w+)`", row)} == {one.key for one in SETTINGS}


@pytest.mark.parametrize("page", ["cli.md", "glossary.md"])
def test_no_trailing_space(page: str) -> None:
    """The pages are clean."""
    assert not re.search(r"[ \t]+$", (DOCS / page).read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("reply", schemas.Status),
        ("session", schemas.Session),
        ("patch", schemas.Patch),
        ("unassigned edit", schemas.Row),
        ("editor", schemas.Editor),
        ("conflict", schemas.Conflict),
        ("collision", schemas.Collision),
        ("gap", schemas.Gap),
        ("lock", schemas.LockShown),
    ],
)
def test_the_json_of_status_is_described(name: str, record: type[schemas.Closed]) -> None:
    """docs/cli.md names every field of each object of status --json, and none that is not there."""
    row = next(line for line in cli_page().splitlines() if line.startswith(f"| {name} |"))
    parts = {"code", "message", "hint", "user", "role", "oid", "mode", "path", "name", "ahead"}  # of objects inside
    parts |= {"token", "client", "who", "session", "saves", "times", "to", "unassigned", "unsaved", "locks"}
    parts |= {"remote", "branch", "commit", "current", "at", "url"}
    described = set(re.findall(r"`(\w+)`", row))
    assert set(record.model_fields) <= described
    assert described - set(record.model_fields) <= parts


def test_hints_quote_names() -> None:
    """No hint puts a name of somebody's bare into a command: names hold spaces, quotes, `$`."""
    bare = re.compile(r'git session [^"]*\{[\w.\[\]]*(?:name|names\[0\])\}')
    for path in (DOCS.parent / "gitsessiond").rglob("*.py"):
        found = [line.strip() for line in path.read_text().splitlines() if bare.search(line)]
        assert not found, f"{path}: {found}"
