chain "$@" || exit
{ facts && [ "$conflicts" -gt 0 ]; } 2>/dev/null || exit 0

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

left=$(marked 2>/dev/null)
[ -z "$left" ] && exit 0
printf 'error: %s has conflict markers that are left over\nhint: git session conflicts\n' "$left" >&2
exit 1
