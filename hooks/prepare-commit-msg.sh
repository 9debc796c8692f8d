chain "$@" || exit

trailers() { # as far as gitsession.trailers wants them; a Patch-Id says that all of the commit is that patch's
  facts && [ -z "$GITSESSION_AT_WORK" ] || return
  wanted=$(git config --get gitsession.trailers) || return
  case $2 in message | merge | squash) ;; *) return ;; esac # in an editor a trailer would make an empty message one
  case $wanted in *session* | true) git interpret-trailers --in-place --if-exists doNothing --trailer "Session-Id: $session" "$1" ;; esac
  [ "$2" = message ] && [ -n "$patch" ] || return
  case $wanted in *patch* | true) git interpret-trailers --in-place --if-exists doNothing --trailer "Patch-Id: $patch" "$1" ;; esac
}
trailers "$@" 2>/dev/null
exit 0
