#!/bin/sh
# Methods of quantizing nets: equalization brings back a depthwise net that one scale for a tensor loses, learned rounding
# loses less at 4 bits; the same bytes on any number of threads; what is none is refused. usage: net_methods.sh PRECIS
# SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
python3 "$root/tests/cli/net_methods.py" "$f" || exit 1

# sqnr NET X OPTION...: quantizes and prints the SQNR in dB
sqnr() {
    net=$1 x=$2
    shift 2
    "$precis" quant "$net" --no-speed "$@" -o "$work/q.onnx" --json >"$work/record" 2>"$work/err" || { head -3 "$work/err" >&2; echo -99; return; }
    "$precis" eval "$work/q.onnx" --against "$net" --data "$x" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["sqnr_db"])'
}
above() { # above A B MARGIN WHAT: A >= B + MARGIN
    python3 -c "import sys; sys.exit(not $1 >= $2 + $3)" || { echo "$4: $1 dB, not $3 above $2"; failed=1; }
}
below() { python3 -c "import sys; sys.exit(not $1 <= $2)" || { echo "$3: $1 dB, not below $2"; failed=1; }; }

# One scale for a tensor: channels of 2^-5 to 2^5 have no codes left. A net that kept its ranges has some 30 dB.
static="--static --per-tensor --calib $f/calib.npy"
lost=$(sqnr "$f/depthwise.onnx" "$f/x.npy" $static)
below "$lost" 6 "depthwise net per tensor"
found=$(sqnr "$f/depthwise.onnx" "$f/x.npy" $static --method equalize)
above "$found" 28 0 "equalized"
cp "$work/record" "$work/out"
json "sum('equalized' in n['method'] for n in j['nodes']) == 5"

# A ReLU6 ends a chain where codes end at one bound; where clamps stay ops each channel gets its own, and the net is what
# it was but for weights of 8 bits, which cost some 40 dB; one bound for all would leave few of them.
plain=$(sqnr "$f/relu6.onnx" "$f/x.npy" $static)
same=$(sqnr "$f/relu6.onnx" "$f/x.npy" $static --method equalize)
[ "$plain" = "$same" ] || { echo "static: a ReLU6 was passed, $plain and $same dB"; failed=1; }
exact=$(sqnr "$f/relu6.onnx" "$f/x.npy" --weight-only --method equalize)
above "$exact" 25 0 "equalized through ReLU6"
cp "$work/record" "$work/out"
json "sum('equalized' in n['method'] for n in j['nodes']) == 5"

# 4 bits: what the layer gives errs less than with the nearest codes.
four="--weight-only --weights int4"
nearest=$(sqnr "$f/small.onnx" "$f/x.npy" $four)
learned=$(sqnr "$f/small.onnx" "$f/x.npy" $four --method round --calib "$f/calib.npy")
above "$learned" "$nearest" 3 "learned rounding of a CNN"
cp "$work/record" "$work/out"
json "sum(', round' in n['method'] for n in j['nodes']) == 4"
for net in small depthwise; do
    for threads in 1 2 3 5; do
        expect 0 "$precis" quant "$f/$net.onnx" $four --method equalize+round --calib "$f/calib.npy" -o "$work/t$threads.onnx" --threads $threads
        cmp "$work/t1.onnx" "$work/t$threads.onnx" || { echo "$net: $threads threads, other bytes"; failed=1; }
    done
done
given=$root/../shared/reference/nets
if [ -d "$given" ]; then
    nearest=$(sqnr "$given/net.onnx" "$given/net_eval.npy" $four)
    learned=$(sqnr "$given/net.onnx" "$given/net_eval.npy" $four --method round --calib "$given/net_calib0.npy")
    above "$learned" "$nearest" 1 "learned rounding of the golden net"
else
    echo "skipped: the golden net, no ../shared"
fi

# onnxruntime refuses two nodes of one name: norms become biases, of which each has its own.
expect 0 "$precis" quant "$f/norms.onnx" $static -o "$work/norms.onnx"
python3 "$root/tests/cli/net_methods.py" names "$work/norms.onnx" || failed=1
expect 0 "$precis" inspect "$f/norms.onnx" --passes --json
json "j['passes']['fold_batch_norm'] == 2"

expect 0 "$precis" list net-methods
has out '^ *equalize'
has out '^ *round'
expect 2 "$precis" quant "$f/small.onnx" $four --method round -o "$work/no.onnx"
has err 'need data'
for method in nosuch equalize+ +round equalize+nosuch gptq; do
    expect 2 "$precis" quant "$f/small.onnx" $static --method $method -o "$work/no.onnx"
done
[ ! -e "$work/no.onnx" ] || { echo "a refused method left a file"; failed=1; }
exit $failed
