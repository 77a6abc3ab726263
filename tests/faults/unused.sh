#!/bin/sh
# Tensors that are no part of the net: derived buffers are left out, others are named and left out of GGUF, whose readers refuse files with
# more tensors than they use; a folder keeps them. And keys that the readers need are there for every architecture.
. "$2/tests/common.sh"
folders=$root/tests/folders.py
all=$(python3 "$folders" bases)
python3 "$folders" "$work" $all buffers heads gemma-tied no-tokenizer
check() { python3 "$folders" check "$work/$1" "$2" || failed=1; }

for name in buffers heads; do
    for command in "convert $work/$name -o $work/$name.gguf" "quant $work/$name --type Q8_0 --no-calib --no-eval -o $work/$name-q.gguf"; do
        expect 0 "$precis" $command
        if [ $name = heads ]; then has err "4 tensors are no part of llama's net, left out of GGUF files: value_head.weight"; else lacks err "no part"; fi
    done
    check $name.gguf "len(t) == 21 and all(n.startswith(('blk.', 'output', 'token_embd.')) for n in t)"
    check $name-q.gguf "len(t) == 21"
done
expect 0 "$precis" inspect "$work/heads"
has err "4 tensors are no part of llama's net"
expect 0 "$precis" convert "$work/heads" -o "$work/kept" --format safetensors
grep -q value_head.weight "$work/kept/model.safetensors" || { echo "the folder lost the value head"; failed=1; }
expect 0 "$precis" quant "$work/llama" --type W4A16 --no-calib --no-eval -o "$work/w4.precis.gguf"
expect 0 "$precis" convert "$work/gemma-tied" -o "$work/tied.gguf"
check tied.gguf "'output.weight' not in t"

for name in $all; do
    expect 0 "$precis" convert "$work/$name" -o "$work/$name.gguf"
    lacks err refuses
    check $name.gguf "all(f\"{k['general.architecture']}.{n}\" in k for n in ('context_length', 'embedding_length', 'block_count', 'feed_forward_length', 'attention.head_count'))"
done
check bert.gguf "k['tokenizer.ggml.token_type_count'] == 2 and k['tokenizer.ggml.bos_token_id'] == 2 and k['tokenizer.ggml.eos_token_id'] == 3"
check gpt2.gguf "'blk.1.attn_qkv.bias' in t"
expect 0 "$precis" quant "$work/no-tokenizer" --type Q8_0 --no-calib --no-eval -o "$work/none.gguf"
check none.gguf "k['tokenizer.ggml.model'] == 'none' and k['llama.vocab_size'] == 264 and abs(k['llama.attention.layer_norm_rms_epsilon'] - 1e-6) < 1e-12"
exit $failed
