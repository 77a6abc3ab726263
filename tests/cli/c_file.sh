#!/bin/sh
# Nets written as C: compiled without a warning, run under the sanitizers, the bits of precis run; sizes as predicted; what
# has no function in C is refused and nothing is written. usage: c_file.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
tool() { python3 "$root/tests/cli/c_file.py" "$@"; }
f=$work/f
strict="-Wall -Wextra -Wpedantic -Werror"
tool nets "$f" || exit 1
mkdir -p "$work/more"
python3 "$root/tests/faults/nets_quant.py" make "$work/more" || exit 1
cp "$work/more/small.onnx" "$f/small.onnx"
cp "$work/more/calib.npy" "$f/small.npy"
nets="small mobile line perceptron bell up"
given=$root/../shared/reference/nets # onnxruntime's and torch's quantizers made these of one net
if [ -d "$given" ]; then
    for net in net net_qdq_s8s8_channel net_qdq_u8s8_channel_reduced net_qdq_sym; do
        [ -f "$given/$net.onnx" ] && cp "$given/$net.onnx" "$f/$net.onnx"
    done
    python3 - "$given/net_eval.npy" "$f/net.npy" "$root" <<'PY'
import sys
sys.path.insert(0, sys.argv[3] + "/tests/cli")
import c_file
c_file.first(sys.argv[1], 4, sys.argv[2])
PY
fi

