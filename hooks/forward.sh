chain "$@"
