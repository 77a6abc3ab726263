#!/bin/sh
# A token for each row of the embedding, and every end of a text: GGUF has both, and a folder gets its own tokenizer and list back.
. "$2/tests/common.sh"
folders=$root/tests/folders.py
python3 "$folders" "$work" padded padded-spm padded-unigram short eos-list eos-named
check() { python3 "$folders" check "$work/$1" "$2" || failed=1; }

for name in padded padded-spm padded-unigram; do
    for command in "convert $work/$name -o $work/$name.gguf" "quant $work/$name --type Q8_0 --no-calib --no-eval -o $work/$name-q.gguf"; do
        expect 0 "$precis" $command
    done
    for file in $name.gguf $name-q.gguf; do
        check $file "len(k['tokenizer.ggml.tokens']) == len(k['tokenizer.ggml.token_type']) == t['token_embd.weight'][1] == 300"
        check $file "k['tokenizer.ggml.tokens'][299] == '[PAD299]' and k['tokenizer.ggml.token_type'][-30:] == [5] * 30"
    done
    expect 0 "$precis" convert "$work/$name.gguf" -o "$work/$name-out" --format safetensors
    if grep -q PAD "$work/$name-out"/tokenizer.*; then echo "$name: fillers in the folder's tokenizer"; failed=1; fi
    expect 0 "$precis" tokenize "$work/$name" -p "the [PAD299] other"
    cp "$work/out" "$work/ids"
    expect 0 "$precis" tokenize "$work/$name-out" -p "the [PAD299] other"
    cmp "$work/ids" "$work/out" || failed=1
    expect 0 "$precis" convert "$work/$name" -o "$work/$name-copy" --format safetensors
    cmp "$work/$name-copy"/tokenizer.* "$work/$name"/tokenizer.* || failed=1
done
python3 - "$work" <<'PY' || failed=1
import json, sys
a, b = (json.load(open(f"{sys.argv[1]}/padded{end}/tokenizer.json")) for end in ("", "-out"))
assert a["model"]["vocab"] == b["model"]["vocab"] and len(a["added_tokens"]) == len(b["added_tokens"]), "another vocabulary"
PY
expect 0 "$precis" convert "$work/short" -o "$work/short.gguf"
has err "266 tokens and the embedding 264 rows"
check short.gguf "len(k['tokenizer.ggml.tokens']) == 264"

# ends
expect 0 "$precis" convert "$work/eos-list" -o "$work/eos.gguf"
has err "4 tokens end a text"
check eos.gguf "[k['tokenizer.ggml.' + n + '_token_id'] for n in ('bos', 'eos', 'eot', 'eom')] == [256, 256, 257, 11]"
expect 0 "$precis" quant "$work/eos-list" --type W4A16 --no-calib --no-eval -o "$work/eos-q.precis.gguf"
expect 0 "$precis" convert "$work/eos-q.precis.gguf" -o "$work/eos-out" --format safetensors
python3 -c "import json, sys; assert json.load(open(sys.argv[1]))['eos_token_id'] == [257, 11, 256, 12]" "$work/eos-out/config.json" || failed=1
expect 0 "$precis" convert "$work/eos-named" -o "$work/named.gguf"
check named.gguf "k['tokenizer.ggml.eos_token_id'] == 257 and k['tokenizer.ggml.bos_token_id'] == 256"

# run stops at each of them: a model whose every next token is the fourth end
python3 - "$root" "$work" <<'PY'
import os, struct, sys
sys.path.insert(0, sys.argv[1] + "/tests")
import folders as f
for name, ends in (("stops", [257, 11, 256, 45]), ("goes-on", [257, 11, 256])):
    cfg, t, tok = f.base("llama")
    cfg["eos_token_id"] = ends
    rows = [[1.0] * f.WIDTH] * f.WORDS
    t["model.embed_tokens.weight"] = "F32", (f.WORDS, f.WIDTH), struct.pack(f"<{f.WORDS * f.WIDTH}f", *sum(rows, []))
    t["lm_head.weight"] = "F32", (f.WORDS, f.WIDTH), struct.pack(f"<{f.WORDS * f.WIDTH}f", *sum(([9.0 if i == 45 else 0.0] * f.WIDTH for i in range(f.WORDS)), []))
    for i in range(f.LAYERS):
        for part, rows, cols in (("self_attn.o_proj", f.WIDTH, f.HEADS * f.DIM), ("mlp.down_proj", f.WIDTH, f.HIDDEN)):
            t[f"model.layers.{i}.{part}.weight"] = f.raw("F32", (rows, cols), 4)
    f.write(os.path.join(sys.argv[2], name), cfg, t, tok)
PY
for name in stops goes-on; do
    expect 0 "$precis" run "$work/$name" -p hi -n 5 --temp 0 -q
    cp "$work/out" "$work/$name.txt"
done
lacks "stops.txt" "-"
has "goes-on.txt" "-----"
exit $failed
