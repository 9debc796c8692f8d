"""What shells read to complete ``git session`` and ``git-session``, and the function that goes to a session."""

from __future__ import annotations

BASH = r"""# git session: completion and gscd, for bash; after git's own completion
__git_session_complete() {
    local value
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        printf -v value %q "$value"
        COMPREPLY+=("$value")
    done < <(command git-session complete -- "$@" 2>/dev/null)
}
_git_session() {  # called by git's completion
    local at=1
    while ((at < COMP_CWORD)) && [[ ${COMP_WORDS[at]} != session ]]; do ((at++)); done
    __git_session_complete "${COMP_WORDS[@]:at+1:COMP_CWORD-at}"
}
_git_session_alone() { __git_session_complete "${COMP_WORDS[@]:1:COMP_CWORD}"; }
complete -o bashdefault -o default -F _git_session_alone git-session
_gscd() { __git_session_complete switch "${COMP_WORDS[COMP_CWORD]}"; }
complete -F _gscd gscd
gscd() { local at; at=$(git session switch "$@") && cd -- "$at"; }
"""

ZSH = r"""# git session: completion and gscd, for zsh; after compinit
__git_session_complete() {
    local -a found
    local line
    for line in ${(f)"$(command git-session complete -- "$@" 2>/dev/null)"}; do
        found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    (( $#found )) && _describe 'git session' found
}
_git-session() { __git_session_complete "${(@Q)words[2,CURRENT]}" || _files; }
_gscd() { __git_session_complete switch "${(Q)words[CURRENT]}"; }
zstyle ':completion:*:*:git:*' user-commands session:'record every save, sort the edits into patches, merge them'
compdef _git-session git-session
compdef _gscd gscd
gscd() { local at; at=$(git session switch "$@") && cd -- "$at"; }
"""

FISH = r"""# git session: completion and gscd, for fish
function __git_session_words
    set -l before (commandline -opc)
    set -l at (contains -i -- session $before; or contains -i -- git-session $before)
    test -n "$at"; and set -e before[1..$at]
    set -l found (command git-session complete -- $before (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c git -f -n 'contains -- session (commandline -opc)' -a '(__git_session_words)'
complete -c git-session -f -a '(__git_session_words)'
complete -c gscd -f -a '(command git-session complete -- switch (commandline -ct) 2>/dev/null)'
function gscd
    set -l at (git session switch $argv); and cd $at
end
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