every=q_mobile # the net that every compiler gets
# check NET.onnx X.npy [TOLERANCE]: written, compiled, run here and on a Cortex-M4, compared
check() {
    name=$(basename "$1" .onnx | tr -c 'a-zA-Z0-9\n' _)
    dir=$work/$name
    mkdir -p "$dir"
    expect 0 "$precis" convert "$1" -o "$dir/$name.c" --json
    cp "$work/out" "$dir/json"
    [ -f "$dir/$name.c" ] || return
    input=$("$precis" inspect "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["inputs"][0]["name"])')
    rm -rf "$dir/want"
    expect 0 "$precis" run "$1" --input "$input=$2" --output-dir "$dir/want"
    wanted=$(ls "$dir"/want/*.npy)
    tool main "$dir/$name.c" "$2" >"$dir/main.c" || failed=1
    expect 0 cc -std=c99 $strict -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all "$dir/$name.c" "$dir/main.c" -o "$dir/run"
    "$dir/run" >"$dir/got" 2>"$dir/err" || { head -5 "$dir/err"; echo "$name: stopped"; failed=1; }
    tool same "$dir/got" "$wanted" ${3:-} || { echo "$name: differs from precis run"; failed=1; }
    [ "$name" = "$every" ] && for more in "cc -std=c99 -O3" "c++ -x c++ -std=c++11 -O2" "clang -std=c99 -O2 -Wno-unknown-pragmas" "clang++ -x c++ -std=c++11 -O2"; do
        command -v "${more%% *}" >/dev/null || continue
        expect 0 $more $strict -c "$dir/$name.c" -o "$dir/$name.o"
        case $more in
        *c++*) ;;
        *)
            expect 0 cc "$dir/$name.o" "$dir/main.c" -o "$dir/run"
            "$dir/run" >"$dir/got" && tool same "$dir/got" "$wanted" ${3:-} || { echo "$name by $more: differs"; failed=1; }
            ;;
        esac
    done
    [ "${PRECIS_MCU:-}" != required ] || "$root/tests/arm/mcu" "$dir" "$name" "$wanted" ${3:-} || failed=1
}

for net in $nets; do
    check "$f/$net.onnx" "$f/$net.npy" 1e-5
    expect 0 "$precis" quant "$f/$net.onnx" --static --no-speed --calib "$f/$net.npy" -o "$f/q_$net.onnx"
    check "$f/q_$net.onnx" "$f/$net.npy"
    # by way of the ONNX file or at once: the same net
    mkdir -p "$work/at_once"
    expect 0 "$precis" quant "$f/$net.onnx" --static --calib "$f/$net.npy" -o "$work/at_once/q_$net.c" --json
    json "j['format'] == 'c' and j['name'] == 'q_$net' and j['flash']['all'] > 0 and j['float'] + j['integers'] <= len(j['nodes'])"
    json "all(0 < lo <= hi for lo, hi in j['cycles'].values()) and len(j['cycles']) == 3"
    tail -n +4 "$work/at_once/q_$net.c" >"$work/a"
    tail -n +4 "$work/q_$net/q_$net.c" >"$work/b"
    cmp "$work/a" "$work/b" || failed=1
done
for kind in "mobile --activations s8 --symmetric" "mobile --per-tensor --like onnxruntime"; do
    net=${kind%% *}
    expect 0 "$precis" quant "$f/$net.onnx" --static --no-speed --calib "$f/$net.npy" -o "$f/kind.onnx" ${kind#* }
    check "$f/kind.onnx" "$f/$net.npy"
done
if [ -f "$f/net.npy" ]; then
    for net in net net_qdq_s8s8_channel net_qdq_u8s8_channel_reduced net_qdq_sym; do
        [ -f "$f/$net.onnx" ] && check "$f/$net.onnx" "$f/net.npy" $([ $net = net ] && echo 1e-5)
    done
else echo "skipped: golden nets (../shared/reference/nets is not there)"; fi

# Names of nodes end no comment and become no identifiers.
if grep -n -e 'system("' -e '#error "\?x' -e '^#error$' "$work/q_mobile/q_mobile.c"; then failed=1; fi
expect 0 "$precis" convert "$f/q_line.onnx" -o "$work/1 - a*b.c" --format c
has out "net_1___a_b_run"
expect 0 cc -std=c99 $strict -c "$work/1 - a*b.c" -o "$work/odd.o"

# What cannot be: by node or dimension, and nothing is written.
expect 3 "$precis" convert "$f/order.onnx" -o "$work/no.c"
has err "the largest (top_k)"
expect 3 "$precis" convert "$f/wide.onnx" -o "$work/no.c"
has err "dimension width of input x has no size"
expect 0 "$precis" quant "$f/small.onnx" --static --calib "$f/small.npy" -o "$work/qop.onnx" --qop --no-speed
expect 3 "$precis" convert "$work/qop.onnx" -o "$work/no.c"
has err "precis quant NET --static --qdq"
# of 16 bits, with QLinear ops, with ranges of each run: before anything is measured, and in files; the remedy does
for way in "--activations s16" "--activations u16" "--qop"; do
    expect 3 "$precis" quant "$f/small.onnx" --static --calib "$f/small.npy" $way -o "$work/no.c"
    has err "instead: precis quant .*small.onnx --static --[qa]"
    expect 0 "$precis" quant "$f/small.onnx" --static --no-speed --calib "$f/small.npy" $way -o "$work/way.onnx"
    expect 3 "$precis" convert "$work/way.onnx" -o "$work/no.c"
    has err "precis quant NET --static --[qa].* -o NAME.c"
done
for net in small mobile; do
    expect 3 "$precis" quant "$f/$net.onnx" --dynamic -o "$work/no.c"
    has err "instead: precis quant .*$net.onnx --static --calib"
    expect 0 "$precis" quant "$f/$net.onnx" --dynamic --no-speed -o "$work/way.onnx"
    expect 3 "$precis" convert "$work/way.onnx" -o "$work/no.c"
    has err "precis quant NET --static --calib"
    expect 0 "$precis" quant "$f/$net.onnx" --weight-only -o "$work/yes.c"
done
expect 2 "$precis" convert "$f/line.onnx" -o "$work/no.onnx" --format c
expect 2 "$precis" convert "$f/line.onnx" -o "$work/no.txt"
has err "NAME.c"
[ ! -e "$work/no.c" ] || { echo "a refused net was written"; failed=1; }
exit $failed
