"""Front as a process of its own over the fake recorder: ``fake_daemon.py COMMON_DIR NOTES SETTINGS WORKTREES...``."""

from __future__ import annotations

import json
import os
import sys

from gitsessiond.daemon.front import Front, Socket
from gitsessiond.daemon.listening import listen
from gitsessiond.daemon.process import leave_surroundings
from gitsessiond.daemon.recording import Command
from gitsessiond.daemon.settings import Coordinating, Settings
from gitsessiond.store.statelock import take_lock
from gitsessiond.wire.place import Place
from gitsessiond.wire.starting import make_state_dir

if __name__ == "__main__":
    common_dir, notes, settings, *worktrees = sys.argv[1:]
    leave_surroundings([])
    place = Place(common_dir)
    make_state_dir(place)
    lock = take_lock(place.state_dir, 30)
    door = Socket(*listen(place))
    fake = os.path.join(os.path.dirname(__file__), "fake_recorder.py")
    words = [sys.executable, fake, notes, *worktrees]
    wanted = json.loads(settings)
    git_says = {key: [value] for key, value in wanted.pop("git", {}).items()}
    coordinating = Coordinating(lambda key: git_says.get(key, ()), {})
    made = Settings(**wanted, coordinating=coordinating)
    front = Front(place, door, Command(lambda: words, lock.fileno()), made, "test")
    os.write(1, b"ready\n")
    front.run()
