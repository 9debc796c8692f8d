"""Hooks of ours where the user's git looks for hooks, and away again without a trace.

In ``<common>/hooks`` ours take the place of the user's, which get another name beside them. Where ``core.hooksPath``
leads elsewhere (into the worktree, where files of ours would be committed, or to a directory of many repositories)
nothing there is touched: the setting leads to a directory of ours, whose hooks call those.
"""

from __future__ import annotations

import base64
import errno
import os
from typing import Any, NamedTuple

from gitsessiond.store.exclude import replace_file
from gitsessiond.store.git import run_git
from gitsessiond.store.hookplace import PATH, Place, found_at, note, read_hook, recorded
from gitsessiond.store.hookscripts import ALWAYS, OTHERS, OURS, WHERE_WANTED, script
from gitsessiond.store.layout import disk_errors

MANAGERS = {".legacy": "pre-commit", ".old": "lefthook"}  # how they rename a hook that they find
DRAFT = ".gitsession-"


class Taken(NamedTuple):
    """What went, what came back, and what a person should know."""

    removed: list[str]
    restored: list[str]
    warnings: list[str]


def install(place: Place, *, trailers: bool) -> list[str]:
    """Put our hooks in place, each in front of the one that is there; the names of those written.

    Raises:
        StoreFailed: the disk or git refused.
    """
    with disk_errors("the hooks cannot be installed"):
        names = [*ALWAYS, *([WHERE_WANTED] if trailers else [])]
        if place.is_usual:
            return install_beside(place, names)
        return install_before(place, names)


def install_beside(place: Place, names: list[str]) -> list[str]:
    """In the usual directory: the user's hook gets another name."""
    if not os.path.isdir(place.usual):
        os.makedirs(place.usual)
        note(place, {"made": True})
    sweep(place.usual)
    written = []
    for name in names:
        path = os.path.join(place.usual, name)
        there, own, kept = found_at(path), f"{name}.user", ""
        if there is None and os.path.lexists(path):
            if (chained_by(path) or ("", ""))[0]:
                continue  # it calls ours, which calls what was before
            kept = name_for(path, own)
            own = os.path.basename(kept)
        elif there is not None:
            own = there.own
            kept = "" if there.untouched else free_name(f"{path}.edited")
        written += [name] * put(path, script(name, own), kept)
    return written


def install_before(place: Place, names: list[str]) -> list[str]:
    """In a directory of ours, to which the setting is put; it calls those where the setting led before."""
    record = recorded(place)
    if not place.is_set_by_us:
        record |= {"former": place.set_to, "local": place.local is not None}
        note(place, record)
    former = str(record.get("former") or place.usual)
    directory = os.path.join(place.worktree, os.path.expanduser(former))
    more = [name for name in OTHERS + OURS if name not in names and os.access(os.path.join(directory, name), os.X_OK)]
    os.makedirs(place.ours, mode=0o700, exist_ok=True)
    sweep(place.ours)
    written = []
    for name in (*names, *more):
        path = os.path.join(place.ours, name)
        if found_at(path) is None and os.path.lexists(path):
            os.rename(path, free_name(f"{path}.edited"))
        text = script(name if name in names else "forward", f"{os.path.expanduser(former).rstrip('/')}/{name}")
        written += [name] * put(path, text)
    lead_to_ours(place, record)
    return written


def lead_to_ours(place: Place, record: dict[str, Any]) -> None:
    """Set ``core.hooksPath``, and remember the configuration as it was before the first time."""
    config = os.path.join(place.common_dir, "config")
    if place.is_ours:
        return
    now = base64.b64encode(read_hook(config) or b"").decode()
    if not place.is_set_by_us:
        record["before"] = now
    kept = record.get("before") if not place.is_set_by_us or record.get("after") == now else None
    note(place, {"ours": place.ours, "before": kept, "after": None})
    run_git(["config", "--local", PATH, place.ours], git_dir=place.common_dir)
    if kept is not None:
        note(place, {"after": base64.b64encode(read_hook(config) or b"").decode()})


def put(path: str, content: bytes, kept: str = "") -> bool:
    """Write a hook unless it is there, and leave what is there as ``kept``; whether it was written.

    At each moment git finds one of both: a hook that was to refuse must not be missing because the disk is full.
    """
    if not os.path.islink(path) and read_hook(path) == content and os.access(path, os.X_OK):
        return False
    draft = f"{path}{DRAFT}{os.getpid()}"
    try:
        with open(draft, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o755)
        if kept:
            name_also(path, kept)
        os.replace(draft, path)
    except OSError:
        if os.path.lexists(draft):
            os.unlink(draft)
        raise
    return True


def name_also(path: str, other: str) -> None:
    """Give a file another name beside the one it has; it loses that one where the disk knows no two names of a file."""
    try:
        if not is_same_file(path, other):
            os.link(path, other, follow_symlinks=False)
    except OSError as why:
        if why.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        os.rename(path, other)


