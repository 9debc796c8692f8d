"""The panel, compared whole."""

from __future__ import annotations

from typing import Any

import pytest

from gitsessiond.faces.cli.editorwords import editor_lines, editor_row, recover_hint
from gitsessiond.faces.cli.glance import list_lines
from gitsessiond.faces.cli.panel import panel_lines
from gitsessiond.faces.cli.terminal import Look
from tests.faces import replies

PICTURE = """\
🔄 Session: user-improvements
   Enhancing user validation and profile features
   on main at 3f2c1ab, branch session/user-improvements

📝 Active Editors:
├── Editor 1: MyApp.User.validate (validation-enhancements patch)
├── Editor 2: MyApp.Database.User.findByEmail (performance-optimizations patch)
└── Editor 3: MyApp.User.Profile.render (unassigned)

📦 Patches in Session:
├── ✅ validation-enhancements (3 ops, ready to merge)
├── 📝 performance-optimizations (1 op, draft)
└── 🆕 Create new patch for Editor 3...

🔧 Actions:
├── git session merge validation-enhancements            merge this ready patch alone
├── git session merge performance-optimizations --ready  declare this patch ready and merge it
├── git session close                                    end the session; merges all ready patches
└── git session abandon                                  end the session; merges nothing, keeps your files

➜ git session merge validation-enhancements"""

LETTERS = """\
Session: user-improvements
   Enhancing user validation and profile features
   on main at 3f2c1ab, branch session/user-improvements, main is 1 ahead: git session update

Warnings:
`-- the index would revert b.py: `git add b.py`

Patches in Session:
|-- [=] groundwork (2 ops, merged as 1a2b3c4)
|-- [!] validation-enhancements (3 ops, 1 conflict)
|-- [ ] performance-optimizations (1 op, draft, in use, needs validation-enhancements)
|-- [x] experiment (0 ops, abandoned)
`-- [*] Create new patch for 2 unassigned edits...

Unassigned Edits:
|-- shop/user.py:10-12 (lines of validation-enhancements and performance-optimizations)
`-- notes.txt (new file; was there before the session)

Conflicts:
`-- tttu: shop/user.py (content, in validation-enhancements)

Also Changed Elsewhere:
`-- shop/user.py, also changed in fix-login (patch login-form)

Actions:
|-- git session conflict show tttu  see the clash in shop/user.py
|-- git session assign --all        choose a patch for 2 unassigned edits
|-- git session update              bring 1 new commit of main in
|-- git session patch new NAME      begin another patch
|-- git session close               end the session; merges all ready patches
`-- git session abandon             end the session; merges nothing, keeps your files

-> git session conflict show tttu"""


def drawn(status: dict[str, Any], **look: bool) -> str:
    return "\n".join(panel_lines(status, Look(**look)))


def test_the_picture_is_drawn_whole() -> None:
    """Header, editors, patches and actions stand as in the multi-editor picture, the next command last."""
    assert drawn(replies.status()) == PICTURE


def test_everything_at_once_in_letters() -> None:
    """--ascii draws the same facts, conflicts, collisions and warnings included, in ASCII alone."""
    patch = {"id": replies.VALIDATION, "name": "validation-enhancements"}
    status = replies.status(
        session=replies.session(patch_in_use=replies.PERFORMANCE, behind=1),
        patches=[
            replies.patch("qqqqkkkkllll", "groundwork", ops=2, status="merged", merge_commit=replies.OID),
            replies.validation(status="conflicts", ready_to_merge=False, conflicts=["tttuuuvvvwww"]),
            replies.performance(depends_on=[patch]),
            replies.patch("rrrrkkkkllll", "experiment", ops=0, status="abandoned"),
        ],
        editors=[],
        ready=[],
        unassigned=[
            replies.row(
                "shop/user.py",
                (10, 12),
                reason="lines of validation-enhancements and performance-optimizations",
            ),
            replies.row("notes.txt", reason="was there before the session"),
        ],
        conflicts=[replies.conflict(patch=patch)],
        collisions=[
            {
                "path": "shop/user.py",
                "symbol": None,
                "with_session": {"id": "kkkkkkkkkkkk", "name": "fix-login"},
                "with_patch": {"id": "llllllllllll", "name": "login-form"},
                "level": "path",
            }
        ],
        warnings=["the index would revert b.py: `git add b.py`"],
        hints=["git session conflict show tttu"],
    )
    assert drawn(status, ascii=True) == LETTERS
    assert drawn(status, ascii=True).isascii()


