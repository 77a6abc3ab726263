#!/bin/sh
# Functions of elements, comparisons, casts, norms and resizes as C files: compiled without a warning, run under the
# sanitizers, the bits of precis run. usage: c_functions.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
tool() { python3 "$root/tests/cli/c_sizes.py" "$@"; }
f=$work/f
python3 "$root/tests/cli/c_functions.py" "$f" || exit 1
for net in $(cat "$f/list.txt"); do
    dir=$work/$net
    mkdir -p "$dir"
    inputs= files=
    for given in $(cat "$f/$net.txt"); do inputs="$inputs --input $given" files="$files ${given#*=}"; done
    expect 0 "$precis" convert "$f/$net.onnx" -o "$dir/$net.c" --json
    cp "$work/out" "$dir/json"
    json "j['calls'] > 5 and j['flash']['all'] > 0 and all(0 < lo <= hi for lo, hi in j['cycles'].values())"
    expect 0 "$precis" run "$f/$net.onnx" $inputs --output-dir "$dir/want" --json
    wanted=$(python3 -c 'import json, sys; print(" ".join(o["file"] for o in json.load(open(sys.argv[1]))["outputs"]))' "$work/out")
    tool main "$dir/$net.c" $files >"$dir/main.c" || failed=1
    expect 0 cc -std=c99 -Wall -Wextra -Wpedantic -Werror -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all "$dir/$net.c" "$dir/main.c" -o "$dir/run"
    "$dir/run" >"$dir/got" 2>"$dir/err" || { head -5 "$dir/err"; echo "$net: stopped"; failed=1; }
    tool same "$dir/got" $wanted || { echo "$net: differs from precis run"; failed=1; }
    [ "${PRECIS_MCU:-}" != required ] || "$root/tests/arm/mcu" "$dir" "$net" "$wanted" || failed=1
done
[ $failed = 0 ] && echo "$n commands"
exit $failed
