#!/bin/sh
# What was printed and could not be written is an error, of every command; a reader that has gone (head) is one without a message.
. "$(dirname "$0")/../common.sh"

lost() { # lost ARGUMENTS...
    "$precis" "$@" >/dev/full 2>"$work/err" </dev/null
    got=$?
    [ $got = 4 ] || { echo "exit $got with a full standard output: $*"; failed=1; }
    has err "standard output could not be written: No space left"
    { "$precis" "$@" 2>"$work/err" </dev/null; echo $? >"$work/code"; } | true
    case $(cat "$work/code") in 4) ;; 0) ;; *) echo "exit $(cat "$work/code") with a closed pipe: $*"; failed=1 ;; esac
    [ -s "$work/err" ] && { echo "a message for a closed pipe: $*: $(head -1 "$work/err")"; failed=1; }
    "$precis" "$@" 2>"$work/err" </dev/null >&-
    got=$?
    [ $got = 4 ] || { echo "exit $got with a closed standard output: $*"; failed=1; }
    n=$((n + 3))
}
lost --help
lost --version
lost help quant
lost help --man
lost help --man quant
lost help --completion bash
lost quant --help
for table in formats limits; do lost list $table; lost list $table --json; done
lost inspect "$model"
lost inspect "$model" --json
lost tokenize "$model" -p "hello there"
lost tokenize "$model" -p "hello there" --json
lost run "$model" -p "hello there" -n 4 -q
lost run "$model" -p "hello there" -n 4 -q --json
lost law list
lost law predict --N 1e9 --D 1e10
lost law predict --N 1e9 --D 1e10 --json
lost quant "$model" --type Q4_0 --dry-run --no-calib -q

# a large result to a reader that has gone is an error too
python3 - "$precis" "$model" <<'P' || failed=1
import os, subprocess, sys
r, w = os.pipe()
os.close(r)
p = subprocess.run([sys.argv[1], "inspect", sys.argv[2], "--json"], stdout=w, stderr=subprocess.PIPE)
if p.returncode != 4 or p.stderr: sys.exit(f"exit {p.returncode} and {p.stderr} with a closed pipe")
P
# a closed standard output is not given to the file that is written
expect 0 "$precis" convert "$model" -o "$work/a.gguf" -q
"$precis" convert "$model" -o "$work/b.gguf" -q >&- 2>&- <&-
cmp "$work/a.gguf" "$work/b.gguf" || failed=1

echo "$n commands"
exit $failed