def test_two_loose_editors_are_two_rows() -> None:
    """Each editor whose work has no patch is offered a patch of its own."""
    editors = [replies.editor(1, "a.py", None), replies.editor(2, "b.py", None)]
    text = drawn(replies.status(editors=editors))
    assert "🆕 Create new patch for Editor 1..." in text
    assert "🆕 Create new patch for Editor 2..." in text


def test_an_editor_of_several_patches_names_them() -> None:
    """A file with edits of two patches is not called unassigned."""
    one = replies.editor(1, "a.py", None) | {
        "patches": [{"id": replies.VALIDATION, "name": "v"}, {"id": replies.PERFORMANCE, "name": "p"}]
    }
    assert "Editor 1: a.py (v and p patches)" in drawn(replies.status(editors=[one]))


def test_colour_paints_and_plain_does_not() -> None:
    """Escape sequences appear with colour only, and the words are the same."""
    coloured = drawn(replies.status(), colour=True)
    assert "\033[32mvalidation-enhancements\033[0m" in coloured
    assert "\033" not in PICTURE
    plain = coloured
    for code in ("0", "1", "2", "31", "32", "33", "34", "36", "1;33", "1;31"):
        plain = plain.replace(f"\033[{code}m", "")
    assert plain == PICTURE


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"patches": [], "hints": []}, "git session patch new NAME"),
        (
            {"patches": [], "hints": [], "unassigned": [replies.row("a.py", (1, 1))]},
            "git session patch new NAME",
        ),
        (
            {"patches": [replies.performance()], "hints": [], "unassigned": [replies.row("a.py", (1, 1))]},
            "git session assign --all",
        ),
        ({"patches": [replies.performance(ops=0)], "hints": []}, "git session status"),
        (
            {"patches": [replies.validation(status="merged", ready_to_merge=False)], "hints": []},
            "git session close",
        ),
        (
            {
                "session": replies.session(state="parked", parked="HEAD is on main"),
                "hints": ["git switch session/user-improvements"],
            },
            "git switch session/user-improvements",
        ),
        ({"session": replies.session(git_at_work="rebase"), "hints": []}, "git rebase --continue"),
        (
            {
                "session": replies.session(state="no worktree"),
                "hints": ["git worktree add /home/shop session/user-improvements"],
            },
            "git worktree add /home/shop session/user-improvements",
        ),
        ({"session": replies.session(status="closed"), "hints": []}, f"git session reopen -s {replies.SID}"),
        ({"patches": [replies.validation(name="a b")], "hints": []}, "git session merge 'a b'"),
    ],
)
def test_the_last_line_is_the_next_command(changes: dict[str, Any], last: str) -> None:
    """Whatever the state, the panel ends with one command that makes sense in it."""
    assert drawn(replies.status(editors=[], **changes)).rpartition("\n")[2] == "➜ " + last


def test_many_unassigned_edits_are_counted() -> None:
    """Ten rows are shown, the others are counted with the command that lists them."""
    rows = [replies.row(f"f{number}.py", (1, 1)) for number in range(25)]
    text = drawn(replies.status(unassigned=rows))
    assert "f9.py:1 " in text and "f10.py" not in text
    assert "└── and 15 more: git session unassigned" in text


def test_gaps_and_parking_are_told() -> None:
    """A time without recording, and a parked session, are among the warnings."""
    status = replies.status(
        session=replies.session(state="parked", parked="HEAD is on main"),
        gaps=[{"since": "2026-01-02T18:02:00Z", "until": "2026-01-03T08:15:00Z"}],
    )
    text = drawn(status)
    assert "parked: HEAD is on main; saves are recorded, sorting waits for session/user-improvements" in text
    assert "not recorded 2026-01-02 18:02 to 2026-01-03 08:15; what was found at 08:15 is recorded" in text


