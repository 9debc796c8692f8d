"""Replies as sentences, compared whole."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from gitsessiond.faces.cli import checklines, difflines, lines, loglines, mergelines
from gitsessiond.faces.cli.terminal import Look, encoded
from gitsessiond.faces.cli.times import local_time
from gitsessiond.faces.cli.words import listed, place, plural
from tests.faces import replies

FIRST = {"id": replies.VALIDATION, "name": "validation-enhancements"}


def started(**changes: Any) -> dict[str, Any]:
    reply = {"session": replies.session(), "new_worktree": False, "why": None, "before": [], "offered": []}
    return reply | {"warnings": []} | changes


def test_a_start_here_says_so() -> None:
    """A session in this checkout is told in one sentence with its branch."""
    assert lines.start_lines(started(), "/home/shop") == [
        "Session user-improvements on main at 3f2c1ab, here (branch session/user-improvements). Edit with any editor."
    ]
    assert lines.start_hints(started(), "/home/shop") == []


def test_a_start_elsewhere_says_where_and_why() -> None:
    """A session in a new worktree is told with the way there, the reason, and what was not carried along."""
    session = replies.session(name="fix-login", worktree="/home/shop.sessions/fix-login", base="9d01e77" + "0" * 33)
    reply = started(
        session=session,
        new_worktree=True,
        why="this checkout carries user-improvements",
        offered=["node_modules"],
    )
    assert lines.start_lines(reply, "/home/shop") == [
        "Session fix-login on main at 9d01e77, in ../shop.sessions/fix-login (this checkout carries user-improvements)"
    ]
    assert lines.start_hints(reply, "/home/shop") == [
        "node_modules not copied; copy or link what the new worktree needs",
        "cd ../shop.sessions/fix-login",
    ]


def test_a_worktree_with_odd_bytes_is_typed_as_it_is() -> None:
    """A quoted path of a reply becomes the path a shell takes."""
    session = replies.session(worktree='"/home/a\\tb"')
    assert lines.start_hints(started(session=session, new_worktree=True), "/home") == ["cd 'a\tb'"]


def test_close_lists_merged_failed_and_abandoned() -> None:
    """Each patch of a close is told with what became of it, and the hints say what to do about the rest."""
    reply = {
        "session": replies.session(),
        "merged": [FIRST | {"commit": replies.OID}],
        "failed": [
            {
                "id": "x",
                "name": "b",
                "error": {"code": "conflicts", "message": "1 conflict", "hint": "git session conflicts"},
            }
        ],
        "abandoned": [{"id": "y", "name": "c"}],
        "unassigned": [replies.row("shop/db.py", (2, 4))],
        "already": False,
        "dry_run": False,
    }
    assert lines.close_lines(reply) == [
        "Closed session user-improvements: 1 merged, 1 failed, 1 abandoned.",
        "  merged validation-enhancements as 1a2b3c4",
        "  failed b: 1 conflict",
        "  abandoned c",
        "  1 unassigned edit did not land: shop/db.py:2-4",
    ]
    assert lines.close_hints(reply) == [
        "git session conflicts",
        f"git session reopen -s {replies.SID}",
    ]
    assert lines.close_lines(reply | {"already": True}) == ["Session user-improvements is already closed."]


def test_a_new_patch_says_what_it_took_and_left() -> None:
    """The edits that went to a new patch are named, and those that stayed with their reasons."""
    reply = {
        "patch": replies.validation(),
        "taken": [replies.placed("shop/user.py", (5, 5)), replies.placed("tests/test_user.py")],
        "left": [replies.row("notes.txt", reason="was there before the session")],
    }
    assert lines.new_patch_lines(reply) == [
        "Patch validation-enhancements with 2 edits: shop/user.py:5 and tests/test_user.py (new file)."
        " New edits go to it.",
        "  left unassigned: notes.txt (new file; was there before the session)",
    ]


def test_patches_are_listed_with_the_right_number_of_ops() -> None:
    """(3 ops) and (1 op), in the order of the session."""
    reply = {"patches": [replies.validation(), replies.performance(depends_on=[FIRST])]}
    assert lines.patch_list_lines(reply) == [
        "nnnn  validation-enhancements (3 ops, ready to merge)",
        "pppp  performance-optimizations (1 op, draft, needs validation-enhancements)",
    ]
    assert lines.patch_list_lines({"patches": []}) == ["No patch yet."]


def test_a_patch_is_shown_with_ops_edits_and_commits() -> None:
    """patch show has one block for each kind of fact, and none for what is not there."""
    op = {"kind": "rename", "path": "b.py", "old_path": "a.py", "blob": None, "old_blob": None, "names": []}
    reply = {
        "patch": replies.validation(description="two\nlines"),
        "ops": [op, op | {"kind": "add", "path": "c.py", "old_path": None}],
        "edits": [replies.placed("b.py", (3, 4), why="lines"), replies.placed("b.py", (9, 8))],
        "series": [{"oid": replies.OID, "of": None, "subject": "Check \033 mail"}],
    }
    assert lines.patch_show_lines(reply) == [
        "Patch validation-enhancements (3 ops, ready to merge)",
        "  two",
        "  lines",
        "Owner: Ann <ann@example.org>",
        "Created: 2026-01-02 03:04:05",
        "Ops:",
        "  renamed a.py to b.py",
        "  added c.py",
        "Edits:",
        "  b.py:3-4",
        "  b.py (deletion before line 9)",
        "Commits:",
        "  1a2b3c4 Check ? mail",
    ]


def test_use_tells_where_edits_go_and_which_claims_stand() -> None:
    """patch use answers with the patch, the paths it was for, or that none is in use."""
    claims = [replies.claim(["db.py"], FIRST), replies.claim([], FIRST)]
    assert lines.use_lines({"patch": replies.validation(), "claims": claims}) == [
        "New edits go to validation-enhancements.",
        "  claimed: db.py for validation-enhancements",
        "  claimed: every path for validation-enhancements",
    ]
    only = {"patch": replies.validation(), "claims": []}
    assert lines.use_lines(only, ("db.py",)) == ["New edits of db.py go to validation-enhancements."]
    assert lines.use_lines({"patch": None, "claims": []}) == ["No patch is in use."]


def test_validate_gives_every_reason() -> None:
    """A patch that cannot be merged is told with all reasons and their commands."""
    blockers = [
        {"code": "dependency", "message": "a must be merged first", "hint": "git session merge a"},
        {"code": "draft", "message": "it is a draft", "hint": None},
    ]
    reply = {"patch": replies.validation(), "blockers": blockers, "warnings": ["no description"]}
    assert checklines.validate_lines(reply) == [
        "validation-enhancements cannot be merged: 2 reasons.",
        "  a must be merged first (git session merge a)",
        "  it is a draft",
        "  warning: no description",
    ]
    reply = {"patch": replies.validation(), "blockers": [], "warnings": []}
    assert checklines.validate_lines(reply) == ["validation-enhancements can be merged."]


def test_a_diff_is_coloured_as_git_does() -> None:
    """With colour each line has git's own; without, not a byte is changed."""
    text = "diff --git a/a b/a\n@@ -1 +1 @@\n-x\n+y\n z\n\\ No newline"
    assert difflines.diff_text({"diff": text}, Look()) == text
    painted = difflines.diff_text({"diff": text + "\n"}, Look(colour=True))
    assert painted.splitlines()[2:5] == ["\033[31m-x\033[0m", "\033[32m+y\033[0m", " z"]


