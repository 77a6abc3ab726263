#!/bin/sh
# The command line as people use it. usage: cli.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

expect 2 "$precis"
expect 0 "$precis" --version
has out "precis 0"
expect 0 "$precis" --help
for verb in inspect tokenize profile plan quant eval run bench report list; do
    expect 0 "$precis" $verb --help
    has out "usage: precis $verb"
done
expect 2 "$precis" nosuch
expect 2 "$precis" inspect
expect 2 "$precis" inspect --nosuch x
expect 2 "$precis" inspect "$model" --threads zwei
expect 3 "$precis" inspect /nonexistent
has err "nonexistent"

expect 0 "$precis" inspect "$model" --json
json "j['format'] == 'safetensors' and j['architecture'] == 'llama' and j['parameters'] == 7344384"
json "len(j['tensors']) == 74 and all({'name', 'shape', 'type', 'bytes', 'offset'} <= set(t) for t in j['tensors']) and j['bits_per_weight'] == 16"
expect 0 "$precis" inspect "$model" --tensor output_norm.weight -o "$work/raw"
[ "$(wc -c <"$work/raw")" = 1024 ] || { echo "the tensor has $(wc -c <"$work/raw") bytes"; failed=1; }
expect 0 "$precis" inspect "$model" --tensor output_norm.weight -o -
cmp -s "$work/out" "$work/raw" || { echo "a tensor on stdout differs from the file"; failed=1; }
cp "$model/config.json" "$model/model.safetensors" "$work/"
expect 2 "$precis" inspect "$work/model.safetensors" --tensor norm.weight -o "$work/model.safetensors"
cmp -s "$model/model.safetensors" "$work/model.safetensors" || { echo "inspect --tensor wrote over its input"; failed=1; }
expect 2 "$precis" quant "$work/model.safetensors" --type Q8_0 --no-calib --no-eval -o "$work/config.json"
has err "belongs to the input"
rm "$work/config.json" "$work/model.safetensors"
expect 2 "$precis" quant "$model" --type Q8_0 -o "$work/"
expect 3 "$precis" quant "$model" --type Q8_0 -o "$work/no/such/folder.gguf"
for name in $("$precis" list formats --names); do
    grep -q "^| $name |" "$root/docs/formats.md" || { echo "docs/formats.md lacks $name"; failed=1; }
done
expect 0 "$precis" help quant
expect 2 "$precis" help nosuch
expect 0 "$precis" list limits
has out "JSON_DEPTH 64"
expect 2 "$precis" inspect "$model" --tensor nosuch -o "$work/raw"
expect 0 "$precis" inspect "$model" --check

expect 0 "$precis" tokenize "$model" -p "It was a dark night." --json
json "all(isinstance(i, int) for i in j['ids']) and len(j['ids']) > 3"
expect 0 "$precis" list formats
has out Q4_K

expect 0 "$precis" quant "$model" --type Q4_K_M --dry-run --json
json "j['out'] is None and len(j['tensors']) == 74"
expect 0 "$precis" quant "$model" --type Q4_K_M -o "$work/q4.gguf" --no-eval --json
json "j['out'].endswith('q4.gguf') and all({'name', 'from', 'to', 'method', 'error'} <= set(t) for t in j['tensors'])"
expect 2 "$precis" quant "$model" --type Q4_K_M
expect 2 "$precis" quant "$model" --type NOSUCH -o "$work/x.gguf"
expect 2 "$precis" quant "$model" --type Q4_0 --max-size 50% -o "$work/x.gguf"
expect 2 "$precis" quant "$work/q4.gguf" --type Q4_0 -o "$work/q4.gguf"
expect 1 "$precis" quant "$model" --max-size 5% --no-calib -o "$work/x.gguf"
has err "least"
expect 0 "$precis" quant "$work/q4.gguf" --type Q3_K_S -o "$work/q3.gguf" --no-eval
has err REQUANTIZING
[ -e "$work/x.gguf" ] && { echo "a failed job left a file"; failed=1; }

expect 0 "$precis" quant "$model" --type "nosuch*=Q4_0" --dry-run
has err "matches no tensor"
expect 0 "$precis" quant "$model" --bpw 4.5 --no-calib --dry-run --json --pin "nosuch=Q8_0"
has err "matches no tensor"
json "0 < j['bits_per_weight'] <= 4.5"

