"""Who somebody is, as git itself finds it: environment of the asker, ``git -c``, config."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from gitsessiond.model.errors import GitSessionError, Refused
from gitsessiond.store.git import run_git

PASSED_ON = re.compile(
    r"^(GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)"
    r"|GIT_CONFIG_(PARAMETERS|COUNT|KEY_\d+|VALUE_\d+|GLOBAL|SYSTEM|NOSYSTEM)"
    r"|EMAIL|HOME|XDG_CONFIG_HOME|TZ|SSH_AUTH_SOCK|GNUPGHOME|GPG_TTY|PATH)$"
)


# An empty value removes what git.py sets for children of our own: without it git finds the person's config.
NOT_OURS = {f"GIT_{role}_{what}": "" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


# The language of what git says is ours: it is read.
OF_HOOKS = re.compile(r"^(?!GIT_|LC_|LANG)")


def asker_env(env: Mapping[str, str]) -> dict[str, str]:
    """What of an asker's environment git children may see: identity, config, signing, and what hooks are run in.

    Who acts tells all of it (:mod:`gitsessiond.wire.requests`), and then nothing of ours is in it: a hook finds the
    tools and settings it finds beside a plain ``git commit``, the language apart. What would name files and
    repositories is never told.
    """
    told = {name: value for name, value in env.items() if PASSED_ON.match(name)}
    if "PATH" in env:
        ours = {name: "" for name in os.environ if OF_HOOKS.match(name)}
        told |= ours | {name: value for name, value in env.items() if OF_HOOKS.match(name)}
    return NOT_OURS | told


def identity_of(env: Mapping[str, str], cwd: str, who: str = "AUTHOR") -> str:
    """``Name <email>`` of the person who asks (git-var(1), GIT_AUTHOR_IDENT), for records, which are UTF-8.

    Raises:
        Refused: git knows no identity here; nothing was written.
    """
    chosen = env.get("GITSESSION_USER")
    if chosen:
        return os.fsencode(chosen).decode("utf-8", "replace")
    try:
        told = run_git(["var", f"GIT_{who}_IDENT"], cwd=cwd, env=asker_env(env)).out
    except GitSessionError as exc:
        raise Refused("git does not know who you are", hint="git config --global user.email you@example.org") from exc
    ident = told.decode("utf-8", "replace").strip()
    return ident[: ident.rfind(">") + 1]


def told_identity(env: Mapping[str, str], configured: Callable[[str], Sequence[str]]) -> str | None:
    """Who somebody says they are, without asking git: for lists, never for records.

    ``configured``: the values of a key in git's configuration.

    Raises:
        GitSessionError: git's configuration cannot be read.
    """
    if env.get("GITSESSION_USER"):
        return env["GITSESSION_USER"]
    given = given_config(env)
    name, email = (
        env.get(f"GIT_AUTHOR_{what.upper()}")
        or given.get(f"user.{what}")
        or next(reversed(configured(f"user.{what}")), "")
        for what in ("name", "email")
    )
    email = email or env.get("EMAIL", "")
    return (f"{name} <{email}>" if name else email) if email else None


def given_config(env: Mapping[str, str]) -> dict[str, str]:
    """What ``git -c`` and ``GIT_CONFIG_COUNT`` set, by key."""
    found: dict[str, str] = {}
    try:
        for word in shlex.split(env.get("GIT_CONFIG_PARAMETERS", "")):
            key, _, value = word.partition("=")
            found[key.lower()] = value
        for number in range(min(int(env.get("GIT_CONFIG_COUNT", 0)), 1000)):
            found[env.get(f"GIT_CONFIG_KEY_{number}", "").lower()] = env.get(f"GIT_CONFIG_VALUE_{number}", "")
    except ValueError:
        pass  # git itself will complain of it
    return found