def test_assign_tells_what_moved_and_what_stayed() -> None:
    """Moved edits are counted and named, refused ones have their reason."""
    reply = {
        "patch": replies.validation(),
        "moved": [replies.placed("a.py", (1, 2))],
        "refused": [{"path": "b.py", "lines": [4, 4], "reason": "c builds on these lines"}],
        "already": [],
        "choices": [],
    }
    assert lines.assign_lines(reply) == [
        "1 edit to validation-enhancements: a.py:1-2",
        "refused: b.py:4: c builds on these lines",
    ]


def test_merge_says_landed_would_land_or_clashes() -> None:
    """The three ends of a merge, with the way out of the third."""
    landed = {
        "merged": True, "patch": replies.validation(), "target": "main", "commit": replies.OID, "files": 3,
        "strategy": "merge", "commits": 1, "conflicts": [], "dry_run": False, "message": "", "output": "",
    }  # fmt: skip
    assert mergelines.merge_lines(landed) == ["Merged validation-enhancements into main as 1a2b3c4: 3 files."]
    rebased = landed | {"strategy": "rebase", "commits": 2}
    assert mergelines.merge_lines(rebased) == [
        "Merged validation-enhancements into main as 1a2b3c4 (rebase, 2 commits): 3 files."
    ]
    assert mergelines.merge_lines(landed | {"strategy": "squash"})[0].endswith("1a2b3c4 (squash): 3 files.")
    back = {
        "patch": replies.validation(), "target": "main", "commit": replies.OID, "files": 1, "reverted": True,
        "conflicts": [],
    }  # fmt: skip
    again = " It is a draft again, with its edits."
    assert mergelines.revert_lines(back) == [f"Reverted validation-enhancements on main as 1a2b3c4: 1 file.{again}"]
    assert mergelines.revert_lines(back | {"commit": None})[0].startswith("main has nothing of validation-enhancements")
    stopped = back | {"commit": None, "reverted": False}
    assert "stays merged" in mergelines.revert_lines(stopped)[0] and mergelines.revert_hints(stopped) == []
    clashing = stopped | {"conflicts": [replies.conflict() | {"kind": "git_revert"}]}
    first, row, way = mergelines.revert_lines(clashing)
    assert "save it without markers" in way
    assert first == "validation-enhancements was not reverted on main: 1 conflict." and "revert of" in row
    assert mergelines.revert_hints(clashing)[-1] == "git session revert validation-enhancements --abort"
    dry = landed | {"merged": False, "commit": None, "dry_run": True, "files": 1}
    assert mergelines.merge_lines(dry) == ["validation-enhancements would merge into main without conflict: 1 file."]
    clash = landed | {
        "merged": False,
        "commit": None,
        "patch": replies.performance(),
        "conflicts": [replies.conflict()],
    }
    assert mergelines.merge_lines(clash) == [
        "performance-optimizations did not land on main: 1 conflict.",
        "  tttu  shop/user.py (content, performance-optimizations)",
        "Edit .gitsession/conflicts/tttuuuvvvwww/shop/user.py in any editor and save it without markers,"
        " or resolve it by a command.",
    ]
    assert mergelines.merge_hints(clash) == [
        "git session conflict show tttu",
        "git session resolve tttu",
        "git session merge performance-optimizations",
    ]


