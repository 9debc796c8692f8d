"""The console scripts: an interrupt ends them as documented from their first import on."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from gitsessiond import entry


class Interrupted(ModuleType):
    """A module during whose import somebody presses Ctrl-C."""

    def __getattr__(self, name: str) -> object:
        raise KeyboardInterrupt


@pytest.mark.parametrize("script", [entry.cli, entry.daemon])
def test_ctrl_c_among_the_imports_is_no_traceback(
    script: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 130 without a word."""
    monkeypatch.setitem(sys.modules, "gitsessiond.main", Interrupted("gitsessiond.main"))
    assert callable(script)
    with pytest.raises(SystemExit) as ended:
        script()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")
