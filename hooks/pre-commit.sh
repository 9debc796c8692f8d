chain "$@" || exit
{ facts; } 2>/dev/null || exit 0
unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS # of `git --literal-pathspecs commit`

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

locked() { # the session's branch, or the first staged path, that another session has locked: who has it
  IFS='	' read -r kind path words <"$known.locks"
  [ "$kind" = branch ] || {
    nl='
'
    grep -q '^path	' "$known.locks" || return # xargs may run git without any, for all paths
    path=$(
      sed -n 's/^path	\([^	]*\)	.*/\1/p' "$known.locks" | tr '\n' '\0' | # in pieces that fit into an exec
        xargs -0 -s 65536 git -c core.quotePath=false diff --cached --name-only --no-ext-diff --no-renames --
    )
    path=${path%%"$nl"*}
    [ -n "$path" ] || return
    words=$(holder)
  }
  printf 'error: %s is locked by %s\nhint: git session locks, or git commit --no-verify\n' "$path" "${words:-another session}"
}

holder() { # who has the path, as far as few questions to git tell
  tries=50
  while IFS='	' read -r kind name words; do
    case $kind:$name in
      'path::(top)') ;;
      'path::(top,literal)'*)
        name=${name#':(top,literal)'}
        case $path in "$name" | "$name"/*) ;; *) continue ;; esac
        ;;
      path:*)
        [ $((tries -= 1)) -ge 0 ] || return
        git diff --cached --quiet --no-ext-diff -- "$name" && continue
        ;;
      *) continue ;;
    esac
    printf '%s\n' "$words"
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