def test_a_resolution_tells_what_is_left() -> None:
    """After the last conflict the hint is the merge it was for."""
    settled = replies.conflict(status="resolved", how="ours", resolved_by=replies.ANN)
    reply = {"conflict": settled, "left": [], "patch": replies.performance()}
    assert mergelines.resolve_lines(reply) == ["Resolved shop/user.py with ours. No conflict is left."]
    renamed = reply | {"conflict": settled | {"how": "union", "resolved_as": "shop/person.py"}}
    assert mergelines.resolve_lines(renamed) == [
        "Resolved shop/user.py with union as shop/person.py. No conflict is left."
    ]
    assert mergelines.resolve_hints(reply) == ["git session merge performance-optimizations"]
    assert mergelines.conflicts_lines({"conflicts": [settled]}) == [
        "tttu  shop/user.py (content, performance-optimizations, resolved with ours, Ann <ann@example.org>)"
    ]


def test_a_conflict_is_shown_with_its_markers_or_its_sides() -> None:
    """Text has its marked form, all else a line for each side; both say what the sides are for, and the way on."""
    reply = replies.shown_conflict()
    shown = mergelines.conflict_show_lines(reply)
    assert shown[-2:] == ["c", ">>>>>>> p"] and "  theirs: Speed up login" in shown
    assert mergelines.conflict_show_hints(reply) == ["git session resolve tttuuu"]
    known = replies.shown_conflict(remembered=True)
    assert mergelines.conflict_show_hints(known) == ["git session resolve tttuuu --remembered"]
    assert mergelines.conflict_show_lines(known)[-1] == "This was resolved before."
    whole = replies.shown_conflict(marked=None, hunks=[])
    assert mergelines.conflict_show_lines(whole)[-2] == "theirs: link to x"
    assert mergelines.conflict_show_lines(whole)[-1] == "Leaving one of these lines in its file takes that side."
    assert mergelines.conflict_show_hints(whole) == [
        f"git session resolve tttuuu --{one}" for one in ("ours", "theirs")
    ]


