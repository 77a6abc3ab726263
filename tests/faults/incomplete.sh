#!/bin/sh
# A model of a known architecture is whole or refused, by every command: weights that another program packed, tensors or layers that are
# lost or too many. "Can be quantized, not run" is for unknown architectures.
. "$2/tests/common.sh"
folders=$root/tests/folders.py
python3 "$folders" "$work" llama qwen3 missing missing-head missing-expert more-layers fewer-layers foreign-tokenizer mlx mlx-unknown quanto bnb8 bnb4

refused() { # refused MODEL TEXT: by each command, with nothing written
    for command in "convert $1 -o $work/o.gguf" "convert $1 -o $work/o --format safetensors" "quant $1 --type Q4_0 --no-calib --no-eval -o $work/o.gguf" \
        "quant $1 --type Q4_0 -o $work/o.gguf" "quant $1 --max-size 60% -o $work/o.gguf" "eval $1 --ids 1,2,3" "run $1 -p hi -n 1" "profile $1 -o $work/o.gguf --tokens 16" \
        "plan $1 --max-size 60%"; do
        expect 3 "$precis" $command
        has err "$2"
        lacks err "not run"
        [ ! -e "$work/o.gguf" ] && [ ! -e "$work/o" ] || { echo "$command left a file"; failed=1; rm -rf "$work/o.gguf" "$work/o"; }
    done
    expect 0 "$precis" inspect "$1" # which shows what there is
}
refused "$work/missing" "blk.1.attn_q.weight is missing"
refused "$work/more-layers" "blk.2.attn_norm.weight is of none of the 2 layers that config.json has"
refused "$work/fewer-layers" "config.json says 4 layers, but the tensors are of 2"
refused "$work/mlx" "packed by MLX.*mlx_lm.convert --dequantize"
refused "$work/quanto" "packed by quanto.*dequantize there first"
refused "$work/bnb8" "packed by bitsandbytes (8 bits)"
refused "$work/bnb4" "packed by bitsandbytes (4 bits)"
expect 3 "$precis" convert "$work/foreign-tokenizer" -o "$work/o.gguf"
has err "267 tokens, but the embedding only 264 rows"
refused "$work/missing-expert" "blk.1.ffn_down_exps.weight: 3 experts are there, config.json says 4"
refused "$work/missing-head" "lm_head.weight is missing"
expect 3 "$precis" convert "$work/mlx-unknown" -o "$work/o.gguf"
has err "packed by MLX"

# GGUF files, too: one tensor less, or a key that says other layers; a bias or norm that some layers lack
expect 0 "$precis" convert "$work/qwen3" -o "$work/whole.gguf"
python3 - "$work" <<'PY'
import sys
work = sys.argv[1]
d = open(work + "/whole.gguf", "rb").read()
for name, text in (("q.gguf", b"blk.1.attn_q.weight"), ("norm.gguf", b"blk.1.attn_k_norm.weight")):  # the same file with the tensor under another name
    assert d.count(text) == 1
    open(f"{work}/{name}", "wb").write(d.replace(text, text[:-6] + b"other_"[:6]))
k = d.index(b"qwen3.block_count") + 17 + 4
open(work + "/layers.gguf", "wb").write(d[:k] + b"\x01\0\0\0" + d[k + 4 :])
PY
refused "$work/q.gguf" "blk.1.attn_q.weight is missing"
refused "$work/norm.gguf" "blk.1.attn_k_norm.weight is missing"
refused "$work/layers.gguf" "of none of the 1 layers that key qwen3.block_count has"

# what is whole goes on
expect 0 "$precis" quant "$work/llama" --type Q4_0 --no-calib --no-eval -o "$work/o.gguf"
# Heads of which a part is turned: one key says it, also where the folder says the heads' dimension.
python3 "$folders" "$work" phi3
python3 - "$work/phi3/config.json" <<'E' || failed=1
import json, sys
c = json.load(open(sys.argv[1]))
json.dump({**c, "head_dim": 8, "partial_rotary_factor": 0.5}, open(sys.argv[1], "w"))
E
expect 0 "$precis" inspect "$work/phi3" --keys
has out "phi3.rope.dimension_count *4$"
expect 0 "$precis" eval "$work/phi3" --ids 3,4,5
exit $failed
