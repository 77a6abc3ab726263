#!/bin/sh
# nan_keys.sh PRECIS SOURCE: a key that the model computes with and that is NaN or infinite is refused by name; a NaN in
# a tensor that gets another type is an error, also where NaN is allowed.
. "$2/tests/common.sh"

head -c 3000 "$root/docs/architecture.md" >"$work/text"
for change in rope.freq_base=nan attention.layer_norm_rms_epsilon=inf attention.scale=nan \
    rope.scaling.attn_factor=-inf final_logit_softcapping=nan; do
    python3 "$root/tests/faults/counts.py" "$work/m.gguf" "$change"
    for line in "eval $work/m.gguf --ids 3,4,5" "convert $work/m.gguf -o $work/o.gguf" \
        "convert $work/m.gguf -o $work/o --format safetensors" \
        "quant $work/m.gguf --type Q8_0 --no-calib --no-eval -o $work/o.gguf" "plan $work/m.gguf --bpw 5"; do
        expect 3 "$precis" $line -q
        has err "key llama.${change%=*} is \(no number\|infinite\)"
    done
    [ ! -e "$work/o.gguf" ] && [ ! -e "$work/o" ] || { echo "$change: an output was written"; failed=1; }
done
python3 "$root/tests/faults/counts.py" "$work/m.gguf" rope.freq_base=20000.5
expect 0 "$precis" eval "$work/m.gguf" --ids 3,4,5 -q

python3 "$root/tests/faults/change.py" "$model" "$work/bad" nan:model.layers.3.mlp.gate_proj.weight:777
expect 0 "$precis" convert "$work/bad" -o "$work/bad.gguf" --allow-nan -q
for type in Q4_0 F32 F16 '*.attn_q.weight=Q8_0,blk.3.ffn_gate.weight=Q8_0'; do
    expect 3 "$precis" quant "$work/bad.gguf" --type "$type" --no-calib --no-eval -o "$work/q.precis.gguf" --allow-nan -q
    has err "blk.3.ffn_gate.weight: element 777 is nan.*--allow-nan passes those that keep their type"
done
expect 0 "$precis" quant "$model" --type Q8_0 --no-calib --no-eval -o "$work/q.precis.gguf" -q
offset=$("$precis" inspect "$work/q.precis.gguf" --json | python3 -c "import json, sys
print([t['offset'] for t in json.load(sys.stdin)['tensors'] if t['name'] == 'blk.2.attn_v.weight'][0])")
python3 - "$work/q.precis.gguf" "$offset" <<'END'
import sys
f = open(sys.argv[1], 'r+b')
f.seek(int(sys.argv[2]) + 5 * 34)
f.write(b'\x00\x7e')
END
expect 3 "$precis" inspect "$work/q.precis.gguf" --overflow
has err "tensor blk.2.attn_v.weight: element 160 is nan"
exit $failed
