"""What ``git -c KEY=VALUE`` set for one command, seen above the configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from gitsessiond.model.errors import Refused
from gitsessiond.store.config import Config, canonical_key
from gitsessiond.store.git import run_git
from gitsessiond.store.repository import Repository

PASSED = re.compile(r"^GIT_CONFIG_(PARAMETERS|COUNT|KEY_\d+|VALUE_\d+)$")

# What decides how files merge is asked many times and by nobody's command: predictions, dependencies, landings
# must agree. Other keys below ``merge.`` are about git's own command, or set by us (store/merge.py).
HOW_FILES_MERGE = re.compile(r"^(merge\.(renames|renormalize|default|.+\..+)|diff\.renames|core\.attributesfile)$")


class CommandConfig(Config):
    """A configuration with the settings of one command on top."""

    def __init__(self, repository: Repository, below: Config, told: Mapping[str, list[str]]) -> None:
        super().__init__(repository)
        self._below, self._told = below, told

    def all(self, key: str) -> list[str]:
        """Every value of a key, the command's own last."""
        return self._below.all(key) + self._told.get(canonical_key(key), [])

    def keys(self, prefix: str) -> list[str]:
        """The keys that are set and begin with ``prefix``."""
        own = [key for key in self._told if key.startswith(prefix)]
        return list(dict.fromkeys([*self._below.keys(prefix), *own]))

    def refresh(self) -> bool:
        """Read what is below again if it changed."""
        read = self._below.refresh()
        self.version = self._below.version
        return read


def config_told(repository: Repository, config: Config, env: Mapping[str, str]) -> Config:
    """The configuration as the asker's git has it: ``config`` itself unless their command line sets something.

    Raises:
        Refused: it sets how files merge, or git cannot read it.
    """
    given = {name: value for name, value in env.items() if PASSED.match(name)}
    if not given:
        return config
    words = ["config", "--list", "--show-scope", "-z"]
    listed = run_git(words, git_dir=repository.common_dir, env=given, check=False)
    if listed.code != 0:
        raise Refused(f"git cannot read its own command line: {listed.words()}", hint="see `git help git`, -c")
    told: dict[str, list[str]] = {}
    fields = os.fsdecode(listed.out).split("\0")
    for scope, setting in zip(fields[::2], fields[1::2], strict=False):
        if scope == "command":
            key, has_value, value = setting.partition("\n")
            told.setdefault(key, []).append(value if has_value else "true")
    for key in told:
        if HOW_FILES_MERGE.match(key):
            raise Refused(f"{key} cannot be set for one merge by `git -c`", hint=f"git config {key} {told[key][-1]}")
    return CommandConfig(repository, config, told)
