#!/bin/sh
# Nothing important is skipped silently: windows beyond the context, profiles of other models, figures of a stopped
# evaluation, a model beside its configuration. usage: said.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

# windows are no longer than what the model knows (2048), whatever was asked for
for i in 1 2 3 4; do cat "$root/data/eval.txt"; done >"$work/long.txt"
sed 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 128/' "$model/config.json" >"$work/config.json"
cp "$model/model.safetensors" "$model/tokenizer.json" "$work/"
expect 0 "$precis" eval "$work/model.safetensors" --ctx 512 --chunks 2 --json
has err "windows are cut to 128 tokens, all that the model knows"
json "j['windows'] == 2 and j['tokens'] == 2 * 63"
expect 0 "$precis" eval "$work/model.safetensors" --ctx 128 --chunks 2 --json
lacks err "windows are cut"
# and so is a longer context of run, of ids and of a plan; that it is full is no matter of --ctx then
expect 0 "$precis" run "$work" -p "It was" -n 2 --ctx 129
has err "a context of 129 tokens, but the model was made for 128"
expect 0 "$precis" run "$work" -p "It was" -n 2 --ctx 128
lacks err "made for"
expect 4 "$precis" run "$work" -p "It was" -n 200 --ignore-end
has err "the context of 128 tokens is full, and the model was made for no more"
lacks err "larger --ctx"
head -c 3000 "$root/data/eval.txt" >"$work/e3.txt"
expect 2 "$precis" run "$work" -f "$work/e3.txt" -n 2
has err "the context holds 128, and the model was made for no more"
expect 4 "$precis" run "$work" -p "It was" -n 200 --ctx 64 --ignore-end
has err "a larger --ctx makes room"
expect 0 "$precis" eval "$work" --ids "$(seq -s, 5 200)" --json
has err "196 ids, but the model was made for a context of 128"
expect 0 "$precis" plan "$work" --no-profile --max-size 60% --calib "$work/e3.txt" --ctx 4096
has err "a context of 4096 tokens, but the model was made for 128"
# a folder's model.safetensors finds its config.json
expect 0 "$precis" run "$work/model.safetensors" -p "It was" -n 2
# a stopped evaluation says what it has, and how far it came
"$precis" eval "$model" --text "$work/long.txt" --ctx 64 -t 1 --json >"$work/out" 2>"$work/err" &
job=$!
i=0
while [ $i -lt 100 ] && kill -0 $job 2>/dev/null; do
    sleep 0.1
    i=$((i + 1))
    [ $i = 15 ] && kill -INT $job
done
wait $job
code=$?
if [ $code = 130 ] && grep -q "what follows is of the first" "$work/err"; then
    json "j['windows'] > 0 and j['tokens'] == 31 * j['windows'] and j['ppl'] > 1 and j['ppl_se'] > 0"
else
    [ $code = 0 ] || [ $code = 130 ] || { echo "a stopped eval ended with $code"; failed=1; }
    echo "SKIP the stopped eval: it was over, or had no window yet"
fi
# a replay evaluates as the first run did, unless it is told how; a text that changed is no such text
head -c 20000 "$root/data/eval.txt" >"$work/e.txt"
expect 0 "$precis" quant "$model" --type Q4_0 --no-calib --text "$work/e.txt" --ctx 128 --chunks 3 -o "$work/r.gguf" --json
python3 -c "import json; print(json.load(open('$work/out'))['eval'])" >"$work/first"
expect 0 "$precis" quant "$model" --replay "$work/r.gguf.manifest.json" -o "$work/r2.gguf" --json
python3 -c "import json; print(json.load(open('$work/out'))['eval'])" >"$work/second"
cmp -s "$work/first" "$work/second" || { echo "a replay evaluated otherwise: $(cat "$work/first" "$work/second")"; failed=1; }
expect 0 "$precis" quant "$model" --replay "$work/r.gguf.manifest.json" -o "$work/r2.gguf" --no-eval --json
json "'eval' not in j"
echo more >>"$work/e.txt"
expect 1 "$precis" quant "$model" --replay "$work/r.gguf.manifest.json" -o "$work/r2.gguf"
has err "e.txt: it has changed since"

# a model without a tokenizer is quantized, and that it is not evaluated is said
rm "$work/tokenizer.json"
expect 0 "$precis" quant "$work" --type Q8_0 --no-calib -o "$work/q.gguf"
has err "no tokenizer, so the result is not evaluated"
has out "Loss: not measured"

# results that have no place to be kept at, a folder that is not there, and a name that looks like an option
expect 0 env -u HOME -u XDG_STATE_HOME "$precis" eval "$model" --against "$model" --tasks copy --limit 2 --gate --max-drop 60%
has err "the results are not kept: neither XDG_STATE_HOME nor HOME says where"
expect 0 env -u HOME -u XDG_STATE_HOME "$precis" eval "$model" --against "$model" --tasks copy --limit 2 --gate --max-drop 60% --results none
lacks err "not kept"
expect 3 "$precis" quant "$model" --type Q8_0 --no-calib --no-eval -o "$work/none here/x.gguf"
has err "none here/x.gguf: its folder $work/none here/ cannot be used: No such file"
expect 3 "$precis" convert "$model" --format safetensors -o "$work/none here/x"
has err "none here/x: its folder $work/none here/ cannot be written: No such file"
cp "$model/model.safetensors" "$work/-m.safetensors"
expect 2 sh -c 'cd "$1" && "$2" inspect -m.safetensors' x "$work" "$(realpath "$precis")"
has err "no option -m.safetensors; the file of that name is ./-m.safetensors"
expect 0 sh -c 'cd "$1" && "$2" inspect ./-m.safetensors' x "$work" "$(realpath "$precis")"
# options without a command, and standard output as a file
expect 2 "$precis" --json
json "j['error']['kind'] == 'usage' and 'a command comes first' in j['error']['message']"
expect 2 "$precis" quant "$model" --type Q8_0 --no-calib --no-eval -o -
has err "name a file"
expect 2 "$precis" convert "$model" --format safetensors -o -
has err "names no new folder"
[ ! -e ./- ] || { echo "a file of the name - was written"; rm ./-; failed=1; }

echo "$n commands"
exit $failed
