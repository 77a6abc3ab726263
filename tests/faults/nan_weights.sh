#!/bin/sh
# nan_weights.sh PRECIS SOURCE: a weight that is NaN or infinite is refused by every command that reads weights, with
# its tensor and its place; --allow-nan passes it on purpose.
. "$2/tests/common.sh"

head -c 6000 "$root/docs/architecture.md" >"$work/text"
python3 "$root/tests/faults/change.py" "$model" "$work/bad" nan:model.layers.3.mlp.gate_proj.weight:777
python3 "$root/tests/faults/change.py" "$model" "$work/norm" inf:model.layers.1.post_attention_layernorm.weight:7
# of a token that the prompt has not: no result shows it
python3 "$root/tests/faults/change.py" "$model" "$work/row" nan:model.embed_tokens.weight:1040000

refused() { # refused TENSOR ELEMENT COMMAND...: exit 3, named
    tensor=$1
    element=$2
    shift 2
    expect 3 "$precis" "$@"
    has err "tensor $tensor.*element $element is"
}
all() { # all MODEL TENSOR ELEMENT
    refused "$2" "$3" run "$1" -p hi -n 4 -q
    refused "$2" "$3" run "$1" -p hi -n 4 -q --pack load
    refused "$2" "$3" convert "$1" -o "$work/out.gguf" -q
    refused "$2" "$3" convert "$1" -o "$work/out.packed.gguf" --format packed -q
    refused "$2" "$3" convert "$1" -o "$work/folder" --format safetensors -q
    refused "$2" "$3" eval "$1" --text "$work/text" --ctx 64 --chunks 1 -q
    refused "$2" "$3" eval "$model" --against "$1" --text "$work/text" --ctx 64 --chunks 1 -q
    refused "$2" "$3" eval "$1" --ids 3,4,5 -q
    refused "$2" "$3" profile "$1" -o "$work/p.gguf" --tokens 64 -q
    refused "$2" "$3" profile "$1" -o "$work/p.json" --tokens 64 --types Q8_0 -q
    refused "$2" "$3" quant "$1" --type Q4_0 --no-calib --no-eval -o "$work/q.gguf" -q
    refused "$2" "$3" quant "$1" --type Q4_0 --calib "$work/text" --no-eval -o "$work/q.gguf" -q
    refused "$2" "$3" quant "$1" --bpw 5 --no-calib --no-eval -o "$work/q.gguf" -q
    refused "$2" "$3" plan "$1" --bpw 5 -q
    refused "$2" "$3" bench "$1" -q
    refused "$2" "$3" bench "$1" --cost-table "$work/costs.json" -q
}
all "$work/bad" blk.3.ffn_gate.weight 777
all "$work/norm" blk.1.ffn_norm.weight 7
refused token_embd.weight 1040000 run "$work/row" -p hi -n 4 -q
refused token_embd.weight 1040000 eval "$work/row" --ids 3,4 -q
for left in out.gguf out.packed.gguf folder q.gguf p.gguf p.json costs.json; do
    [ ! -e "$work/$left" ] || { echo "$left was written"; failed=1; }
done

# scripts read it where they read results
expect 3 "$precis" eval "$work/bad" --text "$work/text" --ctx 64 --chunks 1 --json -q
json '"blk.3.ffn_gate.weight" in j["error"]["message"] and j["exit"] == 3'

# on purpose, with a note; the copy is refused where it is computed with
expect 0 "$precis" convert "$work/bad" -o "$work/kept.gguf" --allow-nan
has err "element 777 is nan; it is kept"
expect 0 "$precis" convert "$work/bad" -o "$work/kept.packed.gguf" --format packed --allow-nan -q
refused blk.3.ffn_gate.weight 777 run "$work/kept.gguf" -p hi -n 4 -q
refused blk.3.ffn_gate.weight 777 run "$work/kept.packed.gguf" -p hi -n 4 -q
expect 3 "$precis" quant "$work/kept.gguf" --type Q4_0 --no-calib --no-eval -o "$work/q.gguf" --allow-nan -q
expect 0 "$precis" quant "$work/kept.gguf" --type 'blk.0.attn_q.weight=Q8_0' --no-calib --no-eval \
    -o "$work/q.gguf" --allow-nan
has err "element 777 is nan; it is kept"

# quantized tensors: NaN in one scale
expect 0 "$precis" quant "$model" --type Q4_0 --no-calib --no-eval -o "$work/good.gguf" -q
offset=$("$precis" inspect "$work/good.gguf" --json | python3 -c "import json, sys
print([t['offset'] for t in json.load(sys.stdin)['tensors'] if t['name'] == 'blk.2.attn_v.weight'][0])")
python3 - "$work/good.gguf" "$offset" <<'END'
import sys
f = open(sys.argv[1], 'r+b')
f.seek(int(sys.argv[2]) + 5 * 18)
f.write(b'\x00\x7e')
END
expect 1 "$precis" inspect "$work/good.gguf" --check -q
refused blk.2.attn_v.weight 160 run "$work/good.gguf" -p hi -n 2 -q
refused blk.2.attn_v.weight 160 convert "$work/good.gguf" -o "$work/again.gguf" -q

for f in norm matrix bf16_matrix; do
    f=$cases/faults/nan_not_refused/$f.gguf
    [ -f "$f" ] || continue
    expect 3 "$precis" convert "$f" -o "$work/x.gguf" -q
    expect 3 "$precis" run "$f" -p hi -n 2 -q
    expect 3 "$precis" quant "$f" --type Q8_0 --no-calib --no-eval -o "$work/x.gguf" -q
done
exit $failed