def test_a_conflict_in_a_long_file_is_shown_by_its_places() -> None:
    """Three lines above and below each, no line twice; all of the text where no place is left."""
    first, second = "<<<<<<< o\n1\n||||||| b\n=======\n>>>>>>> t\n", "<<<<<<< o\n||||||| b\n=======\n2\n>>>>>>> t\n"
    above, below = "".join(f"above {n}\n" for n in range(90)), "".join(f"below {n}\n" for n in range(90))
    text = f"{above}{first}between\n{second}{below}"
    sides = {"ours": "", "base": "", "theirs": "", "remembered": None}
    hunks = [sides | {"line": 91, "text": first}, sides | {"line": 97, "text": second}]
    reply = replies.shown_conflict(text=text, marked=text, hunks=hunks)
    shown = mergelines.conflict_show_lines(reply)
    at = shown.index("shop/user.py:91, place 1 of 2")
    assert shown[at + 1 :] == [
        "above 87", "above 88", "above 89", *first.split("\n")[:-1], "between",
        "", "shop/user.py:97, place 2 of 2", *second.split("\n")[:-1], "below 0", "below 1", "below 2",
    ]  # fmt: skip
    assert "below 89" in mergelines.conflict_show_lines(reply | {"hunks": []})


def test_what_git_combined_is_shown_with_what_it_made() -> None:
    """By nobody, so no name; the way on is to open it, which says how to settle it."""
    one = replies.conflict(status="resolved", how="auto", resolved_by="auto")
    assert mergelines.conflicts_lines({"conflicts": [one]}) == [
        "tttu  shop/user.py (content, performance-optimizations, resolved by git itself)"
    ]
    shown = replies.shown_conflict(conflict=one, result="d\n", hunks=[])
    assert mergelines.conflict_show_lines(shown)[-2:] == ["git made of it:", "d"]
    assert mergelines.conflict_show_hints(shown) == ["git session conflict reopen tttuuu"]
    reply = {"conflict": replies.conflict(), "left": [], "patch": replies.performance(), "reopened": True}
    assert mergelines.reopen_lines(reply)[0] == "shop/user.py is open again: tttuuu"
    assert mergelines.reopen_lines(reply | {"reopened": False}) == ["shop/user.py is already open."]
    assert mergelines.reopen_hints(reply)[-1] == "git session merge performance-optimizations"


def test_a_conflict_of_no_patch_says_whose_it_is() -> None:
    """An unassigned edit and a staged file that clash at one path are two rows to tell apart; stale words read."""
    rows = mergelines.conflicts_lines({
        "conflicts": [
            replies.conflict(patch=None, labels=["base", "main", whose]) for whose in ("unassigned edits", "staged")
        ] + [replies.conflict(status="stale", how="union")]
    })  # fmt: skip
    assert [row.split("  ", 1)[1] for row in rows] == [
        "shop/user.py (content, unassigned edits)",
        "shop/user.py (content, staged)",
        "shop/user.py (content, performance-optimizations, resolution with union is stale)",
    ]


