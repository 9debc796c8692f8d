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

ref=$(printf '%s\n' "$refs" | private)
[ -n "$ref" ] || exit 0
[ "$(git config --type=bool --get gitsession.publish)" != true ] || exit 0
printf 'error: %s belongs to a session and is not for a remote\nhint: git session publish PATCH, or git push --no-verify\n' "$ref" >&2
exit 1