def is_same_file(one: str, other: str) -> bool:
    """Whether both are names of one file, links themselves and not what they lead to."""
    return os.path.lexists(one) and os.path.lexists(other) and os.path.samestat(os.lstat(one), os.lstat(other))


def name_for(path: str, own: str) -> str:
    """Where the hook at a path is to stay; it may already have that name from a time that was cut short."""
    wanted = os.path.join(os.path.dirname(path), own)
    return wanted if is_same_file(path, wanted) else free_name(wanted)


def sweep(directory: str) -> None:
    """Remove drafts of ours whose writer was killed."""
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        hook, _, writer = name.partition(DRAFT)
        if hook in OURS + OTHERS and writer.isdigit():
            os.unlink(os.path.join(directory, name))


def free_name(path: str) -> str:
    """The path, or with the first number behind it that nothing has."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = f"{path}{number}"
    return free


def chained_by(path: str) -> tuple[str, str] | None:
    """The manager that put its own hook in the place of ours and calls it, or only keeps it, and where that is now."""
    for suffix, manager in MANAGERS.items():
        if found_at(path + suffix) is not None:
            return manager if suffix == ".legacy" else "", path + suffix
    return None


def uninstall(place: Place) -> Taken:
    """Take our hooks away and put back what was there, as it is by now.

    Raises:
        StoreFailed: the disk or git refused.
    """
    done = Taken([], [], [])
    record = recorded(place)
    with disk_errors("the hooks cannot be taken away"):
        if "former" in record or place.is_set_by_us:
            put_setting_back(place, record, done)
            empty(place, done)
        sweep(place.usual)
        for name in OURS:
            take_away(os.path.join(place.usual, name), done)
        if record.get("made"):
            remove_if_empty(place.usual)
        if os.path.exists(place.record):
            os.unlink(place.record)
        remove_if_empty(os.path.dirname(place.record))
    return done


def put_setting_back(place: Place, record: dict[str, Any], done: Taken) -> None:
    """``core.hooksPath`` as it was, the configuration to the byte if nothing else in it has changed."""
    if not place.is_set_by_us:
        return  # somebody has led it elsewhere meanwhile, and means it
    config = os.path.join(place.common_dir, "config")
    if record.get("after") and base64.b64decode(record["after"]) == read_hook(config):
        replace_file(config, base64.b64decode(record["before"]))
    elif record.get("local"):
        run_git(["config", "--local", PATH, str(record["former"])], git_dir=place.common_dir)
    else:
        run_git(["config", "--local", "--unset", PATH], git_dir=place.common_dir)
    done.restored.append(f"{PATH} = {record['former']}" if record.get("former") else f"no {PATH}")


def empty(place: Place, done: Taken) -> None:
    """Remove our own directory of hooks; what somebody else has put there is kept beside the usual ones."""
    for name in sorted(os.listdir(place.ours)) if os.path.isdir(place.ours) else []:
        path = os.path.join(place.ours, name)
        there = found_at(path)
        if there is not None and there.untouched:
            os.unlink(path)
            done.removed.append(path)
            continue
        os.makedirs(place.usual, exist_ok=True)
        kept = free_name(os.path.join(place.usual, f"{name}.kept"))
        os.rename(path, kept)
        done.warnings.append(f"{name} was not as we wrote it; it is kept as {kept}")
    remove_if_empty(place.ours)


def take_away(path: str, done: Taken) -> None:
    """One hook of the usual directory, wherever a manager may have moved it."""
    places = (path, *(path + suffix for suffix in MANAGERS))
    user = f"{path}.user"
    if os.path.lexists(user) and not any(map(found_at, places)):
        if is_same_file(path, user):
            os.unlink(user)  # installing was cut short
        else:
            done.warnings.append(f"{user} was there before ours, which somebody has replaced; it stays")
    for at in places:
        there = found_at(at)
        if there is None:
            continue
        if not there.untouched:
            kept = free_name(f"{path}.edited")
            name_also(at, kept)
            done.warnings.append(f"{os.path.basename(path)} was edited; it is kept as {kept}")
        own = os.path.join(os.path.dirname(path), there.own)
        if "/" in there.own or not os.path.lexists(own):
            remove_if_there(at)
        elif at != path and is_same_hook(own, path):
            remove_if_there(at)
            os.unlink(own)  # the manager's own hook, from when it was installed before
        else:
            os.replace(own, at)
            done.restored.append(at)
        if there.untouched:
            done.removed.append(at)


def remove_if_there(path: str) -> None:
    """Remove a file that may have lost its name already."""
    if os.path.lexists(path):
        os.unlink(path)


def is_same_hook(one: str, other: str) -> bool:
    """Whether both are the same, or both pre-commit's, which must not be called as older than itself."""
    contents = [read_hook(path) or b"" for path in (one, other)]
    return contents[0] == contents[1] or all(b"File generated by pre-commit" in text for text in contents)


def remove_if_empty(directory: str) -> None:
    """Remove a directory unless something is in it."""
    try:
        os.rmdir(directory)
    except OSError:
        pass  # something is, or it is gone
