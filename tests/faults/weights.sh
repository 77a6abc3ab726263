#!/bin/sh
# Which files of a folder are its weights: transformers' order, and what lies there otherwise is named with what to do.
. "$2/tests/common.sh"
folders=$root/tests/folders.py
python3 "$folders" "$work" llama
whole=$work/llama
fresh() { rm -rf "$work/f" "$work/o.gguf"; cp -r "$whole" "$work/f"; }
shards() { # the weights in two shards and their index
    python3 - "$root" "$work/f" "$1" <<'PY'
import json, os, struct, sys
sys.path.insert(0, sys.argv[1] + "/tests")
import folders as f
out, byte = sys.argv[2:]
t = f.decoder("llama")
if byte == "stale":
    t = {n: f.raw("F32", s, 4) for n, (_, s, _) in t.items()}
names, index = sorted(t), {}
for i in range(2):
    file = f"model-0000{i + 1}-of-00002.safetensors"
    f.save(f"{out}/{file}", {n: t[n] for n in names[i::2]})
    index.update({n: file for n in names[i::2]})
if byte == "lost":
    index["model.layers.1.mlp.other.weight"] = file
json.dump({"metadata": {}, "weight_map": index}, open(f"{out}/model.safetensors.index.json", "w"))
PY
}
refuses() { # refuses TEXT...: and names it
    expect 3 "$precis" convert "$work/f" -o "$work/o.gguf"
    for text in "$@"; do has err "$text"; done
    [ ! -e "$work/o.gguf" ] || { echo "a file was written"; failed=1; }
}
expect 0 "$precis" convert "$whole" -o "$work/whole.gguf"

# stale shards beside a new file
fresh
shards stale
expect 0 "$precis" convert "$work/f" -o "$work/o.gguf"
has err "model.safetensors is read, as transformers does; model.safetensors.index.json beside it is not"
cmp "$work/whole.gguf" "$work/o.gguf" || failed=1
# shards alone, by the folder, the index or config.json
rm "$work/f/model.safetensors"
shards new
for path in f f/model.safetensors.index.json f/config.json; do
    expect 0 "$precis" convert "$work/$path" -o "$work/o.gguf"
done
rm -f "$work/o.gguf"
expect 3 "$precis" convert "$work/f/model-00001-of-00002.safetensors" -o "$work/o.gguf" # one shard is not the model
has err "is missing"
mv "$work/f/model-00002-of-00002.safetensors" "$work/second"
refuses "there is no model-00002-of-00002.safetensors, which model.safetensors.index.json names"
mv "$work/second" "$work/f/model-00002-of-00002.safetensors"
mv "$work/f/model.safetensors.index.json" "$work/index"
refuses "model-00001-of-00002.safetensors, model-00002" "fetch model.safetensors.index.json"
shards lost
refuses "tensor model.layers.1.mlp.other.weight is not in"

# a file of another name: told, and read when it is named
for name in weights model.fp16 consolidated; do
    fresh
    mv "$work/f/model.safetensors" "$work/f/$name.safetensors"
    refuses "there is no model.safetensors, but $name.safetensors"
done
expect 0 "$precis" convert "$work/f/consolidated.safetensors" -o "$work/o.gguf"
cmp "$work/whole.gguf" "$work/o.gguf" || failed=1
fresh
expect 0 "$precis" convert "$work/f/model.safetensors" -o "$work/o.gguf" # the file finds its folder
cmp "$work/whole.gguf" "$work/o.gguf" || failed=1

# other kinds of files
fresh
rm "$work/f/model.safetensors"
refuses "there is no model.safetensors; there are no weights here"
printf 'PK\003\004' >"$work/f/pytorch_model.bin"
refuses "pytorch_model.bin; a pickle can run code" "save_pretrained"
rm "$work/f/pytorch_model.bin"
echo '{}' >"$work/f/adapter_config.json"
cp "$whole/model.safetensors" "$work/f/adapter_model.safetensors"
refuses "adapter_model.safetensors; an adapter is no model" "lora"
fresh
mv "$work/f/model.safetensors" "$work/f/diffusion_pytorch_model.safetensors"
refuses "pipeline of diffusers"
fresh
pointer='version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n'
for name in model.safetensors tokenizer.json config.json; do
    fresh
    printf "$pointer" >"$work/f/$name"
    refuses "$name: this is Git LFS's pointer to the file, not the file; run .git lfs pull."
done
printf "$pointer" >"$work/p.gguf"
expect 3 "$precis" inspect "$work/p.gguf"
has err "git lfs pull"
exit $failed
