"""What is stored as JSON: session, patch, conflict. Frozen, closed, each with its ``format`` (docs/format.md).

Paths inside records are text as :func:`gitsessiond.model.names.quote_path` spells them. Times are RFC 3339 UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from gitsessiond.model.errors import NewerState, StateUnreadable

Oid = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Id = Annotated[str, Field(pattern="^[k-z]{12}$")]


def time_text(when: datetime) -> str:
    """RFC 3339 in UTC with a ``Z``, microseconds kept only when there are any."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


Time = Annotated[AwareDatetime, PlainSerializer(time_text, when_used="json")]

SessionStatus = Literal["open", "closed", "abandoned"]
PatchStatus = Literal["draft", "ready", "conflicts", "merged", "abandoned"]
ConflictKind = Literal["file_edit", "git_merge", "context_switch", "resource_lock", "state_divergence", "git_revert"]
ConflictShape = Literal[
    "content", "add/add", "modify/delete", "rename/rename", "rename/delete", "directory/file",
    "mode", "symlink", "binary", "submodule",
]  # fmt: skip
How = Literal[
    "ours", "theirs", "union", "base", "delete", "file", "edit", "tool", "hunks", "remembered", "saved", "rule",
]  # fmt: skip


class Record(BaseModel):
    """Common manner of all records: never changed after it was made, no unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid")


RecordType = TypeVar("RecordType", bound=Record)


class Collaborator(Record):
    """A person of a session; ``user`` is git's ``Name <email>``, or an address alone."""

    user: str
    role: Literal["owner", "maintainer", "contributor", "viewer"] = "owner"
    invited_by: str = ""  # "" for the one who made the session, and in records of earlier days
    at: Time | None = None


class Claim(Record):
    """A standing claim about future edits: edits of these paths are for one patch."""

    paths: tuple[str, ...]  # quoted; a directory claims what is below it; empty: every path (``--strict``)
    patch: Id
    by: str = ""  # who claimed them; "" in records of earlier days
    at: Time | None = None
    proven: bool = False  # an agent's: only edits that were proven to be its writes are the patch's
    agent: str = ""  # which agent's, by its tool and the tool's id; "" in records of earlier days


class Agent(Record):
    """A session of a coding agent, known by its hooks, and the patch that was made for it."""

    tool: str
    id: str  # the tool's own id of its session
    patch: Id | None = None  # None: it works for one that it was started for
    pid: int | None = None  # its process, and when that was started, as the system says it
    started: str = ""
    sure: bool = False  # it told of the same process twice: that one is no helper which ends with each hook


class Gap(Record):
    """A time in which nothing was recorded; what was found at its end was recorded then."""

    since: Time
    until: Time


class Session(Record):
    """One named line of work on one repository."""

    format: Literal[1] = 1
    id: Id
    name: str = Field(min_length=1, max_length=64)
    description: str = ""
    status: SessionStatus = "open"
    base: Oid  # the commit the chain stands on; moves only when the user's git (or update) moved it
    target: str  # branch name without refs/heads/
    branch: str  # the session's branch without refs/heads/; chosen at start, kept by a rename of the session
    worktree: str  # quoted absolute path of the worktree when last seen
    worktree_id: Id  # wid: the contents of <its git dir>/gitsession-wid
    here: bool = False  # started in the checkout it was typed in (nothing to remove at close)
    created_at: Time
    created_by: str
    closed_at: Time | None = None
    collaborators: tuple[Collaborator, ...] = ()
    organization: str | None = None
    patches: tuple[Id, ...] = ()  # creation order
    patch_in_use: Id | None = None
    claims: tuple[Claim, ...] = ()
    agents: tuple[Agent, ...] = ()  # each with the patch that was made for it
    chain: tuple[Oid, ...] = ()  # commits base..branch, oldest first, whose bits the weaves hold (docs/ownership.md)
    foreign: tuple[Oid, ...] = ()  # commits of the chain that came from another branch
    declared: tuple[tuple[Id, Id], ...] = ()  # (p, q): p depends on q by `patch depend`
    directions: tuple[tuple[Id, Id], ...] = ()  # (p, q): the direction a touch or judge edge last had
    judged: tuple[tuple[Id, Id], ...] = ()  # (p, q): edges the judge added (kept so that reading needs no judge)
    parked: str | None = None  # why sorting stopped ("HEAD is on other"), or None
    gaps: tuple[Gap, ...] = ()  # the last few


class SeriesCommit(Record):
    """One commit of a patch's series and the chain commit it is the part of (None: a context merge)."""

    oid: Oid
    of: Oid | None


class Publication(Record):
    """A branch of a remote that a patch is published to."""

    remote: str  # its name, or its URL where it has none
    branch: str  # of the remote, without refs/heads/
    oid: Oid | None = None  # the commit we put there last, as far as is known
    tip: Oid | None = None  # the last commit of the series that this was made of
    tried: tuple[Oid, ...] = ()  # commits of pushes that were begun and of whose end nothing is known
    at: Time | None = None  # of the last push that is known to have ended well
    by: str = ""
    url: str | None = None  # what the remote answered, such as the page of a review


