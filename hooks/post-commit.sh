chain "$@"
code=$?

told() { # where the edits went, if not all to the patch in use; silent where that is not known at once
  facts && ring || return
  [ "$open" -gt 1 ] && [ -z "$GITSESSION_AT_WORK" ] && [ ! -e "$git_dir/sequencer" ] || return
  read -r _ name <"$git_dir/HEAD"
  [ "$name" = "refs/heads/$branch" ] && read -r new <"$common/$name" || return
  for pause in 0.004 0.008 0.02; do
    [ "$head" != "$new" ] && kill -0 "$pid" || break
    sleep "$pause"
    facts || return
  done
  [ "$head" = "$new" ] && [ -n "$words" ] && printf '%s\n' "$words" >&3
}
told 3>&2 2>/dev/null
exit "$code"
