"""What every ``--json`` reply looks like, closed: a field that is not here is an error.

``SCHEMAS`` maps the words of a command to its reply; docs/protocol.md says what the fields mean.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Oid = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Id = Annotated[str, Field(pattern="^[k-z]{12}$")]
Lines = tuple[int, int]  # 1-based, inclusive; (k, k - 1) is a deletion before line k


class Closed(BaseModel):
    """No unknown field, no loose types."""

    model_config = ConfigDict(extra="forbid")


class Named(Closed):
    """A patch or session where only its name is needed."""

    id: Id
    name: str


class Reply(Closed):
    """What all replies have."""

    v: Literal[1]


class Collaborator(Closed):
    """A person of a session."""

    user: str
    role: Literal["owner", "maintainer", "contributor", "viewer"]


class Upstream(Closed):
    """How far a target is from its upstream, as last fetched."""

    name: str
    ahead: int
    behind: int


class Session(Closed):
    """A session as ``status`` gives it."""

    id: Id
    name: str
    description: str
    status: Literal["open", "closed", "abandoned"]
    base: Oid
    target: str
    branch: str
    worktree: str
    state: Literal["live", "parked", "no worktree"]
    parked: str | None
    git_at_work: Literal["rebase", "am", "merge", "cherry-pick", "revert"] | None
    created_at: AwareDatetime
    created_by: str
    closed_at: AwareDatetime | None
    collaborators: list[Collaborator]
    organization: str | None
    patch_in_use: Id | None
    behind: int | None
    upstream: Upstream | None
    step: int
    worktree_id: Id


class Meeting(Closed):
    """How many files two sessions have in common."""

    with_session: Named
    paths: int


class ListedSession(Session):
    """A session as ``list`` gives it."""

    open_patches: int
    unassigned: int
    collisions: list[Meeting]


class Blocker(Closed):
    """What keeps a patch from being merged, or a warning about it."""

    code: str
    message: str
    hint: str | None = None
    patch: Id | None = None


class Published(Closed):
    """A branch that a patch was published to."""

    remote: str
    branch: str
    commit: Oid
    current: bool
    at: AwareDatetime | None
    url: str | None


class Patch(Closed):
    """A patch."""

    id: Id
    session_id: Id
    name: str
    description: str
    status: Literal["draft", "ready", "conflicts", "merged", "abandoned"]
    ops: int
    ready_to_merge: bool
    blockers: list[Blocker]
    depends_on: list[Named]
    base: Oid
    tip: Oid | None
    commits: int
    owner: str
    created_by: str
    created_at: AwareDatetime
    merged_at: AwareDatetime | None
    merge_commit: Oid | None
    merge_strategy: Literal["merge", "rebase", "squash", "elsewhere"] | None
    conflicts: list[Id]
    published: list[Published]


class Side(Closed):
    """One side of a conflict."""

    oid: Oid | None
    mode: str | None
    path: str | None


class LockInTheWay(Closed):
    """Whose lock a save went over."""

    token: int
    client: str
    who: str
    session: Id | None
    saves: int


class DeniedLock(Closed):
    """Who asked for a lock in vain, and how often."""

    name: str
    client: str
    who: str
    session: Id | None
    times: int


class LeftBehind(Closed):
    """What somebody left behind who switched to another session."""

    to: Id
    client: str
    unassigned: list[str]
    unsaved: list[str]
    locks: list[str]


class Conflict(Closed):
    """A conflict record."""

    id: Id
    kind: Literal["file_edit", "git_merge", "context_switch", "resource_lock", "state_divergence", "git_revert"]
    shape: str
    path: str
    patch: Named | None
    status: Literal["open", "resolved", "stale"]
    message: str
    labels: tuple[str, str, str]
    base: Side | None
    ours: Side | None
    theirs: Side | None
    created_at: AwareDatetime
    resolved_at: AwareDatetime | None
    resolved_by: str | None
    how: str | None
    resolved_as: str | None
    lock: LockInTheWay | None
    denied: DeniedLock | None
    left: LeftBehind | None
    resource: str
    sessions: list[Id]


class Row(Closed):
    """An unassigned edit and the patches it could go to."""

    path: str
    kind: str
    lines: Lines | None
    reason: str
    code: str
    choices: list[Named]


class PendingRow(Row):
    """The same with its first line, to choose by."""

    text: str | None


class Placed(Closed):
    """Where an edit went."""

    path: str
    kind: str
    lines: Lines | None
    patch: Named | None
    why: str
    reason: str | None


class Op(Closed):
    """One path that differs between a patch and what it stands on."""

    kind: Literal["add", "modify", "delete", "rename", "chmod", "symlink"]
    path: str
    old_path: str | None
    blob: Oid | None
    old_blob: Oid | None
    names: list[str]


EditorState = Literal["open", "crashed", "quit", "unknown"]


class Sources(Closed):
    """Where the fields of an editor come from."""

    program: Literal["process", "swap file", "lock link", "lock file", "save manner", "unknown"]
    state: Literal["process", "swap file", "lock link", "lock file", "unknown"]
    modified: Literal["swap file", "lock link", "lock file", "unknown"]
    last_saved_at: Literal["recorded", "unknown"]


class OtherEditor(Closed):
    """Another editor that has the same file."""

    program: str | None
    pid: int | None
    host: str | None
    state: EditorState
    modified: bool | None


class Editor(Closed):
    """A file being worked on."""

    number: int
    program: str | None
    target: str
    path: str
    patch: Named | None
    patches: list[Named] = []
    changed: bool
    modified: bool
    last_saved_at: AwareDatetime | None
    client: str | None
    state: EditorState
    pid: int | None
    user: str | None
    host: str | None
    opened_at: AwareDatetime | None
    sources: Sources
    others: list[OtherEditor]


class Collision(Closed):
    """A path that another session changed too."""

    path: str
    symbol: str | None
    with_session: Named
    with_patch: Named | None
    level: Literal["open", "path", "overlap", "conflict"]
    program: str | None = None
    modified: bool = False


class LockShown(Closed):
    """A lock that keeps others from writing."""

    name: str
    path: str | None
    mode: Literal["X", "U"]
    token: int
    client: str
    who: str | None
    session: Named | None
    own: bool
    reason: str | None
    expires_in: int
    until: AwareDatetime


class Gap(Closed):
    """A time in which nothing was recorded."""

    since: AwareDatetime
    until: AwareDatetime


class Error(Closed):
    """Why a command could not be done."""

    code: str
    message: str
    hint: str | None
    reason: str | None = None


class ErrorReply(Reply):
    """What any command prints when it fails."""

    error: Error


class Failed(Named):
    """A patch that a close could not merge."""

    error: dict[str, Any]


class Landed(Named):
    """A patch that a close merged; without a commit in a dry run."""

    commit: Oid | None


class Claim(Closed):
    """A standing claim; no paths means every path that nobody claims by name."""

    paths: list[str]
    patch: Named
    by: str | None
    at: AwareDatetime | None
    proven: bool


class Status(Reply):
    """``status``, ``show``, and ``git session`` alone."""

    session: Session
    patches: list[Patch]
    unassigned: list[Row]
    editors: list[Editor]
    current_editor: int | None
    conflicts: list[Conflict]
    claims: list[Claim]
    collisions: list[Collision]
    locks: list[LockShown]
    hints: list[str]
    warnings: list[str]
    gaps: list[Gap]
    ready: list[str]
    recording_left: int


class Editors(Reply):
    """``editors``."""

    editors: list[Editor]
    current_editor: int | None


class EditorSwitch(Reply):
    """``editors switch``."""

    editor: Editor
    patch: Named | None
    used: bool
    file: str


class UnreadableSession(Closed):
    """A session whose record is damaged."""

    id: str
    name: str | None
    message: str
    hint: str


class Sessions(Reply):
    """``list``."""

    sessions: list[ListedSession]
    unreadable: list[UnreadableSession]


class Start(Reply):
    """``start``."""

    session: Session
    new_worktree: bool
    why: str | None
    before: list[str]
    offered: list[str]
    warnings: list[str]


class OneSession(Reply):
    """``rename``, ``reopen``."""

    session: Session


class Switch(Reply):
    """``switch``."""

    session: Session
    worktree: str
    left: Conflict | None
    hints: list[str]


class Ended(Reply):
    """``close``, ``abandon``."""

    session: Session
    merged: list[Landed]
    failed: list[Failed]
    abandoned: list[Named]
    unassigned: list[Row]
    already: bool
    dry_run: bool
    uncommitted: list[str]


class NewPatch(Reply):
    """``patch new``."""

    patch: Patch
    taken: list[Placed]
    left: list[Row]


class Patches(Reply):
    """``patch list``."""

    patches: list[Patch]


class PatchCheck(Closed):
    """What the user's check last said of a patch on its target; ``current``: the patch is as it was then."""

    command: str
    tree: Oid
    code: int
    timed_out: bool
    seconds: float
    output: str
    at: AwareDatetime
    by: str
    current: bool


