#!/bin/sh
# The end of `quant`: a verdict that the figures bear out; names of outputs; substitutes in one line.
# usage: verdict.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

quant() { # quant CODE OPTIONS...
    want=$1
    shift
    expect "$want" "$precis" quant "$model" --no-calib --ctx 128 --chunks 2 "$@"
}
quant 0 --type Q8_0 -o "$work/q8.gguf"
has out "^Smaller by 4[0-9] %: .* from 14.7 MB"
has out "At no loss that shows: 0.00[0-9]* +- .* nats per token, perplexity [+-].* the same next token in"
has out "scale: KL divergence below 0.003"
has out "Read by: llama.cpp"
has out "Next: precis run $work/q8.gguf"
has out "wrote $work/q8.gguf, and $work/q8.gguf.manifest.json"
quant 0 --type Q2_K -o "$work/q2.gguf" --json
json "not j['verdict']['larger'] and j['verdict']['read_by'] == 'gguf' and j['verdict']['part_of_input'] < 0.3"
json "j['verdict']['loss'] == next(w for t, w in ((0.003, 'no loss that shows'), (0.02, 'a loss that nobody notices'), (0.1, 'a small loss'), (0.3, 'a loss that shows'), (9, 'a heavy loss')) if j['eval']['kld_mean'] < t)"
# larger than the input: the first word of the verdict
expect 0 "$precis" quant "$work/q2.gguf" --type Q8_0 --no-calib --no-eval -o "$work/large.gguf"
has err "the model is quantized already: 57 of its 57 coded tensors stay as they are, exact"
has out "^As large as the input (.*): this file saves nothing" # by 32 bytes of names larger
has out "Next: keep the input"
# substitutes are those of what is written: codes that stay are none, and one place does not count what another does not
python3 "$root/tests/cli/narrow.py" "$work/rows96" 96 160
expect 0 "$precis" quant "$work/rows96" --type Q4_K_M --no-calib -o "$work/rows96.gguf"
has err "9 tensors take a substitute"
has out "substitutes: 6 take Q5_0 instead of Q4_K, 3 take Q8_0 instead of Q6_K"
expect 0 "$precis" quant "$work/rows96.gguf" --type Q4_K_M --no-calib -o "$work/again.gguf"
lacks err "substitute"
lacks out "substitutes"
expect 0 "$precis" quant "$work/q2.gguf" --type '*=Q8_0' --no-calib --no-eval -o "$work/large.gguf"
has out "^LARGER by [0-9]* % than the input"
has out "Next: keep the input"
tr '\n' ' ' <"$work/out" | tr -s ' ' >"$work/line"
grep -qE "precis quant $work/q2.gguf --max-size 75% -o" "$work/line" || { echo "what comes next cannot be copied"; failed=1; }
has out "Loss: not measured"
# little more is said in tenths; names in commands are as a shell takes them; what is not measured says how, if it can be
mkdir "$work/it's a folder" && cp "$work/q2.gguf" "$work/it's a folder/q 2.gguf"
COLUMNS=400 quant 0 --type Q8_0 --no-eval -o "$work/it's a folder/small one.gguf"
has out "Next: precis run '$work/it'.''s a folder/small one.gguf'"
next=$(sed -n "s/^Next: precis run \(.*\)/\1/p" "$work/out")
eval "set -- $next"
expect 0 "$precis" run "$1" -p "It was" -n 2
COLUMNS=400 expect 0 "$precis" quant "$work/it's a folder/q 2.gguf" --type '*=Q8_0' --no-calib --no-eval -o "$work/large.gguf"
has out "Loss: not measured; precis eval $work/large.gguf --against '$work/it'.''s a folder/q 2.gguf' does it"
python3 "$root/tests/cli/narrow.py" "$work/narrow"
expect 0 "$precis" quant "$work/narrow" --type '*=F32' --no-calib -o "$work/same.gguf"
has out "^LARGER by 0.[1-9] % than the input"
has out "Loss: not measured, since the model has no tokenizer; precis eval --ids needs none"
lacks out "precis run" # which would refuse it
PYTHONPATH=$root/tests python3 -c "import folders, sys; folders.make(sys.argv[1], 'bert')" "$work/encoder"
expect 0 "$precis" quant "$work/encoder" --type Q8_0 --no-calib -o "$work/encoder.gguf"
has out "Loss: not measured, since the model is an encoder"
next=$(sed -n "s/^Next: precis \(.*\)/\1/p" "$work/out")
eval "set -- $next"
expect 0 "$precis" "$@"
# a lone file of weights: what it lacks is its config.json, not the tokenizer that lies beside it
mkdir "$work/lone" && cp "$model/model.safetensors" "$model/tokenizer.json" "$work/lone"
expect 3 "$precis" run "$work/lone/model.safetensors" -p "It was"
has err "needs its config.json beside it"
lacks out "precis eval"
# a format that precis alone reads
quant 0 --type W4A16 --no-eval -o "$work/w4.precis.gguf"
has out "Read by: only precis (INT4_G128)"
quant 0 --type Q8_0 --no-eval --format packed -o "$work/q8.packed.gguf"
has out "Read by: only precis"