expect 0 "$precis" profile "$model" -o "$work/im.dat" --tokens 64 --quiet
expect 0 "$precis" profile "$model" -o "$work/im.gguf" --tokens 64 --quiet
expect 0 "$precis" quant "$model" --type Q4_0 --imatrix "$work/im.dat" -o "$work/a.gguf" --no-eval --quiet
expect 0 "$precis" quant "$model" --type Q4_0 --imatrix "$work/im.gguf" -o "$work/b.gguf" --no-eval --quiet
python3 - "$work/a.gguf" "$work/b.gguf" <<'PY' || failed=1
import sys
a, b = (open(p, "rb").read() for p in sys.argv[1:])
a, b = (x[x.index(b"general.quantization_version"):] for x in (a, b))
assert len(a) == len(b) and sum(x != y for x, y in zip(a[-200000:], b[-200000:])) == 0, "the two kinds of imatrix give other tensors"
PY

expect 0 "$precis" eval "$work/q4.gguf" --against "$model" --ctx 256 --chunks 3 --json
json "{'ppl', 'ppl_se', 'kld_mean', 'kld_se', 'top1', 'tokens', 'arithmetic'} <= set(j) and j['tokens'] == 381 and 0 < j['kld_mean'] < 0.1 and j['top1'] > 0.8"
expect 0 "$precis" eval "$work/q4.gguf" --ctx 256 --chunks 1 --weights-only --json
json "j['arithmetic'] == 'weights-only'"
echo "too short" >"$work/short"
expect 2 "$precis" eval "$model" --text "$work/short"
expect 0 "$precis" run "$model" -p "It was a" -n 8 --temp 0 --json
json "len(j['ids']) == 8 and isinstance(j['text'], str)"
expect 0 "$precis" run "$model" -p "It was a" -n 4 --seed 5 --cache-k int8 --cache-v int4
expect 2 "$precis" run "$model" -p "It was a" --ctx 2
has err "larger --ctx"
expect 4 "$precis" run "$model" -p "It was a" --ctx 8 -n 100 --ignore-end
has err "context"
expect 0 "$precis" bench "$model" --prompt 32 --gen 8 --json
json "j['load_ms'] > 0 and j['prefill_tok_s'] > 0 and j['limit']['decode_tok_s'] > 0 and j['rss_bytes'] > 0"
expect 0 "$precis" bench "$model" --prompt 32 --gen 8 --nodes --json
json "sum(n['weight_bytes'] for n in j['nodes']) == j['weight_bytes'] and all(0 < n['prompt_busy'] <= 1 for n in j['nodes'] if n['type'])"
expect 0 "$precis" bench "$model" --prompt 32 --gen 8 --nodes
awk 'length > 80 && /^(step|blk)/ { exit 1 }' "$work/out" || { echo "the table is wider than 80 columns"; failed=1; }
[ "$(grep -c '^blk\.\*\.' "$work/out")" -ge 10 ] || { echo "no table of nodes"; failed=1; }
PRECIS_CPU=nosuch expect 2 "$precis" inspect "$model"
PRECIS_CPU=scalar expect 0 "$precis" run "$model" -p "It was a" -n 8 --temp 0 --json
cp "$work/out" "$work/scalar.json"
expect 0 "$precis" run "$model" -p "It was a" -n 8 --temp 0 --json
cmp -s "$work/out" "$work/scalar.json" || { echo "scalar kernels give other text"; failed=1; }

# methods, schemes, containers
expect 0 "$precis" list pairs
has out "awq + smoothquant: refused"
has out "clip + search: refused"
has out "rotate + gptq: works"
expect 0 "$precis" list writers
has out gptq
expect 2 "$precis" quant "$model" --type Q4_0 --method awq+smoothquant -o "$work/x.gguf"
has err "cannot be combined"
expect 2 "$precis" quant "$model" --type MXFP4 --method search --scale-rounding even -o "$work/x.gguf"
for mode in floor rceil ceil even; do
    expect 0 "$precis" quant "$model" --type MXFP4 --method rtn --scale-rounding $mode --no-eval -o "$work/mx-$mode.gguf" -q
