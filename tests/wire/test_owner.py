"""What is kept of a repository is one user's: nobody else is served there, and nothing that others put there is used."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from gitsessiond.model.errors import Refused
from gitsessiond.wire import owner
from gitsessiond.wire.owner import refuse_anothers
from gitsessiond.wire.place import find_place
from gitsessiond.wire.starting import make_state_dir

ASK = """
import json, os, sys
from gitsessiond.model.errors import GitSessionError
from gitsessiond.wire.client import Client
where, uid, autostart = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "start"
os.setgroups([]); os.setgid(uid); os.setuid(uid)
client = Client(where, autostart=autostart)
for ask in (lambda: client.call("ping", {}), client.log_path):
    try:
        print(ask())
    except GitSessionError as error:
        print(json.dumps(error.as_dict()))
"""
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def test_whose_it_is(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is nobody's; another's is refused with what to do, but where a disk says one owner of all there is."""
    place, us = find_place(str(shared)), os.geteuid()
    refuse_anothers(place.state_dir)
    make_state_dir(place)
    refuse_anothers(place.state_dir)
    monkeypatch.setattr(os, "geteuid", lambda: us + 4711)
    refuse_anothers(place.state_dir)  # what is made here now has the same owner
    assert os.listdir(place.state_dir) == ["logs"]
    monkeypatch.setattr(owner, "is_of_every_file", lambda *_: False)
    monkeypatch.setattr(owner, "ROOT", us + 1)
    with pytest.raises(Refused, match=f"belongs to {owner.name_of(us)} in") as refused:
        make_state_dir(place)
    assert refused.value.hint == f"git clone '{place.common_dir}' DIR"
    monkeypatch.setattr(owner, "ROOT", us)  # begun with sudo
    with pytest.raises(Refused) as refused:
        make_state_dir(place)
    assert refused.value.hint == f"sudo chown -R {us + 4711} '{place.state_dir}'"
    monkeypatch.setattr(owner, "ROOT", us + 4711)
    with pytest.raises(Refused) as refused:
        make_state_dir(place)
    assert refused.value.hint == f"sudo -u {owner.name_of(us)} git session"


def test_it_is_closed_to_others_again(shared: Path) -> None:
    """Whoever opens .git to a group has not meant what is recorded there."""
    place = find_place(str(shared))
    make_state_dir(place)
    os.chmod(place.state_dir, 0o2775)
    make_state_dir(place)
    assert os.stat(place.state_dir).st_mode & 0o7777 == 0o2700


@ROOT_ONLY
@pytest.mark.parametrize("autostart", ["start", "look"])
def test_another_user_is_told_whose_it_is(shared: Path, autostart: str) -> None:
    """Whether a daemon runs or not, one plain error; and what is kept stays as it was."""
    place, other = find_place(str(shared)), pwd.getpwnam("nobody").pw_uid
    make_state_dir(place)
    argv = [sys.executable, "-I", "-c", ASK, str(shared), str(other), autostart]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    for told in map(json.loads, done.stdout.splitlines()):
        assert told["code"] == "refused" and told["exit"] == 4, told
        assert told["message"] == "git session belongs to root in this repository, and serves nobody else there"
    assert [(one.name, one.stat().st_uid) for one in os.scandir(place.state_dir)] == [("logs", 0)]


@ROOT_ONLY
@pytest.mark.parametrize("how", ["directory", "link"])
def test_what_another_put_there_is_not_used(shared: Path, tmp_path: Path, how: str) -> None:
    """A directory, open to all and for all to read, or a link to somewhere of ours."""
    place, other = find_place(str(shared)), pwd.getpwnam("nobody").pw_uid
    if how == "link":
        os.symlink(tmp_path, place.state_dir)
    else:
        os.mkdir(place.state_dir)
        os.chmod(place.state_dir, 0o777)
    os.chown(place.state_dir, other, other, follow_symlinks=False)
    with pytest.raises(Refused, match="belongs to nobody in"):
        make_state_dir(place)
    assert not os.listdir(place.state_dir)
    if how == "link":
        os.chown(place.state_dir, 0, 0, follow_symlinks=False)  # somebody has moved it to another disk
        make_state_dir(place)