# a name that says another container is refused before work, and nothing is written
for name in x.safetensors foo.onnx w.pt; do
    quant 2 --type Q8_0 -o "$work/$name"
    has err "name it .*\.gguf"
    [ ! -e "$work/$name" ] || { echo "$name was written"; failed=1; }
done
quant 2 --type W4A16 -o "$work/w.gguf"
has err "only precis reads INT4_G128 (56 tensors).*name it $work/w.precis.gguf"
quant 2 --type Q8_0 --format packed -o "$work/w.gguf"
has err "name it $work/w.packed.gguf"

# substitutes: a line, and the list behind --verbose. Rows of 32 are no whole blocks of 256.
"$precis" quant "$model" --type '*attn_q*=Q4_K,*=Q8_0' --no-calib --no-eval -q --dry-run --verbose >"$work/out"
has out "kernels:"
stories=$root/../shared/data/stories260K/stories260K.bin
if [ -f "$stories" ]; then
    COLUMNS=200 expect 0 "$precis" quant "$stories" --type Q4_K --no-calib --no-eval --dry-run
    has out "^substitutes: [0-9]* take Q5_0 instead of Q4_K.*--verbose lists them"
    lacks out "blk.0"
    expect 0 "$precis" quant "$stories" --type Q4_K --no-calib --no-eval --dry-run --verbose
    has out "blk.0.attn_q.weight *Q5_0 instead of Q4_K"
else
    echo "SKIP stories260K: not here"
fi
# the tables at three widths
for columns in 48 80 120; do
    COLUMNS=$columns "$precis" quant "$work/q8.gguf" --type Q4_K_M --no-calib --ctx 128 --chunks 1 -q -o "$work/w$columns.gguf" >"$work/out" 2>/dev/null
    grep -v "$work" "$work/out" | awk -v w=$columns 'length($0) > w { print "wider than " w ": " $0; bad = 1 } END { exit bad }' || failed=1
done
# a file that does not say what it is: nobody is said to read it, and nothing to run it
cp "$model/model.safetensors" "$work/lone.safetensors"
expect 0 "$precis" quant "$work/lone.safetensors" --type Q8_0 --no-calib --no-eval -q -o "$work/lone.gguf"
has out "Read by: precis inspect and convert alone"
has out "Next: precis inspect $work/lone.gguf"
lacks out "llama.cpp"
lacks out "precis run"
# both models of --bench have their names
quant 0 --type Q8_0 --no-eval --bench -o "$work/b.gguf" --json
json "j['bench']['original']['model'].endswith('gutenberg-7m') and j['bench']['quantized']['model'].endswith('b.gguf') and j['bench']['quantized']['decode_tok_s'] > 0"

# characters that take two columns
wide="$work/$(printf '\346\250\241\345\236\213%.0s' 1 2 3 4 5 6 7 8)"
mkdir "$wide" "$wide/$(basename "$wide")"
here=$(realpath "$precis")
(cd "$wide" && COLUMNS=48 expect 0 "$here" quant "$work/q2.gguf" --type Q8_0 --no-calib --no-eval -o "$(basename "$wide")/q8 q8 q8 q8.gguf" && exit "$failed") || failed=1
python3 - "$work/out" <<'P' || failed=1
import sys, unicodedata
for line in open(sys.argv[1], encoding="utf-8").read().split("\n"):
    columns = sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in line)
    assert columns <= 48 or line.startswith(("types:", "kernels:")) or len(line.split()) < 2 or "  " in line.strip(), line
P

echo "$n commands"
exit $failed
