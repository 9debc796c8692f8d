"""The settings of coding agents: what was there stays, our hooks come and go, byte for byte."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gitsessiond.model.errors import Refused
from gitsessiond.store.agententries import FORMS
from gitsessiond.store.agentfiles import Settings, install, settings_of, state_of, uninstall

OWN = {
    "claude": b'{\n    "model": "x",\n  "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type":"command",'
    b'"command":"mine"}]}]}, "permissions" : {"allow": ["Bash(ls \\u00e9)"]}}',
    "codex": b'{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"mine"}]}]}}\n',
    "cursor": b'{\n\t"version": 1,\n\t"hooks": {"stop": [{"command": "./mine.sh"}]}\n}\n\n',
}


def of(tmp_path: Path, tool: str) -> Settings:
    return settings_of(tool, str(tmp_path / "tree"), str(tmp_path / "state"), "main")


@pytest.mark.parametrize("tool", FORMS)
def test_put_in_and_taken_out_byte_for_byte(tmp_path: Path, tool: str) -> None:
    """Beside the user's own hooks, again without change, and gone as if they had never been."""
    settings = of(tmp_path, tool)
    assert state_of(settings) == "missing" and install(settings) and state_of(settings) == "installed"
    assert not install(settings) and uninstall(settings) and not uninstall(settings)
    assert not (tmp_path / "tree").exists()  # nothing was there before
    file = Path(settings.path)
    file.parent.mkdir(parents=True)
    file.write_bytes(OWN[tool])
    file.chmod(0o640)
    assert install(settings) and state_of(settings) == "installed"
    found, own = json.loads(file.read_bytes()), json.loads(OWN[tool])
    for event, rows in own["hooks"].items():
        assert found["hooks"][event][: len(rows)] == rows
    assert {key: found[key] for key in own if key != "hooks"} == {key: own[key] for key in own if key != "hooks"}
    assert found["hooks"].keys() >= FORMS[tool].entries.keys() and file.stat().st_mode & 0o777 == 0o640
    assert uninstall(settings) and file.read_bytes() == OWN[tool] and file.stat().st_mode & 0o777 == 0o640


def test_what_was_written_since_stays(tmp_path: Path) -> None:
    """Only our entries go then; an entry that was changed is put right by installing again."""
    settings = of(tmp_path, "claude")
    file = Path(settings.path)
    install(settings)
    found = json.loads(file.read_bytes())
    found["model"] = "later"
    found["hooks"]["PreToolUse"][0]["matcher"] = "Bash"
    found["hooks"]["Stop"].append({"hooks": [{"type": "command", "command": "mine"}]})
    file.write_text(json.dumps(found))
    assert state_of(settings) == "outdated" and install(settings) and state_of(settings) == "installed"
    assert uninstall(settings)
    assert json.loads(file.read_bytes()) == {
        "model": "later",
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]},
    }


@pytest.mark.parametrize(
    "content",
    [
        *(b"{// mine\n}", b'{"a": 1, "a": 2}', b"[]", b"\xff", b'{"hooks": []}', b'{"hooks": {"Stop": {}}}'),
        *(b'{"a": 1.10}', b'{"a": [-0]}', b'{"a": 1e5}', b'{"a": ' + b"[" * 50000 + b"]" * 50000 + b"}"),
    ],
    ids=range(10),
)
def test_what_cannot_be_read_is_refused_and_left(tmp_path: Path, content: bytes) -> None:
    """Comments, a key that is there twice, hooks in another form, numbers in another form: nothing is written."""
    settings = of(tmp_path, "claude")
    file = Path(settings.path)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert state_of(settings) == "unreadable"
    with pytest.raises(Refused):
        install(settings)
    assert file.read_bytes() == content and not Path(settings.kept).exists()


def test_nothing_outside_the_worktree_is_written(tmp_path: Path) -> None:
    """A repository may bring links to anywhere: as the settings, as their directory, or with a draft's name."""
    settings = of(tmp_path, "claude")
    file, victim = Path(settings.path), tmp_path / "victim"
    file.parent.mkdir(parents=True)
    victim.write_bytes(b"{}")
    for way in (victim, tmp_path / "none", tmp_path / "tree/.git/none"):
        file.symlink_to(way)
        with pytest.raises(Refused, match="leads to"):
            install(settings)
        assert victim.read_bytes() == b"{}" and not os.path.exists(tmp_path / "none") and not uninstall(settings)
        file.unlink()
    file.symlink_to(victim)
    victim.write_bytes(b'{"hooks": {"Stop": [{"hooks": [{"command": "git session agent-hook claude"}]}]}}')
    with pytest.raises(Refused, match="leads to"):
        uninstall(settings)
    file.unlink()
    victim.write_bytes(b"{}")
    Path(f"{file}.gitsession").symlink_to(victim)
    assert install(settings) and victim.read_bytes() == b"{}" and not file.is_symlink()
    assert uninstall(settings)
    Path(f"{file}.gitsession").unlink()
    file.parent.rmdir()
    file.parent.symlink_to(tmp_path)
    with pytest.raises(Refused, match="leads to"):
        install(settings)
    assert not (tmp_path / "settings.json").exists()


def test_a_link_within_the_worktree_stays_one(tmp_path: Path) -> None:
    """What it leads to is made, or changed, and is as before when our entries are gone."""
    settings = of(tmp_path, "claude")
    file, common = Path(settings.path), tmp_path / "tree/common/agent.json"
    file.parent.mkdir(parents=True)
    file.symlink_to("../common/agent.json")
    assert install(settings) and common.exists() and uninstall(settings)
    assert file.is_symlink() and not common.parent.exists()


def test_the_file_is_in_the_form_it_was(tmp_path: Path) -> None:
    """Line ends, text that is none; one that nobody may write is refused; a private one is never anybody's to read."""
    settings = of(tmp_path, "claude")
    file = Path(settings.path)
    file.parent.mkdir(parents=True)
    file.write_bytes(b'{\r\n  "a": "\\ud83d \xc3\xa9"\r\n}\r\n')
    assert install(settings) and state_of(settings) == "installed"
    content = file.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") > 3
    assert json.loads(content.decode())["a"] == "\ud83d \u00e9"
    file.chmod(0o444)
    with pytest.raises(Refused, match="may be written by nobody"):
        uninstall(settings)
    assert file.read_bytes() == content
