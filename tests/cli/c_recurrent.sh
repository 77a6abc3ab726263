#!/bin/sh
# LSTM, GRU and RNN as C files: compiled without a warning, run under the sanitizers, the bits of precis run, in float and
# with weights in int8, states being ports. usage: c_recurrent.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
tool() { python3 "$root/tests/cli/c_sizes.py" "$@"; }
f=$work/f
python3 "$root/tests/cli/c_recurrent.py" "$f" || exit 1
# check LABEL NET.onnx INPUTS.txt
check() {
    dir=$work/$1
    mkdir -p "$dir"
    inputs= files=
    for given in $(cat "$3"); do inputs="$inputs --input $given" files="$files ${given#*=}"; done
    expect 0 "$precis" convert "$2" -o "$dir/$1.c" --json
    cp "$work/out" "$dir/json"
    json "j['macs'] > 0 and j['flash']['all'] > 0 and all(0 < lo <= hi for lo, hi in j['cycles'].values())"
    expect 0 "$precis" run "$2" $inputs --output-dir "$dir/want" --json
    wanted=$(python3 -c 'import json, sys; print(" ".join(o["file"] for o in json.load(open(sys.argv[1]))["outputs"]))' "$work/out")
    tool main "$dir/$1.c" $files >"$dir/main.c" || failed=1
    expect 0 cc -std=c99 -Wall -Wextra -Wpedantic -Werror -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all "$dir/$1.c" "$dir/main.c" -o "$dir/run"
    "$dir/run" >"$dir/got" 2>"$dir/err" || { head -5 "$dir/err"; echo "$1: stopped"; failed=1; }
    tool same "$dir/got" $wanted || { echo "$1: differs from precis run"; failed=1; }
    [ "${PRECIS_MCU:-}" != required ] || "$root/tests/arm/mcu" "$dir" "$1" "$wanted" || failed=1
}

for net in $(cat "$f/list.txt"); do
    check "$net" "$f/$net.onnx" "$f/$net.txt"
done
for net in lstm lstm_both gru_linear gru_both rnn; do # codes stay codes: some four bytes less a weight
    expect 0 "$precis" quant "$f/$net.onnx" --weight-only --no-speed -o "$f/q_$net.onnx"
    check "q_$net" "$f/q_$net.onnx" "$f/$net.txt"
    python3 - "$work/$net/json" "$work/q_$net/json" <<'PY' || failed=1
import json, sys
a, b = (json.load(open(p))["flash"]["constants"] for p in sys.argv[1:])
assert b < .6 * a, (a, b)
PY
    expect 0 "$precis" quant "$f/$net.onnx" --static --no-speed -o "$f/s_$net.onnx" # nothing of it has a range
    cmp "$f/q_$net.onnx" "$f/s_$net.onnx" || failed=1
    expect 0 "$precis" quant "$f/$net.onnx" --weight-only -o "$work/q_$net.c"
    sed 1,3d "$work/q_$net.c" >"$work/a"
    sed 1,3d "$work/q_$net/q_$net.c" >"$work/b"
    cmp "$work/a" "$work/b" || failed=1
done

# Parts of all kinds may stand in one file: no two of them have a function or type of one name.
twice=$(sed -n -e 's/^\(NET_SHARED \)\?static [^(]*[ *]\(net_[a-z0-9_]*\)(.*/\2/p' -e 's/^} \(net_[a-z0-9_]*_t\);$/\1/p' "$root"/src/write/c/parts/*.part | sort | uniq -d)
[ -z "$twice" ] || { echo "in two parts of C files: $twice"; failed=1; }

# What cannot be: by node, with what would do; nothing is written.
expect 3 "$precis" convert "$f/no_elu.onnx" -o "$work/no.c"
has err "of its functions elu and softplus are not there"
expect 0 "$precis" quant "$f/lstm.onnx" --dynamic --no-speed -o "$f/dynamic.onnx"
expect 3 "$precis" convert "$f/dynamic.onnx" -o "$work/no.c"
has err "precis quant NET --weight-only -o NAME.c"
[ ! -e "$work/no.c" ] || { echo "a refused net was written"; failed=1; }
[ $failed = 0 ] && echo "$n commands"
exit $failed
