"""Where the repository was when its daemon started, and whether it still is: whoever removes it is to find no more."""

from __future__ import annotations

import os
import time

from gitsessiond.wire.place import Place, identity

COOKIES = "cookies"  # the directory of ours that is there as long as the daemon is
GOING_S = 2.0  # from the end of the socket to that of all that is beside it, if that is being removed
LOOK_S = 0.01


class Here:
    """The place of one repository."""

    def __init__(self, place: Place) -> None:
        self._place, self._identity = place, identity(place.common_dir)
        self.cookies = os.path.join(place.state_dir, COOKIES)

    def is_there(self) -> bool:
        """Whether the repository is where it was."""
        try:
            return identity(self._place.common_dir) == self._identity and os.path.isdir(self._place.state_dir)
        except OSError:
            return False

    def is_going(self) -> bool:
        """Whether the repository, or our directory in it, is being removed; looked at for a while."""
        until = time.monotonic() + GOING_S
        while self.is_there() and os.path.isdir(self.cookies):
            if time.monotonic() > until:
                return False
            time.sleep(LOOK_S)
        return True