def test_names_of_others_cannot_repaint_the_terminal() -> None:
    """Control characters in names and reasons are shown as question marks."""
    status = replies.status(
        patches=[replies.performance(name="a\033[2Jb")], unassigned=[replies.row("x", reason="be\033cause")]
    )
    assert "\033" not in drawn(status)


def test_list_marks_the_session_of_this_directory() -> None:
    """One row for each session, a star for the one of this directory, the next command last."""
    here = replies.session() | {"open_patches": 2, "unassigned": 1}
    there = replies.session(
        id="llllkkkkkkkk",
        name="fix-login",
        worktree="/home/shop.sessions/fix-login",
        base="9d01e77" + "0" * 33,
    ) | {"open_patches": 1, "unassigned": 0, "collisions": []}
    assert list_lines({"sessions": [here, there]}, Look(), "/home/shop/src") == [
        "* kkkk  user-improvements  open  main at 3f2c1ab  2 open patches, 1 unassigned  ..",
        "  llll  fix-login          open  main at 3f2c1ab  1 open patch  ../../shop.sessions/fix-login".replace(
            "3f2c1ab", "9d01e77"
        ),
        "",
        "➜ git session status",
    ]


def test_the_list_says_who_shares_files() -> None:
    """With whom, of many the first three."""
    met = [{"with_session": {"id": "llllkkkkkkkk", "name": name}, "paths": 2} for name in ("a", "b", "c", "d", "e")]
    row = replies.session() | {"open_patches": 2, "unassigned": 0, "collisions": met}
    (line, *_) = list_lines({"sessions": [row]}, Look(), "/home/shop/src")
    assert line.endswith("  2 open patches, shares files with a, b, c and 2 more  ..")


def test_an_empty_list_says_how_to_begin() -> None:
    """Without a session the list is one sentence and the command to start one."""
    step = "-> git session start NAME"
    assert list_lines({"sessions": []}, Look(ascii=True), "/") == ["No open session.", step]
    assert list_lines({"sessions": []}, Look(ascii=True), "/", True) == ["No session yet.", step]


def test_a_patch_that_comes_to_nothing_is_offered_where_another_needs_it() -> None:
    """Its commits stand below the other's, which waits for it; alone it is not offered."""
    empty = replies.patch("qqqqkkkkllll", "groundwork", ops=0, commits=2, status="draft")
    needs = replies.performance(depends_on=[{"id": "qqqqkkkkllll", "name": "groundwork"}])
    assert "git session merge groundwork --ready" in drawn(replies.status(patches=[empty, needs], ready=[]))
    assert "git session merge groundwork --ready" not in drawn(replies.status(patches=[empty], ready=[]))


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({}, "Editor 1: a.py (validation-enhancements patch)"),
        ({"state": "open", "program": "vim"}, "Editor 1: a.py (validation-enhancements patch, open in vim)"),
        (
            {"state": "open", "program": "vim", "modified": True},
            "Editor 1: a.py (validation-enhancements patch, not saved in vim)",
        ),
        (
            {"state": "open", "program": "vim", "host": "desk\x1b[2J", "modified": True, "changed": False, "of": None},
            "Editor 1: a.py (not saved in vim on desk?[2J)",
        ),
        ({"state": "open", "changed": False, "of": None}, "Editor 1: a.py (open in an editor)"),
        ({"state": "quit", "program": "vim", "of": None}, "Editor 1: a.py (unassigned)"),
        (
            {"state": "crashed", "program": "vim", "modified": True, "of": None},
            "Editor 1: a.py (unassigned, vim crashed with unsaved changes)",
        ),
        ({"state": "crashed", "program": None, "of": None}, "Editor 1: a.py (unassigned, an editor crashed)"),
    ],
)
def test_who_has_a_file(changes: dict[str, Any], row: str) -> None:
    """As far as it is known; a file that is open and not changed is nobody's, and asks for no patch."""
    one = replies.editor(1, "a.py", changes.get("of", replies.validation()))
    one |= {key: value for key, value in changes.items() if key != "of"}
    assert editor_row(one) == row
    asks = [line for line in panel_lines(replies.status(editors=[one]), Look(ascii=True)) if "new patch for Ed" in line]
    assert bool(asks) == ("unassigned" in row)