done
cmp -s "$work/mx-floor.gguf" "$work/mx-ceil.gguf" && { echo "scale roundings make no difference"; failed=1; }
expect 0 "$precis" quant "$model" --type W4A8KV8 --calib-tokens 64 --no-eval -o "$work/w4.precis.gguf" -q
expect 0 "$precis" inspect "$work/w4.precis.gguf" --keys
has out "precis.activations"
expect 0 "$precis" eval "$work/w4.precis.gguf" --ids 3,4,5,6 --emulate --json
json "j['arithmetic'] == 'emulated' and len(j['nll']) == 3"
expect 0 "$precis" run "$work/w4.precis.gguf" -p "It was a" -n 4 --temp 0 --json
lacks err "reference lowering"
expect 0 "$precis" quant "$model" --type W4A4 --calib-tokens 64 --no-eval -o "$work/w4a4.precis.gguf" -q
expect 0 "$precis" run "$work/w4a4.precis.gguf" -p "It was a" -n 4 --temp 0
has err "activations in INT4 have no kernel yet"
ids=3,4,5,600,70,8
expect 0 "$precis" eval "$model" --ids $ids --json
json "j['arithmetic'] == 'fast' and len(j['nll']) == 5"
cp "$work/out" "$work/ids.json"
expect 0 "$precis" eval "$model" --ids $ids --batch 1 --json
cmp -s "$work/out" "$work/ids.json" || { echo "token by token gives other figures"; failed=1; }
expect 0 "$precis" eval "$model" --ids $ids --cache-k int8 --cache-v int4 --json
cmp -s "$work/out" "$work/ids.json" && { echo "the KV types of --ids make no difference"; failed=1; }
expect 2 "$precis" eval "$model" --ids $ids --cache-k int5 --json
expect 0 "$precis" convert "$work/w4.precis.gguf" -o "$work/folder" --format safetensors --json
json "all(t['exact'] and t['max_error'] == 0 for t in j['tensors']) and len(j['tensors']) == 74"
[ -f "$work/folder/tokenizer.json" ] && [ -f "$work/folder/config.json" ] || { echo "convert left out the tokenizer or the configuration"; failed=1; }
expect 2 "$precis" convert "$work/w4.precis.gguf" -o "$work/folder" --format safetensors
has err "no empty folder"
expect 0 "$precis" tokenize "$work/folder" -p "It was a dark night." --json
cp "$work/out" "$work/tokens.json"
expect 0 "$precis" tokenize "$model" -p "It was a dark night." --json
cmp -s "$work/out" "$work/tokens.json" || { echo "a converted folder tokenizes differently"; failed=1; }
expect 0 "$precis" convert "$work/folder" -o "$work/back.gguf" --json
expect 0 "$precis" convert "$work/w4.precis.gguf" -o "$work/own.precis.gguf" --own --json
expect 3 "$precis" convert "$model" -o "$work/gptq" --format gptq
has err "precis quant MODEL --type"
[ -e "$work/gptq" ] && { echo "a failed conversion left a folder"; failed=1; }
expect 2 "$precis" convert "$model" -o "$work/x" --format nosuch
expect 0 "$precis" eval "$model" --ladder W8A8,NVFP4,NF4 --ctx 64 --chunks 2 --json
json "[r['type'] for r in j['rows']] == ['W8A8', 'NVFP4', 'NF4'] and all({'bytes', 'ppl', 'kld_mean', 'top1', 'decode_tok_s'} <= set(r) for r in j['rows']) and j['rows'][0]['kld_mean'] < j['rows'][1]['kld_mean']"
expect 2 "$precis" eval "$model" --ladder W8A8,NOSUCH
expect 2 "$precis" run "$model" --embed -p text
python3 -c "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    z.writestr('archive/data.pkl', b'pickle')" "$work/model.pth"
expect 3 "$precis" inspect "$work/model.pth"
has err "torch.load"
rm -rf "$work/folder"

