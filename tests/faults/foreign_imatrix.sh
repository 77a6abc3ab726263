#!/bin/sh
# An importance matrix of another model is an error, and one of a part of the model is said to be, instead of being left out in silence.
. "$(dirname "$0")/../common.sh"

cd "$work" || exit 1
python3 - <<'P'
import struct
def legacy(path, names):
    b = struct.pack("<i", len(names))
    for name in names:
        b += struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", 1, 256) + struct.pack("<256f", *[1.0 + i % 7 for i in range(256)])
    open(path, "wb").write(b + struct.pack("<ii", 1, 1) + b"x")
legacy("other.dat", ["model.layers.0.mlp.up_proj.weight", "nothing.weight"])
legacy("part.dat", ["blk.0.attn_q.weight", "blk.0.attn_k.weight"])
P
expect 2 "$precis" quant "$model" --type Q4_0 --imatrix other.dat --no-eval -o q.gguf
has err "no tensor of .*model.layers.0.mlp.up_proj.weight.*another model"
[ -e q.gguf ] && { echo "a foreign importance matrix was used"; failed=1; }
expect 2 "$precis" plan "$model" --bpw 5 --no-profile --imatrix other.dat
expect 2 "$precis" profile "$model" --imatrix other.dat -o p.json
expect 0 "$precis" quant "$model" --type Q4_0 --imatrix part.dat --no-eval -o q.gguf
has err "covers 2 of the [0-9]* matrices"
# one that was made of it covers it
expect 0 "$precis" profile "$model" -o whole.gguf --tokens 64 -q
expect 0 "$precis" quant "$model" --type Q4_0 --imatrix whole.gguf --no-eval -o q.gguf
lacks err "covers"

echo "$n commands"
exit $failed
