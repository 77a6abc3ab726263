#!/bin/sh
# nan_results.sh PRECIS SOURCE: results that are no numbers are an error that says where they begin and what helps.
# The same function as the model's, but keys of layer 2 reach beyond 65504, where the f16 cache ends.
. "$2/tests/common.sh"

head -c 6000 "$root/docs/architecture.md" >"$work/text"
python3 "$root/tests/faults/change.py" "$model" "$work/keys" \
    times:model.layers.2.self_attn.k_proj.weight:17 times:model.layers.2.self_attn.q_proj.weight:-17
text="--text $work/text --ctx 64 --chunks 2 -q"

beyond() { # an error that names layer and remedy
    expect 3 "$precis" "$@"
    has err "layer 2 (blk.2.attention)"
    has err "--cache-k f32"
    lacks out nan
}
beyond eval "$work/keys" $text
has err "window 1 of 2"
beyond eval "$work/keys" --against "$model" $text
beyond eval "$model" --against "$work/keys" $text
beyond eval "$model" --against "$work/keys" --gate --max-kld 0.05 --results none $text
lacks out UNDECIDED
beyond eval "$work/keys" $text --json
json '"layer 2" in j["error"]["message"]'
beyond run "$work/keys" -p 'It was the' -n 4 --temp 0 -q
beyond bench "$work/keys" -q
beyond quant "$work/keys" --type Q8_0 --no-calib $text -o "$work/q.gguf"
expect 0 "$precis" eval "$work/keys" $text --cache-k f32
expect 0 "$precis" eval "$work/keys" $text --cache-k int8 --json
json '0 < j["ppl"] < 1e4'
expect 0 "$precis" run "$work/keys" -p 'It was the' -n 4 --temp 0 -q --cache-k f32

# weights whose products leave F32: no cache is to blame
python3 "$root/tests/faults/change.py" "$model" "$work/large" \
    times:model.layers.5.mlp.down_proj.weight:120 times:model.layers.5.mlp.up_proj.weight:100
expect 3 "$precis" run "$work/large" -p 'It was the' -n 4 -q
has err "layer 5 (blk.5."
# A rotary base that turns a position by more than any model does is refused before sines are asked for.
python3 "$root/tests/faults/tiny_models.py" "$work" || failed=1
for base in 1e-30 1e-07; do
    sed -i "s/\"rope_theta\": [^,]*/\"rope_theta\": $base/" "$work/hf/config.json"
    expect 3 "$precis" eval "$work/hf" --ids 3,4,5
    has err "frequency .* of rope.* base ($base)"
done
exit $failed
