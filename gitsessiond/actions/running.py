"""Shell commands of agents that run now: what nobody claims and changes meanwhile is nobody's.

Unlike calls they outlive the recorder: whoever starts meanwhile knows of them too.
"""

from __future__ import annotations

from datetime import timedelta

from gitsessiond.actions.calls import MOST_CALLS
from gitsessiond.actions.context import Context, Live
from gitsessiond.store.processes import is_gone
from gitsessiond.store.running import Running, read_running, running_file, write_running

LONGEST = timedelta(minutes=15)  # that a command runs; agents end theirs before, and may not tell
SHELL = "~shell"  # the owner of an edit that nobody claims, made while one ran


def running_in(ctx: Context, live: Live) -> dict[str, Running]:
    """The commands that run in a session, by agent and call."""
    if live.running is None:
        live.running = read_running(running_file(ctx.repository.state_dir, live.sid))
    return live.running


def set_running(ctx: Context, live: Live, running: dict[str, Running]) -> None:
    """Note which run now; those that never ended are forgotten, and the oldest of too many."""
    lasting = [key for key, one in running.items() if may_run(ctx, one)][-MOST_CALLS:]
    running = {key: running[key] for key in lasting}
    if running != running_in(ctx, live):
        live.running = running
        write_running(running_file(ctx.repository.state_dir, live.sid), running)


def may_run(ctx: Context, one: Running) -> bool:
    """Whether it began so lately that it may still run; a time to come is none."""
    return abs(ctx.now() - one.begun) < LONGEST


def label_beside(ctx: Context, live: Live) -> str | None:
    """The owner of an edit that nobody claims; None: no agent is at work that could have made it."""
    for one in running_in(ctx, live).values():
        if may_run(ctx, one) and not is_gone(one.pid, one.started):
            return SHELL
    return None