class SeriesCommit(Closed):
    """A commit of a patch's series and the chain's commit it is part of."""

    oid: Oid
    of: Oid | None
    subject: str


class PatchShow(Reply):
    """``patch show``."""

    patch: Patch
    ops: list[Op]
    edits: list[Placed]
    series: list[SeriesCommit]
    check: PatchCheck | None


class Use(Reply):
    """``patch use``."""

    patch: Patch | None
    claims: list[Claim]


class Ready(Reply):
    """``patch ready``."""

    patch: Patch
    commit: Oid | None
    output: str


class OnePatch(Reply):
    """``patch depend``, ``patch rename``, ``patch reopen``."""

    patch: Patch


class Validation(Reply):
    """``patch validate``."""

    patch: Patch
    blockers: list[Blocker]
    warnings: list[Blocker | str]
    check: PatchCheck | None


class Ops(Reply):
    """``patch ops``."""

    ops: list[Op]


class Diff(Reply):
    """``patch diff``."""

    diff: str


class PatchAbandon(Reply):
    """``patch abandon``."""

    patch: Patch
    edits: list[Placed]


class RefusedEdit(Closed):
    """An edit that stayed where it was."""

    path: str
    lines: Lines | None
    reason: str


class Assign(Reply):
    """``assign``; ``pending`` when no patch was named: nothing changed."""

    patch: Patch | None
    moved: list[Placed]
    refused: list[RefusedEdit]
    already: list[Placed]
    choices: list[Named]
    pending: list[PendingRow] | None = None


