"""``git session help agent``: a page to paste where a coding agent reads its instructions."""

from __future__ import annotations

PAGE = """\
# Working in a repository with `git session`

This repository may be watched by gitsessiond: every save of any file is recorded, and each edit belongs to a *patch*,
one logical change that can be merged alone. You edit files as always; no editor and no plug-in is involved.
Look with `git session --json` (your session, its patches, what has no patch, conflicts; exit 10: no session here).

## The loop

1. A change of its own gets a patch of its own, before the first edit: `git session patch new NAME -m "what it does"`.
   New edits go to it. To go on with another one: `git session patch use NAME`. Several patches may change one file.
   Where others edit too, claim what is yours: `git session patch use NAME PATH...` (exit 11: another patch has it,
   leave it alone), and `export GITSESSION_PATCH=NAME`; `git session patch use - PATH...` releases it.
   With `git session hooks install --agent TOOL` all this is done for you: your patch is named after you, and an edit
   that is refused tells whose the path is.
2. Edit, run tests. Commit with `git session commit -m "..." [--patch NAME]`, or `git commit` as ever: edits of several
   patches in one commit stay with their patches.
3. `git session unassigned --json` lists edits whose patch is not certain, with the reason. Say whose they are:
   `git session assign PATH[:FROM-TO] --patch NAME`. Do not leave any behind.
4. `git session patch validate NAME --json` tells everything that keeps a patch from being merged. It runs the check of
   this repository (`gitsession.check`) on the merged files.
5. `git session patch ready NAME` when it is done. Merge only if you were asked to: `git session merge NAME`.

## Rules

- Do not `git stash`, `git checkout -- .`, `git reset --hard` or `git clean` to get a clean tree: other changes, and
  other people's, live in it. `git session patch diff NAME` shows one patch alone; `git session restore PATH --at N`
  brings back any save (`git session history PATH --json` has the numbers).
- Work of your own beside others': `git session start NAME` makes a session; where this checkout is taken it gets a
  worktree (its path: `git session switch NAME`). `GITSESSION=NAME` names your session for every command.
- Where others use git at the same moment, put `git session exec --` before `git add`, `git commit`, `git worktree add`,
  `git push`: it waits for its turn where git alone fails on a lock.
- Say who you are: `export GITSESSION_CLIENT=NAME`. `git session clients` lists who else is at work here.
- Never push `refs/gitsession/*` or branches `session/*`.
- A conflict (exit 3) moves nothing. `git session conflicts --json`; edit the file under `.gitsession/conflicts/` and
  save it without markers, or `git session resolve ID --ours|--theirs|--file F`; then run the same command again.

## Reading answers

Every command takes `--json`: one object with `"v": 1` on stdout; an error is `{"v": 1, "error": {"code", "message",
"hint"}}`, and its hint is the command to run next. Questions are never asked without a terminal (`--yes`).
Exit codes: 0 done, 2 usage, 3 conflicts, 4 refused in this state, 10 no such thing, 11 claimed by another, 12 moved
meanwhile (run it again), 13 no daemon, 15 git or the disk refused. All commands: `git session -h`, and
`git session help COMMAND`.
"""
