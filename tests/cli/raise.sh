#!/bin/sh
# Layer norm, GELU and attention from their pieces: inspect says how many, quant writes them as ops, and results are what
# they were. usage: raise.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
tool() { python3 "$root/tests/cli/raise.py" "$@"; }
f=$work/f
tool make "$f" || exit 1

expect 0 "$precis" inspect "$f/block.onnx" --passes --json
json "j['passes'] == {'fold_pad': 0, 'fold_batch_norm': 0, 'fold_scale': 0, 'raise_activations': 0, 'raise_gelu': 1, 'raise_layer_norm': 2, 'raise_attention': 1}"
expect 0 "$precis" inspect "$f/block.onnx" --passes
grep -q '^ *2  by raise_layer_norm$' "$work/out" || { cat "$work/out"; failed=1; }
expect 2 "$precis" inspect "$root/models/gutenberg-7m" --passes

# Attention has the bits of its pieces: reference arithmetic, which eval --nodes runs, never has it raised; threads.
for threads in 1 2 3; do
    expect 0 "$precis" run "$f/block.onnx" --input x="$f/x.npy" --output-dir "$work/t$threads" --threads $threads
    cmp "$work/t1/y.npy" "$work/t$threads/y.npy" || { echo "$threads threads: other bits"; failed=1; }
done

# Weights in 8 bits with one scale each lose up to half a step of 1/127: the block's results move by less than a tenth.
expect 0 "$precis" quant "$f/block.onnx" --weight-only -o "$work/q.onnx"
expect 0 "$precis" inspect "$work/q.onnx" --json
json "j['ops']['LayerNormalization'] == 2 and j['ops']['Gelu'] == 1 and 'Erf' not in j['ops'] and 'Sqrt' not in j['ops']"
expect 0 "$precis" run "$work/q.onnx" --input x="$f/x.npy" --output-dir "$work/q"
tool near "$work/q/y.npy" "$work/t1/y.npy" 0.1 || failed=1

# torch's own: the core form of a block and of an encoder, whose softmax is guarded, as torch computed them.
given=$root/../shared/reference/nets/pt2
for net in vit_block.core:1:add_2:input encoder.core:2:getitem_9:src; do
    name=${net%%:*} rest=${net#*:}
    many=${rest%%:*} rest=${rest#*:}
    [ -f "$given/$name.pt2" ] || { echo "skipped: $name, no ../shared"; continue; }
    expect 0 "$precis" inspect "$given/$name.pt2" --passes --json
    json "j['passes']['raise_attention'] == $many"
    mkdir -p "$work/$name"
    python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])' "$given/$name.npz" "$work/$name"
    expect 0 "$precis" run "$given/$name.pt2" --input "${rest#*:}=$work/$name/in:${rest#*:}.npy" --output-dir "$work/$name"
    tool near "$work/$name/${rest%%:*}.npy" "$work/$name/out:${rest%%:*}.npy" 1e-5 || failed=1
done
exit $failed
