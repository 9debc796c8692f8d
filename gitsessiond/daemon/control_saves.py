"""Saves of control files: found, read, and sorted into acts and refusals. Asks nobody."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from gitsessiond.daemon.control_acts import Wish, text_of, wishes_of
from gitsessiond.daemon.control_brought import AGAIN, WHY
from gitsessiond.daemon.control_dir import HOME, REFUSED, NoSave, Save
from gitsessiond.daemon.control_held import OF_A_PATCH, Act, Held, Message, is_patch_directory, is_writable
from gitsessiond.daemon.control_texts import ERRORS, PATCHES, README, REQUESTS, STATUS, shown_patches
from gitsessiond.model.errors import BadRequest, GitSessionError

AGAIN_S = 0.05  # until a file is looked at again of which nobody can tell whether it is whole
NEW_S = 0.3  # from a new directory to its patch: a description may come along

READ_ONLY = (b"ops", b"diff", README, STATUS)


def look_for_saves(held: Held, texts: Mapping[bytes, bytes], now: float) -> None:
    """Note the saves that nobody told of."""
    patches = held.view["status"]["patches"]
    names = shown_patches(patches, len(patches))
    for path in texts:
        if not held.files.is_ours(path) and held.files.dir.signature(path) is not None:
            held.touched.setdefault(path, now)
    for one in held.files.dir.names(PATCHES):
        path = PATCHES + b"/" + one.name + b"/"
        if one.is_directory and one.name not in names and is_patch_directory(path):
            held.touched.setdefault(path, now if moved_from(held, path) else now + NEW_S)
    for one in held.files.dir.names(REQUESTS):
        path = REQUESTS + b"/" + one.name
        if is_writable(path):
            held.touched.setdefault(path, now)


def take(held: Held, path: bytes, texts: Mapping[bytes, bytes], now: float) -> None:
    """Find out what one save wants; ``texts``: what the files are to hold."""
    now_at = path if path in texts or path == ERRORS else renamed_to(held, path)
    if now_at is None:
        take_directory(held, path, texts)
        return
    save = held.files.dir.read(path)
    if isinstance(save, NoSave):
        not_read(held, path, save, now)
    elif not held.files.is_ours(path):
        if held.brought.has(path) and not held.files.is_as_written(path, save):
            held.files.refuse(path, save, WHY, AGAIN)
            return
        if now_at != path:  # it is shown under the patch's name now, and goes here
            held.files.accept(path, save)
        take_save(held, now_at, save, texts)


def not_read(held: Held, path: bytes, why: NoSave, now: float) -> None:
    """There is no content to act on, or not yet."""
    if why.kind == "fresh":
        held.touched[path] = now + AGAIN_S
    elif why.kind == "busy":
        held.files.waiting.add(path)
    elif why.kind == "odd":
        held.files.refuse(path, why, why.why, f"rm -r {in_shell(path + REFUSED)}")


def in_shell(path: bytes) -> str:
    """A control file as an argument of a command typed at the top of the worktree."""
    return shlex.quote(os.fsdecode(HOME + b"/" + path))


def take_save(held: Held, path: bytes, save: Save, texts: Mapping[bytes, bytes]) -> None:
    """One file's new content."""
    if held.files.is_as_written(path, save):
        return
    name = os.path.basename(path)
    if path == ERRORS and not save.content.strip():
        held.files.forget_refused()
        held.files.accept(path, save)
    elif path == ERRORS:
        held.files.refuse(path, save, "errors is only read; saved empty it forgets what is in it", None)
    elif save.content == texts[path]:
        held.files.accept(path, save)
    elif name in READ_ONLY:
        held.files.refuse(path, save, f"{name.decode()} is only read", "git session -h")
    else:
        try:
            held.acts.append(Act(path, save, wishes_of(path, save.content, held.view)))
        except GitSessionError as exc:
            held.files.refuse(path, save, exc.message, exc.hint)