def test_a_path_that_is_open_in_another_session() -> None:
    """A row of its own, also before anything is saved there."""
    one = {
        "path": "a.py", "symbol": None, "with_session": {"id": "k" * 12, "name": "two"}, "with_patch": None,
        "level": "open", "program": "vim", "modified": True,
    }  # fmt: skip
    other = one | {"level": "path", "with_patch": {"id": "l" * 12, "name": "fix"}, "modified": False}
    lines = panel_lines(
        replies.status(collisions=[one, other, one | {"level": "path", "program": None}]), Look(ascii=True)
    )
    found = [line for line in lines if "a.py, also" in line]
    assert [line.split("-- ")[1] for line in found] == [
        "a.py, also open in two (not saved in vim)",
        "a.py, also changed in two (patch fix, open in vim)",
        "a.py, also changed in two",
    ]
    assert "Also Changed Elsewhere:" in lines
    alone = panel_lines(replies.status(collisions=[one]), Look(ascii=True))
    assert "Also Open Elsewhere:" in alone and "Also Changed Elsewhere:" not in alone


def test_the_list_of_editors() -> None:
    """Each with its process, and the command that brings back what a crashed one had not saved."""
    others = [{"program": "nano", "pid": 9, "host": None, "state": "open", "modified": False}]
    rows = [
        replies.editor(
            1, "a.py", replies.validation(), state="open", program="vim", pid=7, modified=True, others=others
        ),
        replies.editor(2, "b c.py", None, state="crashed", program="nvim", pid=8, modified=True),
        replies.editor(3, "d.py", None, state="quit", program="emacs"),
        replies.editor(4, "e.py", None, program="JetBrains"),
        replies.editor(5, "f.py", None, changed=False, last_saved_at=None),
    ]
    reply = {"editors": rows, "current_editor": 2}
    assert [line.split("  saved 2")[0].rstrip() for line in editor_lines(reply)] == [
        "  1  a.py    not saved in vim, process 7; open in nano, process 9  validation-enhancements patch",
        "* 2  b c.py  nvim crashed with unsaved changes                     unassigned",
        "  3  d.py    emacs has quit                                        unassigned",
        "  4  e.py    saved by JetBrains                                    unassigned",
        "  5  f.py    editor unknown                                        no edits",
    ]
    assert recover_hint(reply) == ["nvim -r 'b c.py'"]
    assert editor_lines({"editors": []}) == ["No file is being worked on."]


def test_locks_say_who_has_what_and_how_long() -> None:
    """Before what others have stands an L; a save over one is told in the words of its record."""
    lock = {
        "name": "path/a.txt", "path": "a.txt", "mode": "X", "token": 7, "client": "pts-3_1f", "who": replies.ANN,
        "session": {"id": "kkkkkkkkkkkk", "name": "cents"}, "own": False, "reason": None, "expires_in": 250,
        "until": replies.AT,
    }  # fmt: skip
    nobodys = lock | {"who": None, "session": None, "name": "db/x", "path": None, "mode": "U", "expires_in": 29}
    mine = lock | {"own": True, "path": "src/", "expires_in": 86000}
    told = replies.conflict(kind="resource_lock", message="a.txt was saved while it was locked by Ann in cents")
    shown = panel_lines(replies.status(locks=[lock, nobodys, mine], conflicts=[told]), Look(ascii=True))
    at = shown.index("Locks:")
    assert shown[at + 1 : at + 4] == [
        "|-- L a.txt: locked by Ann in cents, 4 min left",
        "|-- L db/x: locked by pts-3_1f, to be written, less than 1 min left",
        "`--   src/: locked by Ann here, 24 h left",
    ]
    assert "`-- tttu: a.txt was saved while it was locked by Ann in cents" in shown
    assert not any("conflict show" in line for line in shown)
    many = panel_lines(replies.status(locks=[lock] * 10), Look(ascii=True))
    assert "`-- and 2 more: git session locks" in many