class Unassigned(Reply):
    """``unassigned``."""

    unassigned: list[PendingRow]


class Commit(Reply):
    """``commit``."""

    commit: Oid
    short: str
    patch: Patch
    files: int
    output: str


class PublishedBranch(Closed):
    """What became of one branch."""

    patch: Named
    branch: str
    commit: Oid
    commits: int
    was: Oid | None
    outcome: Literal["created", "updated", "replaced", "unchanged"]


class Publish(Reply):
    """``publish``."""

    patch: Patch
    remote: str
    target: str
    onto: Oid
    branches: list[PublishedBranch]
    notes: list[str]
    urls: list[str]
    output: str


class Push(Reply):
    """``push``."""

    remote: str
    target: str
    branch: str
    commit: Oid
    outcome: Literal["created", "updated", "unchanged", "behind"]
    merged: Oid | None
    behind: int
    pull: str | None
    tries: int
    urls: list[str]
    output: str


class Merge(Reply):
    """``merge``."""

    merged: bool
    patch: Patch
    target: str
    commit: Oid | None
    strategy: Literal["merge", "rebase", "squash", "elsewhere"] | None
    commits: int
    files: int
    conflicts: list[Conflict]
    dry_run: bool
    message: str | None
    output: str
    warnings: list[str]


class Unsaved(Closed):
    """A file that an editor has changes of."""

    path: str
    program: str


class Update(Reply):
    """``update``."""

    updated: bool
    session: Session
    target: str
    base: Oid
    commits: int
    files: list[str]
    unsaved: list[Unsaved]
    merged: list[Named]
    conflicts: list[Conflict]
    notes: list[str]
    dry_run: bool
    message: str


class Revert(Reply):
    """``revert``."""

    reverted: bool
    patch: Patch
    target: str
    commit: Oid | None
    files: int
    conflicts: list[Conflict]
    message: str
    output: str


class Conflicts(Reply):
    """``conflicts``."""

    conflicts: list[Conflict]


class Sides(Closed):
    """A line for each side."""

    base: str
    ours: str
    theirs: str


class Intent(Closed):
    """What both sides are for."""

    ours: list[str]
    theirs: list[str]


class ConflictHunk(Closed):
    """One place where both sides differ, still to be settled."""

    line: int
    ours: str
    base: str
    theirs: str
    text: str
    remembered: str | None


class ConflictShow(Reply):
    """``conflict show``; texts carry bytes that are not UTF-8 as surrogate escapes."""

    conflict: Conflict
    base: str | None
    ours: str | None
    theirs: str | None
    result: str | None
    marked: str | None
    told: Sides
    text: str
    hunks: list[ConflictHunk]
    remembered: bool
    intent: Intent
    file: str | None
    at: str | None


