"""Merge commits as ``git commit-tree`` makes them: by git, and without it once git has said who the person is.

Names and addresses come out of the environment, many config files, the password file and the host's name, and git
cleans them up. So git makes the first commit of a person, and what it wrote there is remembered for as long as
nothing changes that it could have come from. Where that cannot be told, git makes every commit.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Hashable, Mapping
from typing import NamedTuple

from gitsessiond.model.commits import CommitFacts, commit_data, parse_commit
from gitsessiond.model.errors import Refused, StateUnreadable, StoreFailed
from gitsessiond.store.config import Config
from gitsessiond.store.git import refused_by_surroundings, run_git
from gitsessiond.store.identity import PASSED_ON, asker_env
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.outlasting import TAKEN, TAKEN_TIMES

SIGNING = "git config --show-origin --get-regexp 'signingKey|gpg'"  # what git signs with, and who says so
ROLES, FACTS = ("AUTHOR", "COMMITTER"), ("NAME", "EMAIL")
SURROUNDINGS = ("HOME", "XDG_CONFIG_HOME", "TZ")  # where config lies and what the time is
# What Python takes for UTF-8 and git (commit.c, find_invalid_utf8) does not; and NUL, which commit-tree refuses.
NOT_CHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
NOT_FOR_US = re.compile(f"[\0\ufdd0-\ufdef{NOT_CHARACTERS}]")


class Persons(NamedTuple):
    """Who a commit is by, as git wrote it: ``Name <email>`` each."""

    author: bytes
    committer: bytes


class Asker(NamedTuple):
    """Who asks for a commit, and where their git runs."""

    env: Mapping[str, str]
    cwd: str
    tty: str | None = None


class Committer:
    """Makes merge commits, and remembers who made the last ones."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: dict[Hashable, Persons] = {}

    def make(
        self, layer: LandingLayer, tree: str, parents: tuple[str, ...], message: bytes, asker: Asker
    ) -> CommitFacts:
        """A commit of the asker and all it reaches, durably in the repository; signed when their git signs.

        Raises:
            Refused: git knows no identity, or could not sign.
            StoreFailed: the disk refused.
        """
        sign = signs(self._config, asker)
        key = None if sign or not plain_text(message) else self._key(asker)
        persons = self._known.get(key) if key is not None else None
        if persons is not None:
            stamp = now_stamp()
            facts = CommitFacts("", tree, parents, persons.author + stamp, persons.committer + stamp, message)
            oid = layer.put("commit", commit_data(facts))
            layer.to_repository([oid])
            return facts._replace(oid=oid)
        facts = made_by_git(layer, tree, parents, message, asker, sign=sign)
        if key is not None:
            self._known = {key: Persons(person_of(facts.author), person_of(facts.committer))}
        return facts

    def _key(self, asker: Asker) -> Hashable | None:
        """All that git makes names and times of; None: too much could change them unseen."""
        env = {name: value for name, value in asker.env.items() if PASSED_ON.match(name) and value}
        # fewer of the files that we watch do no harm; other files, settings and dates do
        as_ours = {name: os.environ.get(name) for name in SURROUNDINGS}
        as_ours["GIT_CONFIG_GLOBAL"] = os.path.expanduser("~/.gitconfig")
        told = [name for name in env if name.startswith("GIT_CONFIG_") or name in as_ours or name.endswith("_DATE")]
        if any(env[name] != as_ours.get(name) for name in told if name != "GIT_CONFIG_NOSYSTEM"):
            return None
        if self._config.keys("includeif.") or self._config.flag("extensions.worktreeConfig"):
            return None
        for what in FACTS:
            given = all(f"GIT_{role}_{what}" in env for role in ROLES)
            if not given and self._config.get(f"user.{what.lower()}") is None:
                return None  # from the password file and the host's name
        named = [env.get(f"GIT_{role}_{what}") for role in ROLES for what in FACTS]
        return (
            self._config.version,
            *named,
            *(env.get(name) for name in ("EMAIL", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")),
        )


def signs(config: Config, asker: Asker) -> bool:
    """Whether the asker's git signs commits; what their command line says of it wins over the files."""
    if any(name.startswith("GIT_CONFIG_") for name in asker.env):
        words = ["config", "--type=bool", "--default=false", "commit.gpgSign"]
        return run_git(words, cwd=asker.cwd, env=asker_env(asker.env), check=False).out.strip() == b"true"
    return config.flag("commit.gpgSign")


def made_by_git(
    layer: LandingLayer, tree: str, parents: tuple[str, ...], message: bytes, asker: Asker, *, sign: bool
) -> CommitFacts:
    """A commit of the asker's git, also beside a gc that takes the tree, the commit or the file git writes it to."""
    for left in reversed(range(TAKEN_TIMES)):
        layer.to_repository([tree])
        try:
            oid = commit_tree(tree, parents, message, asker, sign=sign)
            data = layer.read(oid).data
            break
        except (StoreFailed, StateUnreadable) as exc:
            if not left or exc.hint == SIGNING:  # nobody is asked for a passphrase twice
                raise
    layer.put("commit", data)
    return parse_commit(oid, data)


def commit_tree(tree: str, parents: tuple[str, ...], message: bytes, asker: Asker, *, sign: bool) -> str:
    """Let the asker's git make the commit; raises as :meth:`Committer.make`."""
    said = [word for parent in parents for word in ("-p", parent)]
    told = run_git(
        [
            *("-c", "core.fsync=all", "-c", "i18n.commitEncoding=UTF-8", "commit-tree"),
            *(["-S"] if sign else []), *said, "-F", "-", tree,
        ],
        cwd=asker.cwd,
        input=message,
        env={**asker_env(asker.env), "GPG_TTY": asker.tty or ""},
        check=False,
        timeout=None,  # signing may ask for a passphrase
    )  # fmt: skip
    if told.code != 0:
        what = "git did not make the commit"
        at_fault = refused_by_surroundings(what, told.words())
        if at_fault is None and TAKEN.search(told.words()):
            at_fault = StoreFailed(f"{what}: {told.words()}", hint="run the command again")
        if at_fault is None and sign:
            at_fault = StoreFailed(f"{what}: {told.words()}", hint=SIGNING)
        raise at_fault or Refused(f"{what}: {told.words()}", hint="git config user.email")
    return told.out.decode("ascii").strip()


def plain_text(message: bytes) -> bool:
    """Whether git takes a message as it is (commit.c, verify_utf8)."""
    try:
        return NOT_FOR_US.search(message.decode("utf-8")) is None
    except UnicodeDecodeError:
        return False


def person_of(line: bytes) -> bytes:
    """``Name <email>`` of an author or committer line."""
    return line[: line.rfind(b">") + 1]


def now_stamp() -> bytes:
    """The end of an author line: seconds and zone (date.c, datestamp)."""
    time.tzset()  # /etc/localtime may be another one than it was
    now = int(time.time())
    minutes = time.localtime(now).tm_gmtoff // 60
    hours, rest = divmod(abs(minutes), 60)
    return b" %d %c%02d%02d" % (now, b"-"[0] if minutes < 0 else b"+"[0], hours, rest)
