"""Requests as actions take them, and which action answers which verb; nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitsessiond.actions import (
    agenthooks,
    agents,
    assigning,
    checking,
    claiming,
    collaborating,
    configured,
    conflicts,
    editors,
    ending,
    examining,
    filing,
    giving_up,
    hooking,
    merging,
    patches,
    publications,
    pushing,
    questions,
    recorded,
    reverting,
    sessions,
    showing,
    starting,
    updating,
    upkeep,
)
from gitsessiond.actions.context import Asked, Context, Who
from gitsessiond.model.errors import BadRequest

Action = Callable[[Context, Asked], dict[str, Any]]

VERBS: dict[str, Action] = {
    "session.start": starting.start_session,
    "session.list": sessions.list_sessions,
    "session.status": sessions.status_of,
    "session.files": filing.show_files,
    "session.rename": sessions.rename_session,
    "session.switch": sessions.switch_session,
    "session.update": updating.update_session,
    "session.close": ending.close_session,
    "session.abandon": ending.abandon_session,
    "session.reopen": ending.reopen_session,
    "session.invite": collaborating.invite,
    "session.uninvite": collaborating.uninvite,
    "session.collaborators": collaborating.list_collaborators,
    "patch.new": patches.new_patch,
    "patch.list": showing.list_patches,
    "patch.show": showing.show_patch,
    "patch.use": claiming.use_patch,
    "patch.ready": patches.ready_patch,
    "patch.depend": patches.depend_patch,
    "patch.validate": merging.validate,
    "patch.checked": checking.record_check,
    "patch.ops": showing.patch_ops,
    "patch.diff": showing.diff_patch,
    "patch.rename": patches.rename_patch,
    "patch.abandon": giving_up.abandon_patch,
    "patch.reopen": giving_up.reopen_patch,
    "assign": assigning.assign_edits,
    "unassigned": assigning.list_unassigned,
    "editors": editors.list_editors,
    "editors.switch": editors.switch_editor,
    "editors.mode": editors.modes_of,
    "commit": merging.commit,
    "merge": merging.merge,
    "revert": reverting.revert_patch,
    "publish": publications.plan_publication,
    "published": publications.record_publication,
    "push": pushing.plan_push,
    "push.merge": pushing.merge_fetched,
    "conflicts": conflicts.list_conflicts,
    "conflict.show": conflicts.show_conflict,
    "conflict.reopen": questions.reopen_conflict,
    "resolve": conflicts.resolve,
    "history": recorded.show_history,
    "restore": recorded.restore_files,
    "agent.before": agents.before_call,
    "agent.after": agents.after_call,
    "agent.end": agents.end_agent,
    "hooks.install": hooking.install_hooks,
    "hooks.status": hooking.hooks_status,
    "hooks.uninstall": hooking.uninstall_hooks,
    "hooks.agent.install": agenthooks.install_agent,
    "hooks.agent.status": agenthooks.agent_status,
    "hooks.agent.uninstall": agenthooks.uninstall_agent,
    "config": configured.show_settings,
    "metrics": examining.metrics,
    "uninstall": upkeep.uninstall,
    "checkpoint": upkeep.checkpoint,
}

RECORDED = ("description",)  # texts that go into records, which are UTF-8
ANY_BYTES = ("output",)  # what some program said


def decoded(message: dict[str, Any]) -> Asked:
    """A request as actions take it.

    Raises:
        BadRequest: fields are missing or of the wrong kind.
    """
    args, who = message.get("args", {}), message.get("who", {})
    if not isinstance(args, dict) or not isinstance(who, dict) or not isinstance(message.get("verb"), str):
        raise BadRequest("not a request: verb, args and who are needed", hint="see docs/protocol.md")
    check_texts(args)
    cwd, session, env = who.get("cwd"), who.get("session"), who.get("env", {})
    if not isinstance(cwd, str) or not isinstance(env, dict) or not (session is None or isinstance(session, str)):
        raise BadRequest("not a request: who needs cwd, session and env", hint="see docs/protocol.md")
    if not cwd.startswith("/") or "\0" in cwd or not all(may_be_set(name, value) for name, value in env.items()):
        raise BadRequest("not a request: who needs an absolute cwd, and env of a process", hint="see docs/protocol.md")
    tty, pid, client, token = who.get("tty"), who.get("pid"), message.get("client"), who.get("token")
    return Asked(
        verb=message["verb"],
        args=args,
        who=Who(
            cwd=cwd,
            session=session or None,
            tty=tty if isinstance(tty, str) else None,
            pid=pid if isinstance(pid, int) else None,
            env=dict(env),
            client=client if isinstance(client, str) else None,
            token=token if isinstance(token, int) and not isinstance(token, bool) else None,
        ),
    )


def check_texts(args: dict[str, Any]) -> None:
    """Refuse text that no file, command or record can have.

    Raises:
        BadRequest: a NUL; in what is recorded as it is, bytes that are not UTF-8.
    """
    for name, value in args.items():
        if isinstance(value, str) and "\0" in value and name not in ANY_BYTES:
            raise BadRequest(f"{name} holds a NUL character", hint="leave it out")
        if isinstance(value, str) and name in RECORDED and any("\udc80" <= letter <= "\udcff" for letter in value):
            raise BadRequest(f"{name} holds bytes that are not UTF-8", hint="type it in a terminal that has UTF-8")


def may_be_set(name: str, value: object) -> bool:
    """Whether a process can have such a variable in its environment (environ(7))."""
    return bool(name) and "=" not in name and isinstance(value, str) and "\0" not in name + value
