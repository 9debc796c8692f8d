chain "$@"
code=$?

told() { # where the edits went, if not all to the patch in use; silent where that is not known at once
  facts && ring || return
  [ "$open" -gt 1 ] && [ -z "$GITSESSION_AT_WORK" ] && [ ! -e "$git_dir/sequencer" ] || return
  read -r _ name <"$git_dir/HEAD"
  [ "$name" = "refs/heads/$branch" ] && read -r new <"$common/$name" || return
  [ "$head" = "$new" ] || { foretold && return; }
  for pause in 0.004 0.008 0.02; do
    [ "$head" != "$new" ] && kill -0 "$pid" || break
    sleep "$pause"
    facts || return
  done
  [ "$head" = "$new" ] && [ -n "$words" ] && printf '%s\n' "$words" >&3
}

foretold() { # the same before the daemon has seen the commit: all it has is as it was recorded before; else fails
  nl='
'
  many=0
  table=$nl
  {
    read -r _ && read -r parent && read -r _ && read -r _ && read -r _ && read -r _ && read -r _
    read -r many mine && [ "$many" -gt 0 ] || return
    at=0
    while [ $((at += 1)) -le "$many" ] && IFS= read -r name; do eval "name$at=\$name n$at=0"; done
    while IFS= read -r line; do table=$table$line$nl; done
  } <"$known"
  [ "$parent" = "$head" ] || return
  brought=$(git -c core.quotePath=false diff-tree -r --no-renames \
    --pretty='format:%P %(trailers:key=Patch-Id,valueonly,separator=%x2C)' "$new") || return
  [ "${brought%%"$nl"*}" = "$head " ] || return # an amended commit, a merge, or a claim of its own
  sum
}

sum() { # add up what the table says of each line of git, and print it
  rest=${brought#*"$nl"}$nl
  [ "$rest" != "$brought$nl" ] || return
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    case $table in *" $line$nl"*) ;; *) return 1 ;; esac
    counts=${table%%" $line$nl"*}
    at=0
    for count in ${counts##*"$nl"}; do eval "n$((at += 1))=\$((n$at + count))"; done
  done
  words='' parties=0
  while :; do
    best=0 most=0 at=0
    while [ $((at += 1)) -le "$many" ]; do
      eval "count=\$n$at"
      [ "$count" -le "$most" ] || { best=$at most=$count; }
    done
    [ "$best" -gt 0 ] || break
    parties=$((parties + 1)) last=$best
    eval "name=\$name$best n$best=0"
    case $parties:$most in 1:1) words='1 edit' ;; 1:*) words="$most edits" ;; *) words="$words, $most" ;; esac
    words="$words to $name"
  done
  [ "$parties $last" != "1 $mine" ] || return 0
  rest=${new#???????}
  printf '%s: %s\n' "${new%"$rest"}" "$words" >&3
}
told 3>&2 2>/dev/null
exit "$code"
