"""The sessions, as ``doctor`` looks at them: can each be read, is its history whole, is the repository up to date?

Repairs never drop what can still be read: lost history is said to be lost, and sessions come back from what is left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gitsessiond.model.errors import NewerState, StateUnreadable
from gitsessiond.model.names import id_from, quote_path, short_id
from gitsessiond.model.ownership import graph_of
from gitsessiond.store.anchors import ANCHORS, anchors_of, move_projections, patch_refs, put_anchor, read_anchor
from gitsessiond.store.git import run_git
from gitsessiond.store.notes import read_note
from gitsessiond.store.patient import Check, Patient
from gitsessiond.store.rebuild import last_steps, state_of_anchor
from gitsessiond.store.refs import RefMove, move_refs
from gitsessiond.store.states import SESSIONS, named_commits
from gitsessiond.store.steps import State, StepNote, load_state, session_ref, write_step
from gitsessiond.store.store import HasDirs, Store


def check_sessions(patient: Patient) -> Check:
    """Every session there ever was can be read; one that cannot comes back from what is left of it."""
    store = patient.store
    wrong: list[str] = []
    anchors = anchors_of(patient.repository)
    refs = {name.removeprefix(SESSIONS): oid for name, oid in store.refs(SESSIONS).items()}
    for sid in sorted({*refs, *anchors}):
        words = _unreadable(store, refs.get(sid))
        if words is None:
            wrong += [f"session {short_id(sid, anchors)}: {words}" for words in _circles(store, refs[sid])]
        if words is None or (sid not in refs and _is_foreign(store, sid, anchors[sid])):
            continue
        what = f"session {short_id(sid, anchors)}: {words}"
        if patient.fix:
            told = _bring_back(patient, sid, refs.get(sid), anchors.get(sid))
            if told is None:
                told = "nothing is left of it"
                store.commit([RefMove(session_ref(sid), refs.get(sid), None)])  # in the way of all others
            what += f"; {told}"
        wrong.append(what)
    return patient.verdict("sessions", wrong, "1 session" if len(refs) == 1 else f"{len(refs)} sessions")


def _is_foreign(store: Store, sid: str, anchor: str) -> bool:
    """Whether a ref in the place of our anchors was never one: it is left alone."""
    try:
        return read_anchor(store, anchor).session.id != sid
    except NewerState:
        raise
    except StateUnreadable:
        return True


def _unreadable(store: Store, step: str | None) -> str | None:
    """Why a session's last state cannot be read; None: it can."""
    if step is None:
        return "its history is lost"
    try:
        load_state(store, step)
    except NewerState:
        raise  # nothing to repair
    except StateUnreadable as exc:
        return exc.message
    return None


def _circles(store: Store, step: str) -> list[str]:
    """Which patches need each other, as none should; which need is left out is known, what to do about it is not."""
    state = load_state(store, step)
    names = {pid: patch.name for pid, patch in state.patches.items()}
    graph = graph_of(state.owners)
    closing = {pair for need in graph.clashes for pair in need.ways[:1]}
    circles = [
        f"{names.get(p, p)} and {names.get(q, q)} need each other's edits; assign those of one to the other"
        for p, q in sorted(graph.left_out | closing)
    ]
    met = sorted({need.path for need in graph.clashes if not need.ways})
    return circles + [f"some patch has two files at {quote_path(path)}; assign both to one patch" for path in met]


def _bring_back(patient: Patient, sid: str, step: str | None, anchor: str | None) -> str | None:
    """Point the session at its newest step that can be read, else make it again; words for what was done."""
    store = patient.store
    for last in filter(None, (step, last_steps(store).get(sid))):
        for older in _older_steps(store, last):
            if _unreadable(store, older) is None:
                store.commit([RefMove(session_ref(sid), store.ref(session_ref(sid)), older)])
                return f"back at step {load_state(store, older).number}"
    if anchor is None or _is_foreign(store, sid, anchor):
        return None
    state = state_of_anchor(store, read_anchor(store, anchor))
    _record_anew(patient, state, "made again from its anchor")
    return "made again from its anchor, without the history of its saves and owners of what was not committed"


def _older_steps(store: Store, step: str) -> Iterator[str]:
    """The step and the ones before it, as far as they can be followed."""
    at: str | None = step
    while at is not None:
        yield at
        try:
            at = read_note(at, store.read(at).data).parent
        except StateUnreadable:
            return


