"""Names, ids and paths: what they may look like, and how they are spelled for people and in JSON.

Paths are ``bytes`` in memory, exactly as git holds them: from the worktree's root, ``/`` between parts. In JSON
and on the screen they are text as ``git ls-files`` prints them with ``core.quotePath=false``: as they are when
they are plain UTF-8, else in double quotes with C escapes. :func:`quote_path` and :func:`unquote_path` are each
other's inverse for every path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from gitsessiond.model.errors import BadRequest

ID_LETTERS = "klmnopqrstuvwxyz"  # sixteen letters, one for each half byte: an id never looks like a hex commit

_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
_NOT_PLAIN = re.compile(rb'[\0-\x1f"\\\x7f]')
_UNESCAPES = {letter: code for code, letter in _ESCAPES.items()}
_ID = re.compile(r"^[k-z]{12}$")
_ID_PREFIX = re.compile(r"^[k-z]{1,12}$")


def id_from(random: bytes) -> str:
    """Spell six random bytes as an id: 12 letters k to z. Randomness comes in from outside; model has none."""
    return "".join(ID_LETTERS[byte >> 4] + ID_LETTERS[byte & 15] for byte in random[:6])


def is_id(text: str) -> bool:
    """Whether ``text`` is a whole id."""
    return bool(_ID.match(text))


def is_id_prefix(text: str) -> bool:
    """Whether ``text`` can be the beginning of an id."""
    return bool(_ID_PREFIX.match(text))


def short_id(wanted: str, among: Iterable[str], least: int = 4) -> str:
    """The shortest prefix of ``wanted`` (at least ``least`` letters) that no other id of ``among`` begins with."""
    others = [other for other in among if other != wanted]
    for length in range(least, len(wanted)):
        if not any(other.startswith(wanted[:length]) for other in others):
            return wanted[:length]
    return wanted


def check_name(name: str, what: str = "name") -> str:
    """Return ``name`` if a session or patch may carry it.

    1 to 64 characters, no control characters, no leading ``-``, not only spaces, and encodable as UTF-8.

    Raises:
        BadRequest: it may not; the message says why.
    """
    if not name.strip():
        raise BadRequest(f"a {what} cannot be empty", hint=f"give a {what} of 1 to 64 characters")
    if len(name) > 64:
        raise BadRequest(f"{what} is {len(name)} characters long", hint="use at most 64 characters")
    if name.startswith("-"):
        raise BadRequest(f"{what} {name!r} begins with '-'", hint="begin it with a letter or digit")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise BadRequest(f"{what} {name!r} holds a control character", hint="use printable characters")
    return name


def name_key(name: str) -> str:
    """The form by which names are compared: without regard to case and to how accents are composed."""
    return unicodedata.normalize("NFC", name).casefold()


def slug_of(name: str) -> str:
    """The name as part of a branch or directory: runs outside ``[A-Za-z0-9._-]`` become one ``-``."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    slug = re.sub(r"\.{2,}", ".", slug)
    if slug.endswith(".lock"):
        slug = slug[: -len(".lock")] + "-lock"
    return slug or "session"


def within(path: bytes, place: bytes) -> bool:
    """Whether a path is a place or below it; the empty place, and ``.``, hold everything."""
    return place in (b"", b".") or path == place or path.startswith(place.rstrip(b"/") + b"/")


def quote_path(path: bytes) -> str:
    """Spell a path as git does with ``core.quotePath=false`` (git's quote.c: quote_c_style)."""
    try:
        text = path.decode("utf-8")
        plain = _NOT_PLAIN.search(path) is None
    except UnicodeDecodeError:
        text, plain = "", False
    if plain:
        return text
    return '"' + _escaped(path) + '"'


WILDCARDS = "*?["


def is_pattern(name: str) -> bool:
    """Whether a text has a wildcard that no backslash makes a letter."""
    plain = re.sub(r"\\.", "", name)
    return any(letter in plain for letter in WILDCARDS)


def literal(name: str) -> str:
    """A name as the pattern that means it and nothing else."""
    return re.sub(r"([*?\[\\])", r"\\\1", name)


def spoken(resource: str) -> str:
    """The name of what can be locked (docs/locks.md), as a person would say it: of a path only that."""
    whole = {"/": "everything", "path": "all files", "ref": "all refs", "ref/refs/heads": "all branches"}
    if resource == "/" or resource.removesuffix("/") in whole:
        return whole[resource.removesuffix("/") or "/"]
    told = resource.removeprefix("path/")
    told = "branch " + told.removeprefix("ref/refs/heads/") if told.startswith("ref/refs/heads/") else told
    told = "database " + told.removeprefix("db/") if told.startswith("db/") and told == resource else told
    return told if is_pattern(told) else re.sub(r"\\(.)", r"\1", told)


def escape_path(path: bytes) -> str:
    """The path in ASCII as git escapes it by default, without quotes: it begins as its directories do."""
    return "".join(
        one if ord(one) < 128 else "".join(f"\\{byte:03o}" for byte in one.encode()) for one in _escaped(path)
    )


def _escaped(path: bytes) -> str:
    """The inside of a quoted path; bytes that are not part of good UTF-8 become three octal digits."""
    out: list[str] = []
    for letter in path.decode("utf-8", "surrogateescape"):
        code = ord(letter)
        if code in _ESCAPES:
            out.append("\\" + _ESCAPES[code])
        elif code < 32 or code == 127:
            out.append(f"\\{code:03o}")
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\{code - 0xDC00:03o}")
        else:
            out.append(letter)
    return "".join(out)


def unquote_path(text: str) -> bytes:
    """The path that :func:`quote_path` spelled so.

    Raises:
        BadRequest: an opening quote without its end, or an unknown escape.
    """
    if not text.startswith('"'):
        return text.encode("utf-8", "surrogateescape")
    if len(text) < 2 or not text.endswith('"'):
        raise BadRequest(f"path {text!r} has no closing quote", hint="quote it as `git ls-files` prints it")
    out = bytearray()
    inside = iter(text[1:-1])
    for letter in inside:
        if letter != "\\":
            out += letter.encode("utf-8", "surrogateescape")
            continue
        after = next(inside, "")
        if after in _UNESCAPES:
            out.append(_UNESCAPES[after])
            continue
        digits = after + next(inside, "") + next(inside, "")
        if not re.fullmatch(r"[0-3][0-7]{2}", digits):
            raise BadRequest(f"path {text!r} has an unknown escape", hint="quote it as `git ls-files` prints it")
        out.append(int(digits, 8))
    return bytes(out)
