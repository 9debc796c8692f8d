"""The settings of coding agents: what was there stays, our hooks come and go, byte for byte."""

from __future__ import annotations

import json
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
    "content", [b"{// mine\n}", b'{"a": 1, "a": 2}', b"[]", b"\xff", b'{"hooks": []}', b'{"hooks": {"Stop": {}}}']
)
def test_what_cannot_be_read_is_refused_and_left(tmp_path: Path, content: bytes) -> None:
    """Comments, a key that is there twice, hooks in another form: nothing is written."""
    settings = of(tmp_path, "claude")
    file = Path(settings.path)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert state_of(settings) == "unreadable"
    with pytest.raises(Refused):
        install(settings)
    assert file.read_bytes() == content and not Path(settings.kept).exists()
