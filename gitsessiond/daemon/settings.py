"""What a person can set of front's behaviour (docs/protocol.md, "Settings of front").

Read once, at start; but those of clients and locks whenever they are needed, since they may come with a request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from gitsessiond.daemon.log import log
from gitsessiond.model.durations import seconds_of
from gitsessiond.model.errors import BadRequest, GitSessionError
from gitsessiond.model.settings import (
    COORDINATION,
    MAX_CONNECTIONS,
    Coordination,
    Value,
    coordination,
    default_of,
    find,
)
from gitsessiond.store.config import Config
from gitsessiond.store.repository import Repository


class Coordinating:
    """The settings of clients and locks, as they are now.

    ``configured``: the values of a key in git's configuration. ``env``: the daemon's own, the last to be asked.
    """

    def __init__(
        self, configured: Callable[[str], Sequence[str]] = lambda key: (), env: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._configured_in_git, self._env = configured, env
        self._told: set[str] = set()

    def now(self) -> Coordination:
        """For nobody in particular; a bad value is logged once and has its default."""
        return coordination([self._settled(number) for number in range(len(COORDINATION))])

    def lasting(self) -> float:
        """For how many seconds a lock is given where nobody says."""
        return self.now().ttl_s

    def asked_by(self, who: Mapping[str, object]) -> Coordination:
        """For whoever asks: of the environment, theirs counts before the daemon's.

        Raises:
            BadRequest: a value of theirs, or in git's configuration, means nothing.
        """
        theirs = who.get("env")
        env = {name: str(value) for name, value in theirs.items()} if isinstance(theirs, dict) else {}
        values: list[Value] = []
        for number, setting in enumerate(COORDINATION):
            theirs_too = setting is not MAX_CONNECTIONS  # that one is the daemon's
            found = find(setting, self._configured(setting.key), env) if theirs_too else default_of(setting)
            values.append(self._settled(number) if found.origin == "default" else found.value)
        return coordination(values)

    def _settled(self, number: int) -> Value:
        """A value that is good in any case."""
        setting = COORDINATION[number]
        try:
            return find(setting, self._configured(setting.key), self._env).value
        except BadRequest as wrong:
            if wrong.message not in self._told:
                self._told.add(wrong.message)
                log(f"{wrong.message}; {setting.default} it is")
            return default_of(setting).value

    def _configured(self, key: str) -> Sequence[str]:
        """What git's configuration says now; one that cannot be read says nothing."""
        try:
            return self._configured_in_git(key)
        except GitSessionError as wrong:
            if wrong.message not in self._told:
                self._told.add(wrong.message)
                log(f"git's configuration: {wrong.message}")
            return ()


class Settings(NamedTuple):
    """Times in seconds; 0 means never."""

    idle_exit_s: float = 3600.0
    scan_every_s: float = 900.0
    poll: bool = False
    control_files: bool = True
    coordinating: Coordinating = Coordinating()
    configured: Callable[[str], Sequence[str]] = lambda key: ()  # git's configuration as it is now: values by key


def read_settings(repository: Repository) -> Settings:
    """The settings; a mistyped one is logged and has its default."""
    config, default = Config(repository), Settings()
    return Settings(
        idle_exit_s=seconds(config, "gitsession.idleExit", default.idle_exit_s),
        scan_every_s=seconds(config, "gitsession.scanEvery", default.scan_every_s),
        poll=config.get("gitsession.watch") == "poll",
        control_files=config.get("gitsession.controlFiles") != "never",
        coordinating=Coordinating(config.all, os.environ),
        configured=config.all,
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
