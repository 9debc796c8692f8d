"""The script of ``git session demo``: what is typed, what it must answer. Data only."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line for the shell, its exit code, and words that must be in what it prints."""

    text: str
    code: int = 0
    says: tuple[str, ...] = ()


class Part(NamedTuple):
    """Some lines with a title."""

    title: str
    lines: tuple[Line, ...]


USER_PY = r"""
\"\"\"Users of the shop.\"\"\"


def validate(user):
    return bool(user.name)


def find(users, name):
    return [user for user in users if user.name == name]


def profile(user):
    return render(user)
"""

SETUP = (
    Line("git config --global user.name Ann && git config --global user.email ann@example.org"),
    Line("git init -q -b main shop && mkdir shop/shop shop/tests"),
    Line(f'printf "%s" "{USER_PY.lstrip()}" > shop/shop/user.py'),
    Line("cd shop && git add . && git commit -q -m 'A shop'"),
)

TOUR = (
    Part(
        "A session takes this checkout: a branch of its own, files and index as they were.",
        (
            Line("cd shop"),
            Line(
                "git session start user-improvements -m 'Enhancing user validation and profile features'",
                says=("Session user-improvements on main at ", "here (branch session/user-improvements)"),
            ),
        ),
    ),
    Part(
        "Edit with any editor. The first patch takes what has none.",
        (
            Line("sed -i 's/bool(user.name)/bool(user.name and user.email)/' shop/user.py"),
            Line("echo 'class Invalid(Exception): pass' > shop/errors.py"),
            Line("echo 'def test_validate(): pass' > tests/test_user.py"),
            Line(
                "git session patch new validation-enhancements",
                says=("validation-enhancements with 3 edits",),
            ),
        ),
    ),
    Part(
        "A second patch, in the same file. Each edit goes to its patch.",
        (
            Line("git session patch new performance-optimizations"),
            Line("sed -i 's/return render(user)/return cached(render, user)/' shop/user.py"),
            Line(
                "git session",
                says=(
                    "validation-enhancements (3 ops, draft)",
                    "performance-optimizations (1 op, draft, in use)",
                ),
            ),
            Line("git session patch diff performance-optimizations", says=("+    return cached(render, user)",)),
        ),
    ),
    Part(
        "A third patch, which needs the second.",
        (
            Line("git session patch new profile-page --depends-on performance-optimizations"),
            Line("echo 'TITLE = \"Profile\"' > shop/page.py"),
            Line("git session merge profile-page --ready", code=4, says=("performance-optimizations",)),
        ),
    ),
    Part(
        "Somebody begins another session: this checkout is taken, so it gets a worktree.",
        (
            Line(
                "git session start fix-login",
                says=("in ../shop.sessions/fix-login (this checkout carries user-improvements)",),
            ),
            Line("cd ../shop.sessions/fix-login"),
            Line("sed -i 's/return render(user)/return render(user, login_form)/' shop/user.py"),
            Line("git session patch new login-form", says=("login-form with 1 edit",)),
            Line("git session", says=("shop/user.py, also changed in user-improvements",)),
            Line("cd ../../shop"),
        ),
    ),
    Part(
        "One patch lands alone; the other edits stay where they are.",
        (
            Line("git session merge validation-enhancements --ready", says=("into main as ",)),
            Line("git diff --stat HEAD", says=("shop/user.py",)),
            Line("git session merge performance-optimizations --ready", says=("into main as ",)),
            Line("git session patch ready profile-page", says=("profile-page is ready to merge",)),
        ),
    ),
    Part(
        "The other session changed the same line: a conflict. Nothing moves; the record can be edited.",
        (
            Line("cd ../shop.sessions/fix-login"),
            Line("git session merge login-form --ready", code=3, says=("1 conflict", "shop/user.py")),
            Line("cat .gitsession/conflicts/*/shop/user.py", says=("<<<<<<<", ">>>>>>>")),
            Line(
                r"sed -i '/^<<<<<<</,/^>>>>>>>/c\    return cached(render, user, login_form)'"
                " .gitsession/conflicts/*/shop/user.py"
            ),
            Line("git session conflicts --all", says=("resolved",)),
            Line("git session merge login-form", says=("into main as ",)),
            Line("git show main:shop/user.py", says=("return cached(render, user, login_form)",)),
        ),
    ),
    Part(
        "Both sessions end. Closing merges what is still ready; main has it all.",
        (
            Line("git session close --yes", says=("Closed session fix-login",)),
            Line("cd ../../shop"),
            Line("git session close --yes", says=("Closed session user-improvements: 1 merged",)),
            Line("git log --graph --oneline main", says=("Merge patch 'login-form'", "A shop")),
        ),
    ),
)
