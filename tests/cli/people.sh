#!/bin/sh
# Summaries first, the terminal's width, colours, names that were meant, completion, and what is the same everywhere.
# usage: people.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

within() { # within COLUMNS COMMAND...: no line is wider, but commands that are there to be copied
    columns=$1
    shift
    COLUMNS=$columns "$@" >"$work/out" 2>/dev/null
    n=$((n + 1))
    sed '/^examples:/,$d' "$work/out" | grep -v '^  precis ' | awk -v w="$columns" -v what="$*" \
        'length($0) > w { print what ": wider than " w ": " $0; bad = 1 } END { exit bad }' || failed=1
}
for columns in 48 80 120; do
    within $columns "$precis" --help
    for verb in $("$precis" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do within $columns "$precis" "$verb" --help; done
    within $columns "$precis" inspect "$model"
    within $columns "$precis" list formats
    within $columns "$precis" quant "$model" --type Q4_K_M --no-calib --dry-run
    within $columns "$precis" law advise --N 8B --D 15T
    within $columns "$precis" law advise --N 8B --D 15T --tables
done

# summaries first; lists behind an option
expect 0 "$precis" inspect "$model"
has out "net: 8 layers of width 256, feed-forward 768, 4 heads (2 of keys)"
has out "context: 256 tokens; vocabulary: 4096"
has out "types: BF16 100 % (14.7 MB in 74 tensors)"
has out "size: file 14.7 MB, of which tensors 14.7 MB"
lacks out "blk.0"
expect 0 "$precis" inspect "$model" --tensors
has out "model.layers.0.self_attn.q_proj.weight"
expect 0 "$precis" list formats
has out "Q4_K *4.50 *256  llama.cpp  the usual size at a small loss"
has out "INT4_G128 *4.[0-9]* *any  precis "
expect 0 "$precis" list formats --names
[ "$(head -1 "$work/out")" = F32 ] || { echo "names are not alone: $(head -1 "$work/out")"; failed=1; }
expect 0 "$precis" list formats --json
json "'Q4_K' in j['formats'] and next(d for d in j['details'] if d['name'] == 'Q4_K')['read_by'] == 'llama.cpp'"
expect 0 "$precis" convert "$model" -o "$work/m.gguf"
lacks out "blk.0"
has out "m.gguf: 14.8 MB of tensors, [0-9]* of 74 exact"
expect 0 "$precis" inspect "$work/m.gguf" # whose shapes are the other way round
has out "context: 256 tokens; vocabulary: 4096"
expect 0 "$precis" profile "$model" -o "$work/im.gguf" --tokens 32 -q
lacks out "blk.0"
has out "tensors (--tensors lists them)"

# colours only on a terminal
if command -v script >/dev/null; then
    TERM=xterm script -qec "$precis inspect $model" /dev/null >"$work/out" 2>&1 </dev/null
    has out "$(printf '\033\\[1m')"
    TERM=xterm NO_COLOR=1 script -qec "$precis inspect $model" /dev/null >"$work/out" 2>&1 </dev/null
    lacks out "$(printf '\033\\[')"
fi
"$precis" inspect "$model" >"$work/out"
lacks out "$(printf '\033')"

# what was meant
echo '{"model": {"width": 32, "layers": 1, "heads": 2}, "data": {"language": {"seed": 1}}, "steps": 1}' >"$work/c.json"
meant() { # meant TEXT COMMAND...
    text=$1
    shift
    expect 2 "$precis" "$@"
    has err "did you mean $text?"
}
meant quant qant
meant quant quantize
meant bench benchmark x.gguf
meant inspect help inspec
meant advise law advice
meant formats list format
meant --max-size quant "$model" --maxsize 75%
meant Q4_K_M quant "$model" --type Q4_KM --dry-run
meant Q6_K quant "$model" --max-size 50% --types Q66_K --dry-run
meant kumar law predict --law kumarr --N 1B --D 2B --bits 4
meant quest-tied law predict --law quest-tide --N 1B --D 2B --bits 4
meant gptq quant "$model" --type Q4_K --method gpqt --dry-run
meant hellaswag eval "$model" --tasks helaswag
meant safetensors convert "$model" -o "$work/f" --format safetensor
meant lsq train "$work/c.json" -o "$work/t.gguf" --estimator lqs
for table in $(grep -rhoE 'precis list [a-z][a-z-]+' "$root/src" "$root/cli" | sed 's/precis list //' | sort -u); do
    # a message that names a table names one that is there ("names them" is of the verb)
    [ "$table" = names ] || expect 0 "$precis" list "$table"
done
expect 2 "$precis" quant "$model" --target-ram 4M
has err "no option --target-ram; precis plan has it"
expect 2 "$precis" xyzzy
lacks err "did you mean"

# advise concludes: a recommendation with its range, the disagreement, and laws outside of their range
expect 0 "$precis" law advise --N 8B --D 15T
has out "^Recommendation: train in .* bits (the laws say .* to .*), and serve in those. A model"
has out "in 6 bits (all laws say 6)" # no range from 6 to 6
has out "The laws disagree on bits to train in (kumar "
has out "Outside of where they were fitted, so extrapolated: kumar (N"
lacks out "over bf16"
expect 0 "$precis" law advise --N 8B --D 15T --tables
has out "over bf16"
has out "^kumar\* "
expect 0 "$precis" law advise --N 8B --D 15T --json
json "(lambda k: k['train_bits_range'][0] <= k['train_bits'] <= k['train_bits_range'][1] and k['serve_bits_range'][0] <= k['serve_bits'] <= k['serve_bits_range'][1] and any(o['law'] == 'kumar' and 'N' in o['where'] for o in k['outside']))(j['conclusion'])"
json "sorted(r['continuous_bits'] or r['bits'] for r in j['training'])[len(j['training']) // 2] == j['conclusion']['train_bits']"

# a failure is one object with the same members, whoever fails
for how in "nosuch" "help nosuch" "quant --nosuch" "quant $model --max-size 1M --dry-run" "inspect /nonexistent" "eval" \
    "quant $model --type NOSUCH --dry-run" "list nosuch" "law nosuch"; do
    # shellcheck disable=SC2086
    "$precis" $how --json >"$work/out" 2>"$work/err"
    json "set(j['error']) == {'message', 'kind', 'exit', 'command'} and j['error']['exit'] == j['exit'] > 0 and j['error']['message']"
done
# the verdict of --check
expect 0 "$precis" inspect "$model" --check --json
json "j['check'] == {'finite': True, 'found': []} and len(j['tensors']) == 74"
python3 - "$work/m.gguf" "$work/nan.gguf" "$("$precis" inspect "$work/m.gguf" --json | python3 -c "import json, sys; print(next(t['offset'] for t in json.load(sys.stdin)['tensors'] if t['name'] == 'output_norm.weight'))")" <<'P'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = int(sys.argv[3])
data[at:at + 4] = b"\0\0\xc0\x7f"
open(sys.argv[2], "wb").write(data)
P
expect 1 "$precis" inspect "$work/nan.gguf" --check --json
json "not j['check']['finite'] and j['check']['found'] == [{'tensor': 'output_norm.weight', 'element': 0, 'value': 'nan'}]"

# the name of an output is what it becomes, or is refused before any work; so are types that only precis reads
misnamed() { # misnamed OUTPUT RIGHT_NAME COMMAND...
    out=$1 right=$2
    shift 2
    expect 2 "$precis" "$@"
    has err "$out.*name it $right"
    [ ! -e "$work/$out" ] || { echo "$out was written"; failed=1; }
}
for name in safetensors onnx npz html; do
    misnamed "n.$name" "$work/n.gguf" quant "$model" --type Q4_K --no-calib --no-eval -o "$work/n.$name"
    misnamed "n.$name" "$work/n, or" convert "$model" -o "$work/n.$name"
done
misnamed n.gguf "$work/n, or" convert "$model" -o "$work/n.gguf" --format gptq
expect 0 "$precis" convert "$model" -o "$work/asked.gguf" --format packed -q
misnamed n.gguf "$work/n.precis.gguf" quant "$model" --type INT4_G32 --no-calib --no-eval -o "$work/n.gguf"
expect 0 "$precis" quant "$model" --type INT4_G32 --no-calib --no-eval -o "$work/n4.precis.gguf"
misnamed n.gguf "$work/n.precis.gguf" convert "$work/n4.precis.gguf" --own -o "$work/n.gguf"
misnamed n.gguf "$work/n.json" plan "$model" --bpw 4 -o "$work/n.gguf"
misnamed n.gguf "$work/n.html" plan "$model" --bpw 4 --html "$work/n.gguf"
misnamed n.gguf "$work/n.html" bench "$model" --html "$work/n.gguf"
expect 0 "$precis" quant "$model" --type Q4_0 --no-calib --no-eval -o "$work/q.gguf" -q
for name in json html onnx; do
    misnamed "n.$name" "$work/n.gguf" eval "$work/q.gguf" --against "$model" --chunks 1 -q --logits "$work/n.$name"
    misnamed "n.$name" "$work/n.f32" inspect "$model" --tensor model.norm.weight -o "$work/n.$name"
    misnamed "n.$name" "$work/n, or" law plot --svg "$work/n.$name"
done
expect 0 "$precis" inspect "$model" --tensor model.norm.weight -o "$work/n.bin"
[ "$(wc -c <"$work/n.bin")" = 1024 ] || { echo "a tensor of 256 numbers"; failed=1; }
expect 0 "$precis" law plot --law kumar --svg "$work/new" # a folder that was not there
[ -s "$work/new/isoloss.svg" ] || { echo "no figures in a new folder"; failed=1; }
expect 2 "$precis" quant "$model" "$work/n.gguf" --type Q4_0
has err "has no place for \"$work/n.gguf\"; -o names what is written"
expect 2 "$precis" "$work/q.gguf"
has err "is a file; a command comes first"
expect 2 "$precis" eval "$model" "$work/q.gguf"
has err "no place for"
lacks err "names what is written"
expect 2 "$precis" pull a/b c/d
has err "has no place for \"c/d\" (precis pull --help"
misnamed n.html "$work/n.json" profile "$model" -o "$work/n.html"

# --text is a file
printf 'It was a dark night.' >"$work/t.txt"
expect 0 "$precis" tokenize "$model" --text "$work/t.txt" --json
cp "$work/out" "$work/first"
expect 0 "$precis" tokenize "$model" -p "It was a dark night." --json
cmp -s "$work/out" "$work/first" || { echo "tokenize: a file and a prompt differ"; failed=1; }
expect 3 "$precis" tokenize "$model" --text "It was a dark night."
has err "names a file; -p takes the text"

# bench repeats
expect 0 "$precis" bench "$model" --prompt 16 --gen 4 --repeat 3 --json
json "j['repeat']['n'] == 3 and j['repeat']['decode_tok_s'][0] <= j['decode_tok_s'] <= j['repeat']['decode_tok_s'][1] and j['repeat']['prefill_tok_s'][0] <= j['prefill_tok_s'] <= j['repeat']['prefill_tok_s'][1]"
expect 0 "$precis" bench "$model" --prompt 16 --gen 4 --repeat 3
has out "medians of 3 runs"
lacks out "strips"
expect 0 "$precis" bench "$model" --prompt 16 --gen 4 --repeat 2 --json # the median of two lies between them
json "all(abs(2 * j[k] / sum(j['repeat'][k]) - 1) < 1e-6 for k in ('decode_tok_s', 'prefill_tok_s'))"
expect 0 "$precis" bench "$model" --prompt 16 --gen 4 --json
once=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['rss_bytes'])" "$work/out")
expect 0 "$precis" bench "$model" --prompt 16 --gen 4 --repeat 2 --json
json "j['rss_bytes'] < 2 * $once" # not what the first run took to measure the machine

