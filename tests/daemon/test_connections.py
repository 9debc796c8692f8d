"""Connections where the system has no descriptor left for one."""

from __future__ import annotations

import errno
import selectors
import socket
from pathlib import Path
from typing import Any

from gitsessiond.daemon import clients
from gitsessiond.daemon.clients import Clients
from gitsessiond.daemon.link import Frame, Link
from gitsessiond.wire.frames import encode


class Listener(socket.socket):
    """Has no descriptor for whoever connects while it is ``full``."""

    full = False

    def accept(self) -> tuple[socket.socket, Any]:
        if self.full:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_connections_are_taken_again_though_nobody_leaves(tmp_path: Path) -> None:
    """They wait for that while there is no descriptor, and the loop does not spin."""
    with Listener(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        listener.setblocking(False)
        select = selectors.DefaultSelector()
        taken = Clients(select, listener, lambda link, frame: True, lambda link: None)
        listener.full = True
        caller.connect(str(tmp_path / "s"))

        def turn() -> None:
            for key, mask in select.select(0):
                key.data(mask)

        turn()
        assert not select.get_map() and len(taken) == 0
        due = taken.next_look()
        assert due is not None
        taken.tick(due - clients.DEAF_S / 2)
        assert not select.get_map()
        taken.tick(due)
        turn()
        assert taken.next_look() is not None  # there was still none
        listener.full = False
        taken.tick(due + 60)
        turn()
        assert len(taken) == 1 and taken.next_look() is None
        taken.close()


def test_what_was_asked_before_one_left_is_for_nobody(tmp_path: Path) -> None:
    """All of it came at once, and the first reply found nobody."""
    with Listener(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        listener.setblocking(False)
        select, heard, left = selectors.DefaultSelector(), list[Any](), list[Link]()

        def hear(link: Link, frame: Frame) -> bool:
            heard.append(frame)
            taken.send(link, {"id": 1, "ok": {}})
            return True

        taken = Clients(select, listener, hear, left.append)
        caller.connect(str(tmp_path / "s"))
        caller.sendall(encode({"id": 1}) + encode({"id": 2}))
        caller.close()
        for _ in range(2):
            for key, mask in select.select(0):
                key.data(mask)
        assert [frame["id"] for frame in heard] == [1] and len(left) == 1 and len(taken) == 0
        taken.take_no_more()
