#!/bin/sh
# precis train --qat of every type that quant writes: the file that it writes has the loss of training within 1e-4 (precis
# itself refuses another, and the figures are compared here). usage: train_types.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
cd "$work" || exit 1
cat >config.json <<'E2'
{"model": {"arch": "llama", "width": 256, "layers": 1, "heads": 2, "kv_heads": 1, "hidden": 256, "vocabulary": 32},
 "data": {"language": {"seed": 7}, "context": 16, "batch": 2, "heldout_tokens": 64}, "steps": 2, "seed": 1,
 "optimizer": {"name": "adamw", "lr": 1e-3}}
E2
expect 0 "$precis" list formats --json
types=$(python3 -c '
import json
unwritten = {"F32", "F64", "I8", "I16", "I32", "I64", "U8", "Q8_K", "Q8_1"} # originals, whole numbers, activations
print(" ".join(t for t in json.load(open("out"))["formats"] if t not in unwritten))')
for type in $types; do
    expect 0 "$precis" train config.json -o t.gguf --qat "$type" --estimator lsq --quantized s.precis.gguf --no-history --json
    python3 -c '
import json
end = json.loads(open("out").read().splitlines()[-1])
assert abs(end["served"] - end["heldout"]) < 1e-4, end' || { echo "of $type"; failed=1; }
done
[ "$n" -gt 100 ] || { echo "$n commands: the list of types is short"; failed=1; }
for type in F64 I32 Q8_K; do expect 3 "$precis" train config.json -o t.gguf --qat $type; done
[ $failed = 0 ] && echo "$n commands"
exit $failed