# Ctrl-C: exit 130, and nothing is left behind
"$precis" quant "$model" --max-size 30% -o "$work/cut/x.gguf" --no-eval >/dev/null 2>&1
mkdir -p "$work/cut"
setsid "$precis" quant "$model" --max-size 30% --threads 1 -o "$work/cut/x.gguf" >/dev/null 2>"$work/err" &
job=$!
sleep 0.7
kill -INT $job
wait $job
code=$?
[ $code = 130 ] || [ $code = 0 ] || { echo "after SIGINT: exit $code"; failed=1; }
[ $code = 0 ] || [ -z "$(ls -A "$work/cut")" ] || { echo "an interrupted job left: $(ls -A "$work/cut")"; failed=1; }
# killed at any moment: the whole file or none
for pause in 0.01 0.03 0.06 0.1 0.2; do
    rm -f "$work/cut"/*
    "$precis" quant "$model" --type Q4_K_M --no-calib --no-eval -q -o "$work/cut/x.gguf" >/dev/null 2>&1 &
    job=$!
    sleep $pause
    kill -KILL $job 2>/dev/null
    wait $job 2>/dev/null
    [ "$(ls -A "$work/cut" | grep -v '^x.gguf.manifest.json')" = "" ] || [ "$(ls -A "$work/cut" | grep -v '^x.gguf.manifest.json')" = x.gguf ] || { echo "a killed job left: $(ls -A "$work/cut")"; failed=1; }
    [ ! -e "$work/cut/x.gguf" ] || "$precis" inspect "$work/cut/x.gguf" --check -q >/dev/null || { echo "a killed job left half a file"; failed=1; }
done
# measure, plan, make, make again, judge
expect 0 "$precis" profile "$model" -o "$work/p.json" --tokens 256 --types Q3_K --json
json "len(j['probes']) == 57 + 32 and all(p['kld'] > -1e-4 and p['error'] > 0 for p in j['probes']) and j['additivity']['plans'] >= 4 and 0.3 < j['additivity']['ratio'] < 3"
expect 0 "$precis" plan "$model" --profile "$work/p.json" --imatrix "$work/im.gguf" --max-size 30% -o "$work/plan.json" --json
json "j['bytes'] <= 0.3 * 14832064 and j['kld_interval'][0] < j['kld'] < j['kld_interval'][1] and len(j['tensors']) == 74 and {'name', 'type', 'method'} <= set(j['tensors'][0]) and j['ram'] > j['bytes']"
expect 0 "$precis" plan "$model" --profile "$work/p.json" --imatrix "$work/im.gguf" --max-kld 0.02 --bpw 12 --json
json "j['kld_interval'][1] <= 0.02 and j['bits_per_weight'] < 12"
expect 1 "$precis" plan "$model" --profile "$work/p.json" --imatrix "$work/im.gguf" --max-kld 1e-7 --max-size 20%
expect 1 "$precis" plan "$model" --no-profile --imatrix "$work/im.gguf" --max-size 1k
has err "least feasible is"
expect 2 "$precis" plan "$model" --no-profile --imatrix "$work/im.gguf" --max-kld 0.1
expect 2 "$precis" plan "$model" --no-profile --imatrix "$work/im.gguf"
# what can be refused is refused before anything is measured: no calibration text is read by any of these
for wrong in "--types Q9" "--pin *=Q9" "--method nosuch" "--kv int3" "--kv int8,int4"; do
    # shellcheck disable=SC2086
    expect 2 "$precis" plan "$model" --max-size 30% $wrong
    has err "Q9\|nosuch\|int3\|2 KV types"
done
expect 3 "$precis" plan "$model" --max-size 30% --profile "$work/none.json"
expect 3 "$precis" plan "$model" --max-size 30% -o "$work/none/plan.json"
expect 3 "$precis" profile "$model" -o "$work/none/p.json"
expect 2 "$precis" profile "$model" -o "$work/p2.json" --method nosuch
expect 3 "$precis" bench "$model" --cost-table "$work/none/costs.json"
expect 2 "$precis" plan "$model" --max-size 30% --profile "$work/p.json" --no-profile
expect 2 "$precis" quant "$model" --type Q4_0 --pin '*=Q8_0' -o "$work/x.gguf"
sed 's/blk\.0\.attn_q\.weight/blk.0.attn_x.weight/g' "$work/p.json" >"$work/other.json"
expect 2 "$precis" plan "$model" --profile "$work/other.json" --imatrix "$work/im.gguf" --max-size 30%
has err "of another model: this one has no tensor blk.0.attn_x.weight"
sed 's/"model": "...../"model": "00000/' "$work/p.json" >"$work/other.json"
for how in "plan" "quant --dry-run"; do
    # shellcheck disable=SC2086
    expect 2 "$precis" $how "$model" --profile "$work/other.json" --imatrix "$work/im.gguf" --max-size 30%
    has err "of another model: it was measured on other weights"
done
expect 0 "$precis" quant "$model" --plan "$work/plan.json" --imatrix "$work/im.gguf" -o "$work/planned.gguf" --no-eval
[ -s "$work/planned.gguf.manifest.json" ] || { echo "no manifest"; failed=1; }
expect 0 "$precis" quant "$model" --replay "$work/planned.gguf.manifest.json" -o "$work/again.gguf" --no-eval
has err "the same bytes"
cmp "$work/planned.gguf" "$work/again.gguf" || failed=1
expect 0 "$precis" profile "$model" -o "$work/im.gguf" --tokens 96 --quiet
expect 1 "$precis" quant "$model" --replay "$work/planned.gguf.manifest.json" -o "$work/again.gguf" --no-eval
has err "has changed since"
echo '{"precis": "plan", "version": 1, "tensors": [{"name": "token_embd.weight", "type": "Q9_K"}]}' >"$work/bad.json"
expect 3 "$precis" quant "$model" --plan "$work/bad.json" -o "$work/x.gguf"
has err "tensors\[0\].type"
expect 3 "$precis" plan "$model" --profile "$work/bad.json" --imatrix "$work/im.gguf" --bpw 4
expect 3 "$precis" quant --replay "$work/bad.json" -o "$work/x.gguf"
# a closed pipe and a full disk are errors, not silence
"$precis" inspect "$model" >/dev/full 2>/dev/null && { echo "writing to a full device succeeded"; failed=1; }

echo "$n commands"
exit $failed
