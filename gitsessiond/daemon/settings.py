"""What a person can set of front's behaviour (docs/protocol.md, "Settings of front"); read once, at start."""

from __future__ import annotations

from typing import NamedTuple

from gitsessiond.daemon.log import log
from gitsessiond.model.durations import seconds_of
from gitsessiond.store.config import Config
from gitsessiond.store.repository import Repository


class Settings(NamedTuple):
    """Times in seconds; 0 means never."""

    idle_exit_s: float = 3600.0
    scan_every_s: float = 900.0
    poll: bool = False
    control_files: bool = True


def read_settings(repository: Repository) -> Settings:
    """The settings; a mistyped one is logged and has its default."""
    config, default = Config(repository), Settings()
    return Settings(
        idle_exit_s=seconds(config, "gitsession.idleExit", default.idle_exit_s),
        scan_every_s=seconds(config, "gitsession.scanEvery", default.scan_every_s),
        poll=config.get("gitsession.watch") == "poll",
        control_files=config.get("gitsession.controlFiles") != "never",
    )


def seconds(config: Config, key: str, default: float) -> float:
    """A time such as ``90``, ``15m`` or ``1h``; ``0`` and ``never`` are 0."""
    value = (config.get(key) or "").strip()
    if not value:
        return default
    try:
        return seconds_of(value)
    except ValueError:
        log(f"{key} = {value!r} is no time; {default:g} s it is")
        return default
