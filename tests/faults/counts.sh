#!/bin/sh
# Keys that lay out tensors, and layers in tensors' names, are compared with the tensors before anything divides or strides
# by them. usage: counts.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

make() { # make CHANGES...: $work/m.gguf
    python3 "$root/tests/faults/counts.py" "$work/m.gguf" "$@" || failed=1
}
refused() { # refused TEXT CHANGES...: by every command that takes the model apart, in one sentence that has the text
    text=$1
    shift
    make "$@"
    for out in folder out.gguf; do
        format=gguf
        [ $out = folder ] && format=safetensors
        expect 3 "$precis" convert "$work/m.gguf" -o "$work/$out" --format $format
        has err "$text"
        [ -e "$work/$out" ] && { echo "$format: a failed job left an output: $*"; failed=1; }
    done
    expect 3 "$precis" quant "$work/m.gguf" --type Q8_0 --no-calib --no-eval -o "$work/q.gguf"
    has err "$text"
    expect 3 "$precis" profile "$work/m.gguf" -o "$work/p.json" --tokens 16 --types Q8_0 -q
    has err "$text"
    expect 3 "$precis" plan "$work/m.gguf" --max-size 60%
    has err "$text"
    expect 3 "$precis" eval "$work/m.gguf" --ids 3,4,5
    has err "$text"
}

make
expect 0 "$precis" convert "$work/m.gguf" -o "$work/whole" --format safetensors
expect 0 "$precis" convert "$work/whole" -o "$work/back.gguf"
python3 - "$work/m.gguf" "$work/back.gguf" "$precis" <<'E' || failed=1
import subprocess, sys
for name in ("blk.0.attn_q.weight", "blk.0.attn_k.weight"):
    a, b = (subprocess.run([sys.argv[3], "inspect", f, "--tensor", name, "-o", "-"], capture_output=True).stdout for f in sys.argv[1:3])
    assert a and a == b, name
E
expect 0 "$precis" eval "$work/m.gguf" --ids 3,4,5

refused "llama.attention.head_count is 0.*blk.0.attn_q.weight is \[32, 32\]" attention.head_count=0
refused "attention.head_count is 5000, not 1 to 4096" attention.head_count=5000
refused "attention.head_count is 4096" attention.head_count=4096
refused "blk.0.attn_q.weight is \[24, 32\].*llama.attention.head_count, 4" +blk.0.attn_q.weight=24,32
refused "llama.attention.head_count is 3" attention.head_count=3
refused "llama.attention.head_count_kv is 0" attention.head_count_kv=0
refused "attn_k.weight is \[15, 32\].*head_count_kv, 2" +blk.0.attn_k.weight=15,32
refused "head_count_kv is 8589934592" attention.head_count_kv=8589934592
refused "attn_q.weight is \[32, 32\].*head_count, 4" attention.key_length=4
refused "key_length is 0" attention.key_length=0
refused "block_count is 4294967295" block_count=4294967295
refused "embedding_length is 0" embedding_length=0
refused "ffn_down.weight is \[32, 48\].*feed_forward_length, 40" feed_forward_length=40 \
    +blk.0.ffn_gate.weight=40,32 +blk.0.ffn_up.weight=40,32
refused "expert_count" expert_count=4 expert_used_count=2 +blk.0.ffn_gate_exps.weight=3,48,32
refused "ffn_down_exps.weight is \[2, 7, 48\]" expert_count=2 expert_used_count=1 +blk.0.ffn_down_exps.weight=2,7,48
# a weight that the net has no use for is turned by a rotation all the same
refused "ffn_down_exps.weight is \[2, 7, 48\]" +blk.0.ffn_down_exps.weight=2,7,48
for name in blk.1 blk.1024 blk.4294967296 blk.99999999999999999999 blk.-1 blk.00 blk.x; do
    refused "tensor $name.attn_q.weight is of none of the 1 layers" "+$name.attn_q.weight=32,32"
done

# an adapter's rows are turned by the model's heads
python3 - "$work/peft" <<'E'
import json, os, struct, sys
os.mkdir(sys.argv[1])
json.dump({"lora_alpha": 8, "r": 2}, open(sys.argv[1] + "/adapter_config.json", "w"))
p = "base_model.model.model.layers.0.self_attn.q_proj."
head = {p + "lora_A.weight": {"dtype": "F32", "shape": [2, 32], "data_offsets": [0, 256]},
        p + "lora_B.weight": {"dtype": "F32", "shape": [32, 2], "data_offsets": [256, 512]}}
h = json.dumps(head).encode()
open(sys.argv[1] + "/adapter_model.safetensors", "wb").write(struct.pack("<Q", len(h)) + h + struct.pack("<128f", *[0.01] * 128))
E
make attention.head_count=0
expect 3 "$precis" eval "$work/m.gguf" --lora "$work/peft" --ids 3,4,5
has err head_count
make
expect 0 "$precis" eval "$work/m.gguf" --lora "$work/peft" --ids 3,4,5
# one that belongs to another model is bad input, not bad usage
make attention.key_length=16 +blk.0.attn_q.weight=64,32 +blk.0.attn_k.weight=32,32 +blk.0.attn_v.weight=32,32 \
    +blk.0.attn_output.weight=32,64
expect 3 "$precis" eval "$work/m.gguf" --lora "$work/peft" --ids 3,4,5
has err "belongs to another model"
rm "$work/peft/adapter_config.json"
expect 3 "$precis" eval "$work/m.gguf" --lora "$work/peft" --ids 3,4,5

if [ -d "$cases/faults" ]; then
    for name in convert_sigfpe_heads0 convert_sigfpe_heads_many convert_oob_heads_not_dividing; do
        expect 3 "$precis" convert "$cases/faults/$name/m.gguf" -o "$work/case" --format safetensors
        has err "head_count"
    done
    expect 3 "$precis" profile "$cases/faults/profile_segv_layer_beyond/m.gguf" -o "$work/p.json" --tokens 16 --types Q8_0 -q
fi
echo "$n commands"
exit $failed
