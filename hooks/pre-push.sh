refs=$(cat)
printf '%s' "$refs${refs:+
}" | chain "$@" || exit
[ -z "$GITSESSION_PUSHING" ] || exit 0

a_sessions() { # whether a session has this branch, in whichever worktree
  places
  for known in "$common"/gitsession/hooks/????????????; do
    [ -f "$known" ] && {
      read -r _
      read -r _
      read -r branch
    } <"$known" && [ "refs/heads/$branch" = "$1" ] && return
  done
  return 1
}

private() { # the first ref that is ours alone and would go out
  while read -r from oid ref _; do
    case $ref in
      refs/gitsession/*) ;;
      refs/heads/session/*) { a_sessions "$ref" || a_sessions "$from"; } 2>/dev/null || continue ;;
      *) continue ;;
    esac
    case $oid in *[!0]*) ;; *) continue ;; esac # it is taken away there
    printf '%s\n' "$ref"
    return
  done
}

locked() { # the first branch that would move there and that another session has locked here, and who has it
  [ -f "$known.locks" ] && kill -0 "$pid" || return
  while read -r _ _ ref _; do
    while IFS='	' read -r kind name words; do
      case "$kind $ref" in "ref $name" | "ref $name"/*) ;; *) continue ;; esac
      printf 'error: %s is locked by %s\nhint: git session locks, or git push --no-verify\n' "${ref#refs/heads/}" "$words"
      return
    done <"$known.locks"
  done
}

left=
if { facts; } 2>/dev/null; then left=$(printf '%s\n' "$refs" | locked 2>/dev/null); fi
[ -z "$left" ] || {
  printf '%s\n' "$left" >&2
  exit 1
}
ref=$(printf '%s\n' "$refs" | private)
[ -n "$ref" ] || exit 0
[ "$(git config --type=bool --get gitsession.publish)" != true ] || exit 0
printf 'error: %s belongs to a session and is not for a remote\nhint: git session publish PATCH, or git push --no-verify\n' "$ref" >&2
exit 1
