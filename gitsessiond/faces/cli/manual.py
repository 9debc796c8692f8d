"""The reference pages, made from the commands themselves so that they cannot say anything else.

Write them with ``python -m gitsessiond.faces.cli.manual cli > docs/cli.md`` and ``… man >
docs/git-session.1``; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from gitsessiond.faces.cli.app import PROGRAM, root
from gitsessiond.faces.cli.ending import EXIT_CODES

WIDTH = 96

EXIT_WORDS = {
    0: "done; also when there was nothing to do",
    1: "it could not be done, and no other code says why",
    2: "words, names or options that mean nothing; a question, and no terminal to ask it on",
    3: "conflicts: what was named did not land; `git session conflicts` lists them",
    4: "understood, but refused in this state; the hint names the command that changes it",
    10: "no such session, patch, path, step or conflict, or no git repository here",
    11: "locked or claimed by another",
    12: "a ref or file moved meanwhile; nothing was changed, run it again",
    13: "the daemon does not answer, or does not run",
    14: "what is stored is damaged, or written by a newer version; it is never replaced",
    15: "git or the disk refused; the message carries what they said",
    70: "a bug; the message names the file with the traceback",
    130: "interrupted, as by Ctrl-C",
}

ENVIRONMENT = (
    ("GITSESSION", "the session commands are about, by name or id, wherever one stands; `-s` wins over it"),
    ("GITSESSION_PATCH", "the patch for `commit`, `assign` and `restore`, where no `--patch` is given"),
    ("GITSESSION_CLIENT", "the client that commands come from, as `--client`: the name that a program gives itself"),
    ("GITSESSION_LOCK_TOKEN", "the number of the lock that one works under: no branch is moved once that is over"),
    ("GITSESSION_CHANGED", "what `git session watch` tells its command: the paths that changed, one a line"),
    ("GITSESSION_USER", "`Name <email>`: who makes sessions, patches and steps; else git's own author"),
    (
        "LOCK_DEFAULT_TTL, LOCK_WAIT_TIMEOUT, SESSION_TTL, SESSION_HEARTBEAT",
        "settings of locks and clients, also as `GITSESSION_…`, if git's configuration says none (docs/recording.md)",
    ),
    ("NO_COLOR", "set and not empty: no colour, as without a terminal"),
    ("GITSESSION_DAEMON", "`never`: no daemon is started; each command records, answers and ends"),
    ("CI", "`true`: likewise"),
)

INTRO = """\
# Commands

Data goes to stdout, hints to stderr. Every command takes `-s NAME|ID` (another session than that of this
directory or of `$GITSESSION`) and `--json` (one object with `"v": 1`; `events` prints one a line). An error
is told on stderr,

    error: what could not be done
    hint: the command to run

