# Sourced with PRECIS and SOURCE_FOLDER as arguments: a folder to work in, and what a command must do.
set -u
precis=$1
root=$2
model=$root/models/gutenberg-7m
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME="$work/cache" # no test takes what another run measured
mkdir "$XDG_CACHE_HOME"
failed=0
n=0

# expect CODE COMMAND...: run, compare the exit code; output in $work/out and $work/err
expect() {
    want=$1
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    n=$((n + 1))
    if [ $got != "$want" ]; then
        echo "exit $got, not $want: $*"
        head -3 "$work/err"
        failed=1
    fi
}
has() { # has FILE TEXT
    if ! grep -q -e "$2" "$work/$1"; then
        echo "no \"$2\" in $1 of the last command:"
        head -5 "$work/$1"
        failed=1
    fi
}
lacks() { # lacks FILE TEXT
    if grep -q -e "$2" "$work/$1"; then
        echo "\"$2\" in $1 of the last command"
        failed=1
    fi
}
json() { # the last output is one JSON object that satisfies a Python expression over j
    if ! python3 -c "import json, sys; j = json.load(open(sys.argv[1])); assert $1, j" "$work/out" 2>"$work/why"; then
        echo "JSON: $1: $(tail -1 "$work/why" | cut -c1-300)"
        failed=1
    fi
}
# Inputs of strangers lie beside the checkout; a test that needs them is skipped by name where they are not.
cases=$root/../shared/cases