def take_directory(held: Held, path: bytes, texts: Mapping[bytes, bytes]) -> None:
    """A directory of ``patches/`` that is no patch's yet: a patch with another name now, or a new one."""
    parts = path.split(b"/")
    if len(parts) < 3 or (parts[2] and parts[2] not in OF_A_PATCH):
        return
    name, directory = parts[1], b"/".join(parts[:2]) + b"/"
    patches = held.view["status"]["patches"]
    inode = held.files.dir.inode(directory)
    if inode is None or name in shown_patches(patches, len(patches)):
        return
    if any(act.path == directory for act in held.acts) or held.files.was_ours(directory):
        return
    if any(patch["name"] == os.fsdecode(name) for patch in patches):  # it is shown under another that any system takes
        take_away(held, directory, texts)
        return
    if held.brought.has_in(directory):
        if held.files.dir.signature(directory.rstrip(b"/") + REFUSED) is None:
            held.files.refuse(directory, None, WHY, f"mkdir {in_shell(directory)}")
        return
    renamed = renamed_from(held, inode, directory)
    if renamed is not None:
        wish = Wish("patch.rename", {"patch": renamed, "name": os.fsdecode(name)})
        held.acts.append(Act(directory, None, [wish]))
        return
    said = held.files.dir.read(directory + b"description")
    args: Message = {"name": os.fsdecode(name)}
    try:
        if isinstance(said, Save):
            args["description"] = text_of(said.content).rstrip("\n")
        held.acts.append(Act(directory, None, [Wish("patch.new", args)]))
        held.files.accept_copied(directory)
    except BadRequest as exc:
        held.files.refuse(directory, None, exc.message, exc.hint)


def take_away(held: Held, directory: bytes, texts: Mapping[bytes, bytes]) -> None:
    """Remove a directory in which nothing is but the description that the patch of its name has."""
    path, name = directory + b"description", os.fsdecode(directory.split(b"/")[1])
    shown = shown_patches(held.view["status"]["patches"])
    wanted = [texts.get(PATCHES + b"/" + one + b"/description") for one in shown if shown[one]["name"] == name]
    said = held.files.dir.read(path)
    if isinstance(said, Save) and said.content.rstrip(b"\n") in [text.rstrip(b"\n") for text in wanted if text]:
        held.files.dir.remove(path, said.signature)
    held.files.dir.remove_directory(directory.rstrip(b"/"))


def renamed_from(held: Held, inode: int, directory: bytes) -> str | None:
    """The patch whose directory this was, and has no other; None: none. An inode alone may be a new directory's."""
    for name, patch in shown_patches(held.view["status"]["patches"]).items():
        before = PATCHES + b"/" + name + b"/"
        if held.places.get(patch["id"]) == inode and held.files.has_moved(before, directory):
            return str(patch["id"]) if held.files.dir.inode(before) is None else None
    return moved_from(held, directory)


def moved_from(held: Held, directory: bytes) -> str | None:
    """The patch whose directory this was when a former daemon wrote in it, and has no other; None: none, or several."""
    found = [
        str(patch["id"])
        for name, patch in shown_patches(held.view["status"]["patches"]).items()
        if held.files.dir.inode(PATCHES + b"/" + name) is None
        and held.files.has_former(PATCHES + b"/" + name + b"/", directory)
    ]
    return found[0] if len(found) == 1 else None


def renamed_to(held: Held, path: bytes) -> bytes | None:
    """Where a patch's file is shown now that was shown here until the patch was renamed by a command."""
    directory, name = os.path.split(path)
    if name not in OF_A_PATCH or not held.files.has_ours_in(directory + b"/"):
        return None
    inode = held.files.dir.inode(directory)
    for shown, patch in shown_patches(held.view["status"]["patches"]).items():
        if inode is not None and held.places.get(patch["id"]) == inode:
            return b"/".join([PATCHES, shown, name])
    return None