# completion: words of law and list, types, files by kind
touch "$work/a.gguf" "$work/a.txt" "$work/a.json" "$work/a.png"
"$precis" help --completion bash >"$work/bash"
mkdir -p "$work/bin"
ln -sf "$(cd "$(dirname "$precis")" && pwd)/$(basename "$precis")" "$work/bin/precis"
complete() { # complete EXPECTED WORD...: the last is what is completed
    wanted=$1
    shift
    got=$(cd "$work" && PATH=$work/bin:$PATH bash -c '. ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _precis; echo "${COMPREPLY[@]}"' x "$@")
    [ "$got" = "$wanted" ] || { echo "completion of \"$*\": \"$got\", not \"$wanted\""; failed=1; }
}
if command -v bash >/dev/null; then
    complete "advise" precis law adv
    complete "formats" precis list form
    complete "Q4_K_S Q4_K_M" precis quant m.gguf --type Q4_K_
    complete "a.gguf" precis inspect a.
    complete "a.json" precis quant m.gguf --plan a.
    complete "a.txt" precis eval m.gguf --text a.
    complete "fast" precis quant m.gguf --effort f
fi
if command -v zsh >/dev/null; then
    "$precis" help --completion zsh >"$work/zsh"
    zsh -n "$work/zsh" || failed=1
    grep -q "'advise:" "$work/zsh" && grep -q 'list --names' "$work/zsh" || { echo "zsh lacks words"; failed=1; }
fi
if command -v fish >/dev/null; then
    "$precis" help --completion fish >"$work/fish"
    fish --no-execute "$work/fish" || failed=1
    fish_complete() {
        got=$(cd "$work" && PATH=$work/bin:$PATH HOME=$work fish -c "source ./fish; complete -C '$2'" | cut -f1 | sort | tr '\n' ' ')
        [ "$got" = "$1" ] || { echo "fish completes \"$2\" with \"$got\", not \"$1\""; failed=1; }
    }
    fish_complete "advise " "precis law adv"
    fish_complete "formats " "precis list form"
fi

echo "$n commands"
exit $failed