class ConflictReopen(Reply):
    """``conflict reopen``."""

    conflict: Conflict
    left: list[Conflict]
    patch: Patch | None
    reopened: bool


class Resolve(Reply):
    """``resolve``."""

    conflict: Conflict
    left: list[Conflict]
    patch: Patch | None


class StepPath(Closed):
    """One path of a step."""

    path: str
    change: str


class Step(Closed):
    """One step; saves have no id."""

    number: int
    id: str | None
    verb: str
    at: AwareDatetime
    by: str
    text: str
    paths: list[StepPath]


class History(Reply):
    """``history``."""

    steps: list[Step]


class Restore(Reply):
    """``restore``; ``from`` is the step the files came from."""

    restored: list[str]
    from_step: int = Field(alias="from")
    step: int


class Check(Closed):
    """One check of ``doctor``."""

    name: str
    ok: bool
    state: Literal["ok", "warn", "fail"]
    message: str
    fixed: bool
    hint: str | None


class Sample(Closed):
    """One value of a figure."""

    labels: dict[str, str]
    value: float


class Figure(Closed):
    """One figure of ``metrics``."""

    name: str
    type: Literal["counter", "gauge"]
    help: str
    samples: list[Sample]


class Metrics(Reply):
    """``metrics``."""

    metrics: list[Figure]


class Doctor(Reply):
    """``doctor``."""

    checks: list[Check]


class SettingRow(Closed):
    """One setting of ``config``."""

    key: str
    value: str | float | bool | list[str] | None
    text: str | None
    default: str | None
    origin: str
    variables: list[str]
    what: str
    wrong: str | None
    hint: str | None


class Config(Reply):
    """``config``."""

    settings: list[SettingRow]
    unknown: list[str]


class Client(Closed):
    """A client."""

    id: str
    kind: Literal["terminal", "agent", "editor", "other"]
    name: str | None
    user: str | None
    host: str
    pid: int | None
    tty: str | None
    cwd: str
    session: str | None
    role: Literal["primary", "secondary"]
    since: AwareDatetime
    last_seen: AwareDatetime
    state: Literal["live", "silent"]


class Clients(Reply):
    """``clients``."""

    clients: list[Client]
    you: str | None


class Hello(Reply):
    """``client hello``."""

    client: Client


class Heartbeat(Reply):
    """``client heartbeat``; what was renewed is as ``lock`` gives it."""

    renewed: list[dict[str, Any]]


class Left(Reply):
    """``client leave``."""

    left: bool


class NamedPerson(Closed):
    """A collaborator with who invited them."""

    user: str
    role: Literal["owner", "maintainer", "contributor", "viewer"]
    invited_by: str | None
    at: AwareDatetime | None


class You(Closed):
    """Whoever asks."""

    user: str | None
    role: Literal["owner", "maintainer", "contributor", "viewer"] | None
    patches: int


class People(Reply):
    """``collaborators``."""

    session: Named
    collaborators: list[NamedPerson]
    counts: bool
    you: You


class Invited(People):
    """``invite``, ``uninvite``."""

    changed: bool
    user: str
    role: Literal["owner", "maintainer", "contributor", "viewer"]


class Page(Reply):
    """``help``, ``completion``."""

    text: str


class Hook(Closed):
    """One hook of ours, and the user's that it calls first."""

    name: str
    state: Literal["installed", "missing", "outdated", "edited", "replaced", "chained by pre-commit", "not called"]
    own: str | None


class HooksStatus(Reply):
    """``hooks status``."""

    directory: str
    former: str | None
    hooks: list[Hook]


class HooksInstall(HooksStatus):
    """``hooks install``."""

    written: list[str]
    warnings: list[str]


class HooksUninstall(Reply):
    """``hooks uninstall``."""

    removed: list[str]
    restored: list[str]
    warnings: list[str]


class Uninstall(Reply):
    """``uninstall``."""

    removed: list[str]
    hard: bool
    state_dir: str | None
    warnings: list[str]


class Stopped(Reply):
    """``daemon stop``; false: it did not run. The open sessions, and the locks that were held, if it said so."""

    stopped: bool
    sessions: int | None = None
    locks: int | None = None


class Checkpoint(Reply):
    """``daemon checkpoint``: the ids of all sessions."""

    sessions: list[Id]


class Executed(Reply):
    """``exec``, after the command's own output."""

    code: int
    waited_s: float


class Watched(Reply):
    """``watch``, after each run of the command. No path: all may have changed."""

    changed: list[str]
    code: int