def test_the_hint_of_conflicts_is_one_that_is_open() -> None:
    """One whose resolution is stale comes after."""
    stale, still_open = replies.conflict(status="stale"), replies.conflict(id="uuuuvvvvwwww")
    hints = mergelines.conflicts_hints({"conflicts": [stale, still_open]})
    assert hints == ["git session conflict show uuuu"]
    assert mergelines.conflicts_hints({"conflicts": [stale]}) == ["git session conflict show tttu"]


def test_a_ready_patch_names_all_that_goes_before_it() -> None:
    """In one sentence."""
    needs = [{"id": name * 12, "name": name} for name in ("b", "c")]
    blockers = [
        {"code": "dependency", "message": f"{one['name']} must be merged first", "hint": "", "patch": one["id"]}
        for one in needs
    ]
    patch = replies.performance(depends_on=needs, blockers=blockers)
    (line,) = lines.ready_lines({"patch": patch, "commit": None}, False)
    assert line == "performance-optimizations is ready, but b and c must be merged first."


def test_history_lines_up() -> None:
    """Numbers to the right, verbs in a column, ids of actions in brackets."""
    steps = [
        {"number": 10, "id": "kkkkllllmmmm", "verb": "patch new", "at": replies.AT, "by": "", "text": "p", "paths": []},
        {"number": 9, "id": None, "verb": "save", "at": replies.AT, "by": "", "text": "",
         "paths": [{"path": "a.py", "change": "modified"}]},
    ]  # fmt: skip
    assert loglines.history_lines({"steps": steps}, UTC) == [
        "10  2026-01-02 03:04:05  patch new  p  [kkkkll]",
        " 9  2026-01-02 03:04:05  save       a.py",
    ]


def test_history_says_who_where_several_did_something() -> None:
    """Alone, or where nobody is known, it would only be noise."""
    step = {"number": 2, "id": None, "verb": "invite", "at": replies.AT, "by": replies.ANN, "text": "Bob", "paths": []}
    steps = [step, step | {"number": 1, "by": "bob@x"}, step | {"number": 0, "by": ""}]
    assert [line.partition("Bob")[2] for line in loglines.history_lines({"steps": steps}, UTC)] == [
        "  by Ann", "  by bob@x", "",
    ]  # fmt: skip
    assert "by" not in "".join(loglines.history_lines({"steps": [step, steps[2]]}, UTC))


def test_restore_and_its_way_back() -> None:
    """What was restored, from where, and how to undo it."""
    reply = {"restored": ["a.py"], "from": 4, "step": 9}
    assert loglines.restore_lines(reply) == ["Restored a.py from step 4; this is step 9."]
    assert loglines.restore_hints(reply) == ["git session restore a.py --at 8"]
    assert loglines.restore_lines(reply | {"restored": []}) == ["Nothing to restore: all is as in step 4."]


def test_an_event_is_one_line() -> None:
    """Sequence, time, type and facts of any event, no field of it as Python prints it."""
    event = {
        "v": 1, "seq": 4, "ts": replies.AT, "type": "saved", "session": replies.SID, "text": "a.py and b.py", "paths": ["a.py", "b.py"],
        "patch": FIRST, "number": 12, "nothing": None, "none": [], "edits": [replies.placed("a.py", (1, 2))],
    }  # fmt: skip
    assert loglines.event_line(event, UTC) == (
        "4 03:04:05 saved a.py and b.py"
        " (patch: validation-enhancements, number: 12, edits: a.py:1-2 to validation-enhancements)"
    )
    day = local_time(replies.AT, UTC).date()
    assert loglines.event_line(event, UTC, day).startswith("4 03:04:05 saved ")
    assert loglines.event_line(event, UTC, day + timedelta(days=1)).startswith("4 2026-01-02 03:04:05 saved ")


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (
            {
                "type": "lock_denied", "client": "bob", "resource_id": "path/src/", "resource": "path/src/", "mode": "X", "named": True,
                "channel": "session", "held_by": {"client": "ann", "name": "path/src/a.py"},
            },
            "lock_denied src/ (client: bob, mode: X, held by: ann)",
        ),
        ({"type": "file_changed", "channel": "session", "path": "a.py", "change": "added"}, "file_changed a.py (change: added)"),
    ],
)  # fmt: skip
def test_an_event_says_what_it_is_about(facts: dict[str, Any], wanted: str) -> None:
    """A path or what is locked stands where a sentence would; what only programs want is left out."""
    assert (
        loglines.event_line({"v": 1, "seq": 4, "ts": replies.AT, "session": None, **facts}, UTC)
        == f"4 03:04:05 {wanted}"
    )


