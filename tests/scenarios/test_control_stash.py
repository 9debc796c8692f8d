"""`git stash -a` and the control files: it takes them along, `pop` brings them back, and neither is a wish."""

from __future__ import annotations

import pytest

from tests.bench import Workbench, wait_for
from tests.scenarios.test_control_files import begun, removed


@pytest.mark.soak
def test_what_a_stash_took_along_is_no_wish(bench: Workbench) -> None:
    """The files come back meanwhile, in the way of `pop`; removed they are not, and nothing is as it was then again."""
    hand = begun(bench)
    hand.new("one")
    bench.edit("a.txt", "line 2", "two")
    hand.until("patches/one/ops", "a.txt")
    bench.git("stash", "-u", "-q")
    assert hand.cat("STATUS")
    bench.git("stash", "pop", "-q")
    hand.until("patches/one/ops", "a.txt")
    bench.git("stash", "-a", "-q")
    hand.until("patches/one/status", "draft", why="to come back")
    bench.run("patch", "abandon", "one")
    hand.until("patches/one/status", "abandoned")
    removed(hand.home)
    bench.git("stash", "pop", "-q")
    hand.until("patches/one/status", "abandoned")
    wait_for(lambda: bench.read("a.txt").count("two") == 1)
    assert bench.patch("one")["status"] == "abandoned" and hand.cat("errors") == ""
    bench.judge(full=False)