or, with `--json`, `{"v": 1, "error": {"code": …, "message": …, "hint": …}}` on stdout; a refusal may also
have a `reason` ([protocol.md](protocol.md#reasons)). Where several commands are useful each has a `hint:` line
of its own; in JSON they are one text of several lines. Paths are typed as seen from the current directory, and
printed from the top of the worktree.

What follows is the output of `git session COMMAND -h` without the exit codes, which are the same everywhere.

"""

CHANGES = """
## What changes your files

Only these commands. Recording and every other command write below `.git/gitsession`, refs below `refs/gitsession/`,
one line in `.git/info/exclude`, and `.gitsession/`, which that line keeps out of git. To save one of the
[control files](control-files.md) there is the same as the command it stands for.

| command | branches, HEAD and index | files |
|---|---|---|
| `start` in this checkout | makes the branch `session/NAME` and puts HEAD on it | none |
| `start` in a worktree | makes the branch | those of the new worktree |
| `commit`; `patch ready`, `merge` and `close` too, for what is uncommitted | the session's branch; in the index, the \
paths committed | none |
| `merge`; `close` too, for each ready patch | the target branch; where it is checked out, its index | where it is \
checked out: the paths the merge changes, never one with other changes of yours |
| `revert` | the target branch; where it is checked out, its index | as `merge` |
| `publish` | none here but the remote-tracking branch, as with every `git push`; on the remote, the branches it names \
| none |
| `push` | as `publish`; where the remote has gone on, the target branch as `merge` | as `merge` |
| `update` | the session's branch and the index, as `git rebase` would, but what is staged stays staged | those that \
the target changed, with your edits in them |
| `restore`, `patch abandon --discard` | none | what they name; it is recorded first |
| `close --remove` | removes the branch, if all is merged | removes the worktree, if nothing in it would be lost |
| `hooks install`, `hooks uninstall`, `uninstall` | none; your git hooks and, where it is set, `core.hooksPath` | \
none; with `--agent`, that agent's settings |
| `exec -- CMD`, `watch -- CMD` | what CMD does | what CMD does |
| `uninstall --hard` | removes the sessions' branches | none of yours |
"""

STATUS = """
## JSON of status

`git session status --json`. Times are RFC 3339 in UTC; `lines` are 1-based and inclusive, of the file on disk,
and `[k, k - 1]` is a deletion before line k; paths are spelled as `git ls-files` does with `core.quotePath=false`.
`{id, name}` names a patch or a session. Other commands give the same objects (docs/protocol.md).

| object | fields |
|---|---|
| reply | `v` 1, `session`, `patches`, `unassigned`, `editors`, `current_editor` (the number last switched to), \
`conflicts` (open; not of kind file_edit: these are `collisions`), `claims`, `locks`, `collisions`, `gaps`, \
`warnings` (sentences), `ready` (names of patches), `recording_left` (paths still to be recorded), \
`hints` (commands, the most useful first) |
| session | `id`, `name`, `description`, `status` open\\|closed\\|abandoned, `base`, `target`, `branch`, \
`worktree`, `worktree_id`, `state` live\\|parked\\|no worktree, `parked` (why, or null), `git_at_work` \
rebase\\|am\\|merge\\|cherry-pick\\|revert (the git command that stopped there, or null), `created_at`, \
`created_by`, `closed_at`, `collaborators` [{`user`, `role`}], `organization`, `patch_in_use` (id), \
`behind` (commits the target has more; null: it is gone, or has none in common), \
`upstream` {`name`, `ahead`, `behind`} (of the target, as last fetched, or \
null), `step` (number of the last) |
| patch | `id`, `session_id`, `name`, `description`, `status` \
draft\\|ready\\|conflicts\\|merged\\|abandoned, `ops` (how many), `ready_to_merge`, `blockers` [{`code`, \
`message`, `hint`}], `depends_on` [{id, name}], `base`, `tip` (last commit of its series, null before \
the first), `commits`, `owner`, `created_by`, `created_at`, `merged_at`, `merge_commit`, \
`merge_strategy` merge\\|rebase\\|squash\\|elsewhere, `conflicts` (ids), `published` [{`remote`, `branch`, \
`commit`, `current` (the commits it has now), `at`, `url`}] |
| unassigned edit | `path`, `kind` line\\|add\\|delete\\|rename\\|mode\\|content, `lines`, `reason` (a \
sentence), `code` (for programs), `choices` [{id, name}] |
| editor | `number`, `program`, `target`, `path`, `patch` {id, name} (null: several or none), `patches` \
[{id, name}], `changed` (the session changes the file; else it is open only), `modified` (an editor has unsaved \
changes), `last_saved_at`, `client`, `state` open\\|crashed\\|quit\\|unknown, `pid`, `user`, `host` (null: this one), \
`opened_at`, `sources` (where `program`, `state`, `modified`, `last_saved_at` come from: process\\|swap file\\|lock \
link\\|lock file\\|save manner\\|recorded\\|unknown), `others` [{`program`, `pid`, `host`, `state`, `modified`}] \
([editors.md](editors.md)) |
| conflict | `id`, `kind` file_edit\\|git_merge\\|context_switch\\|resource_lock\\|state_divergence\\|git_revert, \
`shape`, `path`, `patch` {id, name}, `status` open\\|resolved\\|stale, `message`, `labels` [base, ours, \
theirs], `base`, `ours`, `theirs` (each {`oid`, `mode`, `path`}), `created_at`, `resolved_at`, \
`resolved_by` (auto: git combined it by itself), `how`, `resolved_as` (the path it will have; null: none), \
`lock` (of kind resource_lock, else null: `token`, `client`, `who`, `session`, `saves`: whose lock was saved over, \
and how often), `denied` (of a lock asked for in vain, else null: `name`, `client`, `who`, `session`, `times`: what \
for, by whom, and how often; `lock` is then whose it was), `left` (what was left behind at a switch, else null: `to`, \
`client`, `unassigned`, `unsaved`, `locks`), `resource` (as locks name it), `sessions` (ids of those it \
is between) |
| lock | `name`, `path` (null: it is no file), `mode` X\\|U, `token`, `client`, `who`, `session` {id, name} of its \
holder, `own` (this session's), `reason`, `expires_in` (seconds, if nobody renews it), `until` |
| collision | `path`, `symbol`, `with_session` {id, name}, `with_patch` {id, name}, `level` \
open\\|path\\|overlap\\|conflict, `program` and `modified` of an editor that has it open there |
| claim | `paths` (files, or directories with all below; none: every path that nobody claims by name), `patch` \
{id, name}, `by`, `at`, `proven` (an agent's: only edits that were proven to be its writes are the patch's) |
| gap | `since`, `until`: nothing was recorded between; what was found then is recorded |
"""


def commands(group: click.Group, path: str = PROGRAM) -> Iterator[tuple[str, click.Command]]:
    """Every command with the words it is called by, a group before its members."""
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        elif not command.hidden:
            yield f"{path} {name}", command


def help_of(path: str, command: click.Command) -> str:
    """What ``-h`` prints at a fixed width, without the exit codes."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, info_name=path, **settings)
    epilog, command.epilog = command.epilog, None
    try:
        return command.get_help(context)
    finally:
        command.epilog = epilog


def cli_page() -> str:
    """docs/cli.md."""
    out = [INTRO]
    out.append("## Exit codes\n\n| code | meaning |\n|---|---|\n")
    out += [f"| {code} | {EXIT_WORDS[code]} |\n" for code in EXIT_CODES]
    out.append(CHANGES)
    out.append("\n## Environment\n\n| variable | meaning |\n|---|---|\n")
    out += [f"| `{name}` | {words} |\n" for name, words in ENVIRONMENT]
    out.append(STATUS)
    for path, command in commands(root):
        out.append(f"\n## {path}\n\n```\n{help_of(path, command)}\n```\n")
    return "".join(out)


def man_page() -> str:
    """docs/git-session.1, in the man(7) macros; `git session --help` shows it where it is installed."""
    out = ['.TH GIT-SESSION 1 "" "gitsessiond" "Git Manual"', ".SH NAME"]
    out.append("git-session \\- record every save, sort the edits into patches, merge them one by one")
    out += [".SH SYNOPSIS", ".B git session", "[-s NAME|ID] [--json] [COMMAND] [ARGS]..."]
    out += [".SH DESCRIPTION", *roff(root.help or "")]
    out.append(".SH COMMANDS")
    for path, command in commands(root):
        if isinstance(command, click.Group):
            continue
        context = click.Context(command, info_name=path, **command.context_settings)
        pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
        out += [".SS " + escaped(" ".join([path, *pieces])), *roff(command.help or "")]
        for option in command.params:
            record = option.get_help_record(context) if isinstance(option, click.Option) else None
            if record and not {"--json", "--session"} & set(option.opts):
                out += [".TP", ".B " + escaped(record[0]), escaped(record[1])]
    out.append(".SH EXIT STATUS")
    for code in EXIT_CODES:
        out += [".TP", f".B {code}", escaped(EXIT_WORDS[code])]
    out.append(".SH ENVIRONMENT")
    for name, words in ENVIRONMENT:
        out += [".TP", f".B {name}", escaped(words)]
    out += [".SH SEE ALSO", ".BR git (1),", ".BR git-worktree (1),", ".BR git-merge (1)"]
    return "\n".join(out) + "\n"


def roff(text: str) -> list[str]:
    """Paragraphs as man(7) lines; the first line of a command's help becomes a sentence."""
    out: list[str] = []
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        words = " ".join(paragraph.split())
        ended = words if words.endswith((".", ":", "?")) else words + "."
        out += [".PP"] * bool(number) + [escaped(ended)]
    return out


def escaped(text: str) -> str:
    """Text that man(7) prints as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("…", "...")
    return "\\&" + plain if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    sys.stdout.write({"cli": cli_page, "man": man_page}[sys.argv[1]]())