def _record_anew(patient: Patient, state: State, text: str) -> None:
    """Record a state as the first step of its session."""
    store, name = patient.store, session_ref(state.session.id)
    note = StepNote("doctor", patient.now, op_id=id_from(os.urandom(6)), text=text)
    written = write_step(store, None, state, note)
    store.commit([RefMove(name, store.ref(name), written.step)])


def check_anchors(patient: Patient) -> Check:
    """Each session's commits and refs are in the repository as its last step says."""
    store, wrong = patient.store, []
    there = _our_refs(patient.repository)
    for sid, step in _readable_sessions(store):
        state = load_state(store, step)
        wanted = patch_refs(state) | {ANCHORS + sid: put_anchor(store, state)}
        ours = {name for name in there if name == ANCHORS + sid or name.startswith(f"refs/gitsession/patches/{sid}/")}
        stale = [name for name in {*wanted, *ours} if there.get(name) != wanted.get(name)]
        lost = [oid for oid in named_commits(state) if not store.in_repository(oid)]
        if not stale and not lost:
            continue
        wrong += [f"{name} is not up to date" for name in sorted(stale)]
        wrong += [f"commit {oid} of session {state.session.name} is not in the repository" for oid in lost]
        if patient.fix:
            store.to_repository([wanted[ANCHORS + sid]])
            moves = [RefMove(name, None, wanted.get(name)) for name in sorted(stale)]
            move_refs(patient.repository.common_dir, moves, "gitsession: doctor", compare=False)
            move_projections(store, patient.repository, state, state)
    return patient.verdict("anchors", wrong, "refs/gitsession is up to date")


def _our_refs(repository: HasDirs) -> dict[str, str]:
    listed = run_git(
        ["for-each-ref", "--format=%(objectname) %(refname)", "refs/gitsession/"], git_dir=repository.common_dir
    ).out.decode("utf-8", "surrogateescape")
    return {name: oid for oid, name in (line.split(" ", 1) for line in listed.splitlines())}


def _readable_sessions(store: Store) -> list[tuple[str, str]]:
    refs = store.refs(SESSIONS)
    return [(name.removeprefix(SESSIONS), oid) for name, oid in refs.items() if _unreadable(store, oid) is None]


def check_history(patient: Patient) -> Check:
    """The steps of each session can be followed to the first."""
    store, wrong = patient.store, []
    for _, step in _readable_sessions(store):
        *_, first = _older_steps(store, step)
        if _is_first(store, first):
            continue
        state = load_state(store, step)
        wrong.append(f"session {state.session.name}: older steps are lost")
        if patient.fix:
            _record_anew(patient, state, "history begins again; older steps are lost")
            wrong[-1] += f"; its history begins again after step {state.number}"
    return patient.verdict("history", wrong, "of each session all steps are there, back to the first")


def _is_first(store: Store, step: str) -> bool:
    try:
        return read_note(step, store.read(step).data).parent is None
    except StateUnreadable:
        return False


def check_own_objects(patient: Patient) -> Check:
    """Rule R: what steps reach, and their bases do not, is in the store itself."""
    store = patient.store
    store.checkpoint()
    sessions = _readable_sessions(store)
    bases = sorted({load_state(store, step).session.base for _, step in sessions})
    borrowed = _reached([step for _, step in sessions], bases, store)
    borrowed = [oid for oid in borrowed if not store.own_has(oid)]
    if borrowed:  # content of older commits below a base is listed as well: look for it there
        below = set(_reached(bases, [], store))
        borrowed = [oid for oid in borrowed if oid not in below]
    lost = [oid for oid in borrowed if not store.in_repository(oid)]
    if patient.fix:
        for oid in borrowed:
            if oid not in lost:
                store.put(*store.read(oid))
        store.commit([])
        store.checkpoint()
    wrong = [f"object {oid} is missing" for oid in lost]
    wrong += [f"object {oid} is only in the repository" for oid in borrowed if oid not in lost]
    right = "the store holds all that its steps need"
    return patient.verdict("own objects", wrong, right, fixed=patient.fix and not lost)


def _reached(tips: list[str], stops: list[str], store: Store) -> list[str]:
    """Objects that ``tips`` reach and the commits ``stops`` do not, those that are missing among them."""
    told = "".join(f"{oid}\n" for oid in tips) + "".join(f"^{oid}\n" for oid in stops)
    words = ["rev-list", "--objects", "--no-object-names", "--missing=print", "--stdin"]
    found = run_git(words, git_dir=store.git_dir, input=told.encode(), timeout=None).out.decode("ascii")
    return [line.lstrip("?") for line in found.split()] if tips else []
