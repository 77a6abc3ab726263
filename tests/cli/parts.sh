#!/bin/sh
# Libraries of parts are opened when they are first needed: a start loads none of them, and a machine without one lacks
# what it is for and nothing else, in one sentence that names the package. A library that is not there is one that
# cannot be loaded: an empty file of its name stands before the system's. usage: parts.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
here() { # here NAME: does this build have the part?
    "$precis" list parts | grep -q "^$1 .* here "
}
if ldd "$precis" >"$work/ldd" 2>&1; then
    grep -E 'lib(curl|edit|bsd|tinfo|zip|bz2|png16|turbojpeg|mpi)\.' "$work/ldd" && { echo "loaded by each start"; failed=1; }
    LD_DEBUG=libs "$precis" --version 2>"$work/err" >/dev/null
    grep -q 'calling init' "$work/err" || echo "SKIP what the loader opens: no LD_DEBUG here"
    lacks err 'lib\(curl\|edit\|bsd\|tinfo\|zip\|bz2\|png16\|turbojpeg\)\.'
else
    echo "SKIP what a start loads: the program is static"
    exit 0
fi
mkdir "$work/lib"
for name in libcurl.so.4 libcurl-gnutls.so.4 libedit.so.2 libedit.so.0 libpng16.so.16 libturbojpeg.so.0 libzip.so.4 \
    libzip.so.5 libbz2.so.1.0 libbz2.so.1; do
    : >"$work/lib/$name"
done
without() { # without CODE COMMAND...: on a machine that has none of them
    code=$1
    shift
    expect "$code" env LD_LIBRARY_PATH="$work/lib" "$@"
}
missing() { # missing NAME PACKAGE COMMAND...: the last part of a command's message, by people and by scripts
    name=$1 package=$2
    shift 2
    here "$name" || { echo "SKIP $name: this build has none"; return; }
    without 3 "$@"
    has err "needs $name, which is not on this machine (.*lib.*: file too short); Debian's package: $package"
    [ "$(wc -l <"$work/err")" = 1 ] || { echo "$name: not one line"; failed=1; }
    without 3 "$@" --json
    json "'$package' in j['error']['message'] and j['exit'] == 3"
}
f=$work/f
python3 "$root/tests/cli/eval_nets.py" make "$f" || exit 1
mkdir "$work/jpeg" "$work/sets"
echo x >"$work/sets/hellaswag_val_full.txt.bz2"
printf '\377\330\377\340 and so on' >"$work/jpeg/x.jpg"
missing libzip libzip4 "$precis" eval "$f/free.onnx" --data "$f/x.npz"
missing libpng libpng16-16 "$precis" eval "$f/mean.onnx" --data "$f/images" --resize 4x4
missing libjpeg-turbo libturbojpeg0 "$precis" eval "$f/mean.onnx" --data "$work/jpeg" --resize 4x4
missing libbz2 libbz2-1.0 "$precis" eval "$model" --tasks hellaswag --data "$work/sets" --results none -q
missing libcurl libcurl4 "$precis" pull me/model
without 0 "$precis" --version
without 0 "$precis" run "$model" -p "It was" -n 4 --temp 0 -q
[ -s "$work/out" ] || { echo "run says nothing"; failed=1; }
[ "$failed" = 0 ] && echo "parts: $n commands"
exit "$failed"
