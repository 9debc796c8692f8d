chain "$@" || exit
{ facts; } 2>/dev/null || exit 0

marked() { # the first staged file to which a marker of an open conflict was added
  git diff --cached -U0 --no-color --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ |
    grep -a -E -e '^\+\+\+ ' -e "$markers" |
    while IFS= read -r line; do
      case $line in
        "+++ "*) file=${line#"+++ b/"} ;;
        *)
          printf '%s\n' "$file"
          break
          ;;
      esac
    done
}

asked() { # whether claims and locks count for this commit: one that somebody makes on the session's branch
  [ -f "$known.claims" ] || [ -f "$known.locks" ] || return
  [ -z "$GITSESSION_AT_WORK" ] || return
  for sign in MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD rebase-merge rebase-apply sequencer; do
    [ ! -e "$git_dir/$sign" ] || return
  done
  read -r _ name <"$git_dir/HEAD" && [ "$name" = "refs/heads/$branch" ]
}

held() { # the first staged path that is claimed for another patch than this commit's: who holds what
  mine=${GITSESSION_PATCH:-$patch}
  row=0
  git -c core.quotePath=true diff --cached --name-only --no-renames | # escaped, a directory is how its paths begin
    while IFS= read -r path; do
      path=${path#\"} path=${path%\"} row=$((row + 1))
      while IFS='	' read -r id name claimed words; do
        [ "$mine" != "$name" ] || continue
        case ${#mine}:$id in [!01]:"$mine"* | ??:"$mine"*) continue ;; esac # the beginning of an id will do
        case $claimed:$path in .:* | "$claimed:$claimed" | "$claimed:$claimed"/*)
          path=$(git -c core.quotePath=false diff --cached --name-only --no-renames | sed -n "${row}p")
          printf "error: %s is claimed for %s\nhint: git session commit --patch '%s', or git commit --no-verify\n" "$path" "$words" "$name"
          return
          ;;
        esac
      done <"$known.claims"
    done
}

staged() { # whether anything of these is in the commit
  git diff --cached --quiet --no-ext-diff --no-renames -- "$@"
  [ $? -eq 1 ]
}

locked() { # the first staged path, or the branch, that another session has locked, and who has it
  set --
  while IFS='	' read -r kind name words; do
    case $kind in
      path) set -- "$@" "$name" ;;
      ref)
        [ "$name" != "refs/heads/$branch" ] || {
          printf 'error: %s is locked by %s\nhint: git session locks, or git commit --no-verify\n' "$branch" "$words"
          return
        }
        ;;
    esac
    [ $# -lt 200 ] || {
      staged "$@" && break
      set --
    }
  done <"$known.locks"
  [ $# -gt 0 ] && staged "$@" || return
  while IFS='	' read -r kind name words; do
    [ "$kind" = path ] && staged "$name" || continue
    path=$(git -c core.quotePath=false diff --cached --name-only --no-ext-diff --no-renames -- "$name" | sed -n 1p)
    printf 'error: %s is locked by %s\nhint: git session locks, or git commit --no-verify\n' "$path" "$words"
    return
  done <"$known.locks"
}

left=
if { [ "$conflicts" -gt 0 ]; } 2>/dev/null; then
  left=$(marked 2>/dev/null)
  [ -z "$left" ] || left="error: $left has conflict markers that are left over
hint: git session conflicts"
fi
if [ -z "$left" ] && { asked; } 2>/dev/null; then
  if [ -f "$known.claims" ]; then left=$(held 2>/dev/null); fi
  if [ -z "$left" ] && [ -f "$known.locks" ] && kill -0 "$pid" 2>/dev/null; then left=$(locked 2>/dev/null); fi
fi
[ -n "$left" ] || exit 0
printf '%s\n' "$left" >&2
exit 1
