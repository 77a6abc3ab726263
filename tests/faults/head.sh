# The head's importance comes from all positions, as every other weight's: from one position in each window of the text it was worse than none
# (gutenberg-7m in IQ3_XXS, 256 tokens: KL divergence 0.184, and 0.058 without calibration).
. "$(dirname "$0")/../common.sh"
head -c 4000 "$root/data/eval.txt" >"$work/calib.txt"
tail -c 20000 "$root/data/eval.txt" >"$work/text.txt"

# 40 tokens are seen by every weight, and by the head (which is the embedding here), too.
expect 0 "$precis" profile "$model" --calib "$work/calib.txt" --tokens 40 -o "$work/i.gguf" -q --tensors
has out '^token_embd.weight  *256  *40 '
has out '^blk.0.ffn_down.weight  *[0-9]*  *40 '

# A little text is no worse than none, but for the noise of a few hundred tokens.
kld() {
    "$precis" quant "$model" --type 'token_embd.weight=IQ3_XXS,*=F16' "$@" -o "$work/q.gguf" --text "$work/text.txt" --ctx 128 --chunks 4 --json -q >"$work/out" 2>"$work/err" || failed=1
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["eval"]["kld_mean"])' "$work/out"
}
none=$(kld --no-calib)
some=$(kld --calib "$work/calib.txt" --calib-tokens 256)
python3 -c "import sys; sys.exit(not $some < 1.2 * $none)" || { echo "KL divergence $some with 256 tokens, $none without"; failed=1; }
exit $failed