class Check(Record):
    """What the user's check (``gitsession.check``) last said of a patch merged into its target."""

    command: str
    tree: Oid  # the merged tree it ran on
    version: Oid  # the patch's version then, as a tree: another one now, and this says nothing of it
    code: int  # its exit code as a shell has it; 128 + n: ended by signal n
    timed_out: bool = False
    seconds: float
    output: str = ""  # its last lines
    at: Time
    by: str


class Patch(Record):
    """One logical change of one session."""

    format: Literal[1] = 1
    id: Id
    session_id: Id
    name: str = Field(min_length=1, max_length=64)
    description: str = ""
    status: PatchStatus = "draft"
    former: Literal["draft", "ready"] | None = None  # the status to return to when the last conflict is resolved
    created_at: Time
    created_by: str
    owner: str
    series: tuple[SeriesCommit, ...] = ()  # oldest first; its tip is refs/gitsession/patches/<sid>/<pid>
    merged_at: Time | None = None
    merge_commit: Oid | None = None  # the commit on the target that has it
    merge_strategy: Literal["merge", "rebase", "squash", "elsewhere"] | None = None  # how it came there
    merge_onto: Oid | None = None  # where the target was before; None: not known
    reverted_in: Oid | None = None  # the commit on the target that took its last landing back
    not_separable: str | None = None  # why its part cannot be put alone, or None
    published: tuple[Publication, ...] = ()  # the one used last, last
    check: Check | None = None


class ConflictSide(Record):
    """One side of a conflict at its path; ``oid`` None: the side has no such path."""

    oid: Oid | None = None
    mode: int | None = None
    path: str | None = None  # quoted, when it differs (renames)
    marked: bool = False  # git has merged renames into it and left conflict markers there


LATER = ("denied", "other", "left")  # fields of a conflict


class LockInTheWay(Record):
    """Another session's lock on a path that was saved all the same; ``saves``: how often."""

    token: int
    client: str
    who: str = ""
    session: Id | None = None  # of the holder, where that is known
    saves: int = 1


class DeniedLock(Record):
    """What somebody asked for in vain while another had a lock in its way; ``times``: how often."""

    name: str  # of the resource, as docs/locks.md has it
    client: str
    who: str = ""
    session: Id | None = None  # of the asker, where that is known
    times: int = 1


class LeftBehind(Record):
    """What somebody left behind who switched to another session; the first of each."""

    to: Id  # the session they switched to
    client: str  # whose locks; empty: nobody can tell
    unassigned: tuple[str, ...] = ()  # quoted paths
    unsaved: tuple[str, ...] = ()  # quoted paths that an editor has unsaved changes of
    locks: tuple[str, ...] = ()  # as docs/locks.md names them


class Conflict(Record):
    """A stored clash of one path (docs/format.md, "conflicts")."""

    format: Literal[1] = 1
    id: Id
    kind: ConflictKind
    shape: ConflictShape
    path: str  # quoted
    patch: Id | None
    status: Literal["open", "resolved", "stale"] = "open"
    base: ConflictSide = ConflictSide()
    ours: ConflictSide = ConflictSide()  # the target's
    theirs: ConflictSide = ConflictSide()  # the patch's
    labels: tuple[str, str, str] = ("base", "ours", "theirs")
    marker_size: int | None = None  # what .gitattributes say; None: git's own
    message: str = ""  # what git said
    created_at: Time
    resolved_at: Time | None = None
    resolved_by: str | None = None
    how: How | None = None
    result: ConflictSide | None = None  # the resolution; None with status resolved: the path is deleted
    lock: LockInTheWay | None = None  # of kind resource_lock alone, which has no sides
    denied: DeniedLock | None = None  # of one that is about a lock asked for in vain
    other: Id | None = None  # of kind file_edit: the session that changes the path as well
    left: LeftBehind | None = None  # of kind context_switch, where it is no clash of an update

    @model_serializer(mode="wrap")
    def _written(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is empty and was not there from the first is left out: builds that do not know it can read the rest."""
        found: dict[str, Any] = plain(self)
        return {name: one for name, one in found.items() if one is not None or name not in LATER}


def encode(record: Record) -> bytes:
    """The record's bytes: compact JSON, keys in field order, ASCII, one final newline."""
    return record.model_dump_json(exclude_defaults=False).encode("utf-8") + b"\n"


def refuse_newer(exc: ValidationError, where: str) -> None:
    """Raise NewerState if a ``format`` beyond 1 is among what is wrong with a record."""
    for wrong in exc.errors():
        if wrong["loc"] == ("format",) and isinstance(wrong["input"], int) and wrong["input"] > 1:
            raise NewerState(
                f"{where} has format {wrong['input']}; this gitsessiond knows 1", hint="install a newer gitsessiond"
            ) from exc


def decode(kind: type[RecordType], data: bytes, where: str) -> RecordType:
    """Read a record strictly.

    Raises:
        StateUnreadable: not JSON, or an unknown field or value; ``where`` is named.
        NewerState: a newer ``format``.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as exc:
        refuse_newer(exc, where)
        first = exc.errors()[0]
        at = ".".join(str(part) for part in first["loc"]) or "the whole record"
        raise StateUnreadable(f"{where} cannot be read: {at}: {first['msg']}", hint="git session doctor") from exc
