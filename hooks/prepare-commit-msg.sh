chain "$@" || exit

by_hand() { # whether this is a commit somebody makes: no pick of a rebase, cherry-pick or revert, whose message git keeps
  for sign in sequencer rebase-merge rebase-apply CHERRY_PICK_HEAD REVERT_HEAD; do
    [ ! -e "$git_dir/$sign" ] || return
  done
  case $1 in message) [ ! -e "$git_dir/MERGE_MSG" ] ;; merge | squash) ;; *) return 1 ;; esac # in an editor a trailer would make an empty message one
}

has_text() { # whether git would take the message for one: comments and a sign-off are none
  sign=$(git config --get core.commentChar) && [ "$sign" != auto ] || sign='#'
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in "$sign"* | 'Signed-off-by: '*) ;; *[![:space:]]*) return ;; esac
  done <"$1"
  return 1
}

trailers() { # as far as gitsession.trailers wants them; a Patch-Id says that all of the commit is that patch's
  facts && [ "$open" -gt 0 ] && [ -z "$GITSESSION_AT_WORK" ] && by_hand "$2" || return
  read -r _ name <"$git_dir/HEAD"
  [ "$name" = "refs/heads/$branch" ] || return
  wanted=$(git config --get gitsession.trailers) || return
  has_text "$1" || return # git refuses an empty message
  case $wanted in *session* | true) git interpret-trailers --in-place --if-exists doNothing --trailer "Session-Id: $session" "$1" ;; esac
  [ "$2" = message ] && [ -n "$patch" ] || return
  case $wanted in *patch* | true) git interpret-trailers --in-place --if-exists doNothing --trailer "Patch-Id: $patch" "$1" ;; esac
}
trailers "$@" 2>/dev/null
exit 0