def test_doctor_says_ok_warn_fail_or_fixed() -> None:
    """One row for each check."""
    checks = [
        {"name": "journal", "state": "ok", "message": "", "fixed": False},
        {"name": "refs", "state": "ok", "message": "one is gone", "fixed": True},
        {"name": "packs", "state": "fail", "message": "damaged", "fixed": False},
        {"name": "disk", "state": "warn", "message": "little is free", "fixed": False},
    ]
    assert loglines.doctor_lines(checks) == [
        "ok     journal",
        "fixed  refs: one is gone",
        "fail   packs: damaged",
        "warn   disk: little is free",
    ]


@pytest.mark.parametrize(("count", "words"), [(0, "0 patches"), (1, "1 patch"), (2, "2 patches")])
def test_plural(count: int, words: str) -> None:
    """One is one, none and many are many."""
    assert plural(count, "patch", "patches") == words


def test_lists_of_words() -> None:
    """Commas, and an and before the last."""
    assert [listed(w) for w in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_places() -> None:
    """Lines are 1-based and inclusive; an empty range is a deletion; whole-file facts have a word."""
    rows = [
        replies.row("a", (3, 5)),
        replies.row("a", (3, 3)),
        replies.row("a", (3, 2)),
        replies.row("a"),
        replies.row("a", kind="mode"),
    ]
    assert [place(row) for row in rows] == [
        "a:3-5",
        "a:3",
        "a (deletion before line 3)",
        "a (new file)",
        "a (mode)",
    ]


def test_bytes_that_are_not_utf8_come_out_as_they_were() -> None:
    """Surrogate escapes are written as their bytes, and what an encoding lacks as question marks."""
    assert encoded("a\udcff", "utf-8") == b"a\xff"
    assert encoded("a├", "ascii") == b"a?"


@pytest.mark.parametrize("kind", ["file_edit", "context_switch"])
def test_a_conflict_that_only_tells_is_one_line(kind: str) -> None:
    """Its message, and that it is over; nothing to settle."""
    left = {"to": "l" * 12, "client": "ann", "unassigned": ["a.txt"], "unsaved": [], "locks": []}
    facts = {
        "kind": kind,
        "patch": None,
        "message": "what there is",
        "left": left if kind == "context_switch" else None,
    }
    one = replies.conflict(**facts)
    assert mergelines.conflicts_lines({"conflicts": [one]}) == ["tttu  what there is"]
    assert mergelines.conflicts_lines({"conflicts": [one | {"status": "resolved"}]}) == ["tttu  what there is, over"]
    assert mergelines.conflicts_hints({"conflicts": [one]}) == []
    assert mergelines.conflict_show_lines({"conflict": one}) == ["tttu  what there is"]
    assert mergelines.conflict_show_hints({"conflict": one}) == ["git session"]


def test_a_conflict_about_a_lock_asks_for_nothing() -> None:
    """One sentence, whether it counts or is over; the way on is to look who has what."""
    one = replies.conflict(kind="resource_lock", message="a.txt was saved while it was locked by Ann in cents")
    row = "tttu  a.txt was saved while it was locked by Ann in cents"
    assert mergelines.conflicts_lines({"conflicts": [one]}) == [row]
    assert mergelines.conflicts_lines({"conflicts": [one | {"status": "stale"}]}) == [f"{row}, over"]
    assert mergelines.conflicts_hints({"conflicts": [one]}) == []
    shown = replies.shown_conflict(conflict=one)
    assert mergelines.conflict_show_lines(shown) == [row]
    assert mergelines.conflict_show_hints(shown) == ["git session locks"]
