"""What lies in ``.gitsession/`` and is nobody's wish: left from before the session began."""

from __future__ import annotations

import os
from datetime import datetime

from gitsessiond.daemon.control_brought import BROUGHT
from gitsessiond.daemon.control_dir import REFUSED, NoSave, Save
from gitsessiond.daemon.control_held import Held
from gitsessiond.daemon.control_texts import REQUESTS, STATUS
from gitsessiond.model.errors import GitSessionError

WHY, AGAIN = "it was saved before the session was started", "save it again"


def refuse_former(held: Held) -> None:
    """Of the saves that were found at first, refuse those that are older than the session; to be asked once."""
    began = datetime.fromisoformat(held.view["status"]["session"]["created_at"]).timestamp()
    for path in sorted(held.touched):
        changed = held.files.dir.changed_at(path)
        if changed is None or changed >= began or held.files.was_ours(path):
            continue
        if path.endswith(b"/"):
            refuse_directory(held, path)
        elif path.startswith(REQUESTS + b"/"):
            held.files.refuse(path, NoSave("odd", WHY), WHY, AGAIN)
        else:
            save = held.files.dir.read(path)
            if not isinstance(save, Save) or held.files.is_as_written(path, save):
                continue
            held.files.refuse(path, save, WHY, AGAIN)
        del held.touched[path]


def refuse_directory(held: Held, path: bytes) -> None:
    """What would be a new patch's directory; an empty one goes, another stays and is told of once."""
    if held.files.dir.signature(path.rstrip(b"/") + REFUSED) is None:
        held.files.refuse(path, None, WHY, f"mkdir .gitsession/{os.fsdecode(path)}")
    held.files.dir.remove_directory(path.rstrip(b"/"))


def leave_tracked(held: Held) -> None:
    """Git tracks some of what is there, and all of it is left alone: what was saved there is not asked for."""
    held.files.tell(f"git tracks what is in {held.worktree}/.gitsession: all of it is left alone")
    own = held.view["tracked_own"]
    held.brought.note(keep=os.fsdecode(BROUGHT) not in own)
    if os.fsdecode(STATUS) not in own:
        why = "git tracks files in .gitsession/, so all of it is left alone: git rm -r --cached .gitsession"
        held.files.lapse(GitSessionError(why))
    held.touched.clear()