class Logs(Reply):
    """``daemon logs``."""

    path: str
    lines: list[str]


class Event(BaseModel):
    """One line of ``events``; each type has further fields of its own."""

    model_config = ConfigDict(extra="allow")

    v: Literal[1]
    seq: int
    ts: AwareDatetime | None = None
    type: str
    session: Id | None = None


class Taken(Closed):
    """A lock that one has."""

    name: str
    mode: Literal["S", "U", "X", "intent"]
    token: int
    expires_in: float
    state: Literal["held", "unconfirmed"]


class Party(Closed):
    """Whose a lock is, or a request for one."""

    client: str
    named: bool
    who: str | None
    host: str | None
    pid: int | None
    branch: str | None
    session: str | None
    since: str
    reason: str | None


class Held(Taken, Party):
    """A lock that somebody has."""


class Listed(Held):
    """One of all locks."""

    ttl: float
    mine: bool


class Want(Closed):
    """A resource and the mode it is wanted in."""

    name: str
    mode: str


class Waiting(Party):
    """A request that waits."""

    resources: list[Want]
    position: int
    gives_up_in: float | None
    mine: bool


class LostLock(Closed):
    """A lock that was broken, stolen or not renewed."""

    name: str
    token: int
    why: Literal["expired", "broken", "stolen"]
    by: str | None
    reason: str | None


class Lock(Reply):
    """``lock``; ``broken`` with ``--force``."""

    locks: list[Taken]
    broken: list[Held] | None = None
    degraded: str | None = None


class Unlock(Reply):
    """``unlock``; ``locks`` and ``broken`` with ``--force``."""

    released: list[str] | None = None
    others: list[Held] | None = None
    locks: list[Held] | None = None
    broken: list[Held] | None = None
    degraded: str | None = None


class Locks(Reply):
    """``locks``."""

    locks: list[Listed]
    waiting: list[Waiting]
    lost: list[LostLock]
    degraded: str | None = None


class DaemonStatus(BaseModel):
    """``daemon status``, ``daemon start``; figures may be added."""

    model_config = ConfigDict(extra="allow")

    v: Literal[1]
    pid: int
    recorder_pid: int | None
    version: str
    uptime_s: float
    sessions: int
    watches: int
    watcher: str


class ShownLine(Closed):
    """One line of the tour, its exit code and what it printed."""

    line: str
    code: int
    output: str


class Demo(Reply):
    """``demo``."""

    repository: str
    steps: list[ShownLine]


SCHEMAS: dict[str, type[BaseModel]] = {
    "": Status,
    "status": Status,
    "show": Status,
    "list": Sessions,
    "start": Start,
    "rename": OneSession,
    "switch": Switch,
    "close": Ended,
    "abandon": Ended,
    "reopen": OneSession,
    "patch new": NewPatch,
    "patch list": Patches,
    "patch show": PatchShow,
    "patch use": Use,
    "patch ready": Ready,
    "patch depend": OnePatch,
    "patch validate": Validation,
    "patch ops": Ops,
    "patch diff": Diff,
    "patch rename": OnePatch,
    "patch abandon": PatchAbandon,
    "patch reopen": OnePatch,
    "assign": Assign,
    "unassigned": Unassigned,
    "editors": Editors,
    "editors switch": EditorSwitch,
    "commit": Commit,
    "merge": Merge,
    "update": Update,
    "revert": Revert,
    "publish": Publish,
    "push": Push,
    "conflicts": Conflicts,
    "conflict show": ConflictShow,
    "conflict reopen": ConflictReopen,
    "resolve": Resolve,
    "history": History,
    "restore": Restore,
    "doctor": Doctor,
    "config": Config,
    "metrics": Metrics,
    "collaborators": People,
    "invite": Invited,
    "uninvite": Invited,
    "clients": Clients,
    "lock": Lock,
    "unlock": Unlock,
    "locks": Locks,
    "client hello": Hello,
    "client heartbeat": Heartbeat,
    "client leave": Left,
    "exec": Executed,
    "watch": Watched,
    "hooks install": HooksInstall,
    "hooks status": HooksStatus,
    "hooks uninstall": HooksUninstall,
    "uninstall": Uninstall,
    "events": Event,
    "daemon status": DaemonStatus,
    "daemon start": DaemonStatus,
    "daemon stop": Stopped,
    "daemon logs": Logs,
    "daemon checkpoint": Checkpoint,
    "demo": Demo,
    "help": Page,
    "completion": Page,
}
