"""What can be locked: names as text, the node of the tree that each means, and whether two cover a common path.

One tree: ``/`` over ``path/...``, ``ref/...``, ``db/...`` and ``git/{config,worktrees,index@WORKTREE}``. A name covers
what it names and everything below; a pattern the paths that match it, and what is below only if it ends in ``/``.
``*``, ``?``, ``[...]`` and ``**`` mean what they do in git's ``:(glob)`` patterns, and a backslash takes that meaning
from them. Names are only names: nothing is looked up, so no link leads anywhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from gitsessiond.model.errors import BadRequest
from gitsessiond.model.names import is_pattern, literal

LONGEST, LONGEST_PART, LONGEST_GLOB = 4096, 255, 256
KINDS = ("path", "ref", "db", "git")
GIT_PARTS = ("config", "worktrees")
INDEX = "index@"
HIGHEST = 0x10FFFF
HINT = "name it as path/..., ref/..., db/..., git/config, git/worktrees, git/index@WORKTREE or /"

Range = tuple[int, int]
Token = tuple[Range, ...] | None
"""One letter of a pattern as the code points it may be; None: any number of letters."""
Part = tuple[Token, ...] | None
"""One part of a path; None: any number of parts (``**``)."""
ANY_LETTER: Token = ((0, HIGHEST),)


class Resource(NamedTuple):
    """A name that may be locked. ``node``: the parts before the first with a wildcard; ``rest``: those from there on.

    ``deep``: patterns are asked whether they match something below it, too. A name that does not say it is a directory
    is one file to those that do not begin with it, or ``**/*.md`` and ``a.py`` would be in each other's way.
    """

    name: str
    key: str  # the same for every spelling of the same name
    node: tuple[str, ...]
    rest: tuple[Part, ...]
    deep: bool
    folded: bool  # whether its key and its node are without regard to case


def resource(name: object, *, fold: bool = False) -> Resource:
    """The resource of a name; ``fold``: upper and lower case are the same, as ``core.ignoreCase`` has it.

    Raises:
        BadRequest: it names nothing.
    """
    if not isinstance(name, str):
        raise BadRequest("a resource is named by text", hint=HINT)
    if len(name) > LONGEST:
        raise BadRequest(f"a name of {len(name):,} characters is too long", hint=f"{LONGEST:,} are the most")
    return _resource(name, fold)


def name_of_path(path: bytes) -> str | None:
    """The name of a file; None: it is no text, or one that no lock has."""
    try:
        return resource("path/" + literal(path.decode())).name
    except (UnicodeDecodeError, BadRequest):
        return None


@lru_cache(maxsize=4096)
def _resource(name: str, fold: bool) -> Resource:
    if name == "/":
        return Resource("/", "/", (), (), True, fold)
    text = unicodedata.normalize("NFC", name)
    _check_letters(text)
    parts = text.removesuffix("/").split("/")
    _check_parts(name, parts)
    same = [part.casefold() for part in parts] if fold and parts[0] == "path" else parts
    plain = next((at for at, part in enumerate(same) if is_pattern(part)), len(same))
    node, rest = tuple(_plain(part) for part in same[:plain]), tuple(_pattern(name, part) for part in same[plain:])
    if rest and len(name) > LONGEST_GLOB:
        raise BadRequest(f"a pattern of {len(name)} characters is too long", hint=f"{LONGEST_GLOB} are the most")
    deep = text.endswith("/") or len(parts) == 1
    while rest and rest[-1] is None:
        rest, same, deep = rest[:-1], same[:-1], True
    key = "/".join([literal(part) for part in node] + same[plain:]) + "/" * deep
    return Resource(text, key, node, rest, deep, fold)


def _check_letters(text: str) -> None:
    """Refuse what no path, and no line on a terminal, should hold; stray bytes are what git has."""
    for letter in text:
        code = ord(letter)
        if code < 32 or code == 127 or 0xD800 <= code < 0xDC80 or 0xDCFF < code <= 0xDFFF:
            raise BadRequest(f"the name {text[:80]!r} holds a control character", hint=HINT)


def _check_parts(name: str, parts: list[str]) -> None:
    """Refuse names outside the tree.

    Raises:
        BadRequest: what is wrong.
    """
    shown = f"{name[:80]!r}"
    if parts[0] not in KINDS:
        raise BadRequest(f"{shown} is no name of a resource", hint=HINT)
    for written in parts[1:]:
        if _ends_in_backslash(written):
            raise BadRequest(f"{shown} has a part that ends in a backslash", hint="a backslash itself is \\\\")
        part = written if is_pattern(written) else _plain(written)
        if not part or part in (".", "..") or part.casefold() == ".git":
            raise BadRequest(f"{shown} has a part {part!r}, which no path in a repository has", hint=HINT)
        if len(part) > LONGEST_PART:
            raise BadRequest(f"{shown} has a part of {len(part)} characters", hint=f"{LONGEST_PART} are the most")
    if parts[0] == "git" and len(parts) > 1:
        known = parts[1] in GIT_PARTS or (parts[1].startswith(INDEX) and not is_pattern(parts[1]))
        if len(parts) > 2 or not known:
            raise BadRequest(f"{shown} is no part of git that can be locked", hint=HINT)


def _pieces(part: str) -> Iterator[str]:
    """Its letters, those after a backslash together with it."""
    at = 0
    while at < len(part):
        width = 2 if part[at] == "\\" else 1
        yield part[at : at + width]
        at += width


def _ends_in_backslash(part: str) -> bool:
    """Whether the last of its backslashes takes the meaning from nothing."""
    return (len(part) - len(part.rstrip("\\"))) % 2 == 1


def _plain(part: str) -> str:
    """A part without wildcards as it is on disk."""
    return "".join(piece[-1] for piece in _pieces(part))


def _pattern(name: str, part: str) -> Part:
    """A part of a pattern; ``***`` and ``a**`` mean no more than one star.

    Raises:
        BadRequest: a bracket that is not closed, holds nothing, or a class such as ``[:alpha:]``.
    """
    if part == "**":
        return None
    tokens: list[Token] = []
    at = 0
    while at < len(part):
        letter = part[at]
        if letter == "[":
            ranges, at = _bracket(name, part, at + 1)
            tokens.append(ranges)
            continue
        at += letter == "\\"
        if letter == "*":
            if not tokens or tokens[-1] is not None:
                tokens.append(None)
        else:
            tokens.append(ANY_LETTER if letter == "?" else ((ord(part[at]), ord(part[at])),))
        at += 1
    return tuple(tokens)


def _bracket(name: str, part: str, at: int) -> tuple[tuple[Range, ...], int]:
    """The code points of ``[abc]``, ``[a-z]``, ``[!a]``, and where the pattern goes on."""
    negated = part[at : at + 1] in ("!", "^")
    at += negated
    ranges: list[Range] = []
    first = True
    while at < len(part) and (first or part[at] != "]"):
        first = False
        if part.startswith("[:", at):  # git takes it for a class of letters
            hint = "name the letters, as in [a-z0-9]; [:[] is a colon or a bracket"
            raise BadRequest(f"{name[:80]!r} has [: in a bracket, which is not known here", hint=hint)
        low, at = _letter(part, at)
        high = low
        if part[at : at + 1] == "-" and part[at + 1 : at + 2] not in ("", "]"):
            high, at = _letter(part, at + 1)
        if low <= high:
            ranges.append((low, high))
    if at >= len(part):
        raise BadRequest(f"{name[:80]!r} has a bracket that is not closed", hint="a letter of that kind is \\[")
    found = _others(ranges) if negated else tuple(ranges)
    if not found:
        raise BadRequest(f"{name[:80]!r} has a bracket that nothing matches", hint=HINT)
    return found, at + 1


def _letter(part: str, at: int) -> tuple[int, int]:
    """A letter inside brackets, and where the next one is."""
    at += part[at] == "\\" and at + 1 < len(part)
    return ord(part[at]), at + 1


def _others(ranges: list[Range]) -> tuple[Range, ...]:
    """All other letters."""
    found, next_free = [], 0
    for low, high in sorted(ranges):
        if low > next_free:
            found.append((next_free, low - 1))
        next_free = max(next_free, high + 1)
    if next_free <= HIGHEST:
        found.append((next_free, HIGHEST))
    return tuple(found)


def written(name: Resource) -> str:
    """What a name without wildcards names below its kind, in the case it was written in."""
    return "/".join(_plain(part) for part in name.name.removesuffix("/").split("/")[1:])


def overlap(one: Resource, other: Resource) -> bool:
    """Whether some path is covered by both."""
    common = min(len(one.node), len(other.node))
    if one.node[:common] != other.node[:common]:
        return False
    for plain, pattern in ((one, other), (other, one)):
        if not plain.rest and len(plain.node) <= len(pattern.node):
            return True  # all that the other covers is at this name or below
    return _meet(_pattern_from(one, common), _pattern_from(other, common))


def covers(one: Resource, other: Resource) -> bool:
    """Whether every path of ``other`` is one of ``one``; a pattern is said to cover no other pattern but itself."""
    if not one.rest:
        return other.node[: len(one.node)] == one.node
    if other.rest:
        return one.key == other.key
    return (one.deep or not other.deep) and _meet(_pattern_from(one, 0), tuple(map(_literal, other.node)))


def _pattern_from(one: Resource, at: int) -> tuple[Part, ...]:
    """Its parts from one on, as a pattern of whole paths."""
    return (*map(_literal, one.node[at:]), *one.rest, *((None,) if one.deep else ()))


@lru_cache(maxsize=4096)
def _literal(part: str) -> Part:
    return tuple(((ord(letter), ord(letter)),) for letter in part)


def _meet(one: tuple[Part, ...], other: tuple[Part, ...]) -> bool:
    """Whether some path is matched by both."""
    return _have_common(one, other, letters_meet)


@lru_cache(maxsize=8192)
def letters_meet(one: Part, other: Part) -> bool:
    """Whether some text is matched by both parts of patterns."""
    assert one is not None and other is not None
    return _have_common(one, other, _share)


def _share(one: Token, other: Token) -> bool:
    """Whether two sets of letters have one in common."""
    return any(a <= d and c <= b for a, b in one or () for c, d in other or ())


Piece = TypeVar("Piece")


def _have_common(
    one: Sequence[Piece | None], other: Sequence[Piece | None], share: Callable[[Piece, Piece], bool]
) -> bool:
    """Whether both patterns match some text; None in a pattern is any number of pieces of it.

    Bit n of ``reached``: a text that the pieces of ``one`` so far match is matched by the first n of ``other``. One
    number for all of them, because a pattern of stars has tens of thousands of pairs of places.
    """
    stars, places = 0, dict[Piece, int]()
    for at, piece in enumerate(other):
        if piece is None:
            stars |= 1 << at
        else:
            places[piece] = places.get(piece, 0) | 1 << at
    all_places, steps = (2 << len(other)) - 1, dict[Piece, int]()
    reached = _past_stars(1, stars)
    for piece in one:
        if piece is None:
            reached = all_places & -(reached & -reached)  # from the first on
        else:
            if piece not in steps:
                steps[piece] = sum(bits for theirs, bits in places.items() if share(piece, theirs))
            reached = _past_stars((reached & stars) | (reached & steps[piece]) << 1, stars)
        if not reached:
            return False
    return bool(reached >> len(other))


def _past_stars(reached: int, stars: int) -> int:
    """The places that were reached, and those behind a star that matches nothing."""
    while (further := reached | (reached & stars) << 1) != reached:
        reached = further
    return reached
