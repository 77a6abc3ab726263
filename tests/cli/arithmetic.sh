#!/bin/sh
# usage: arithmetic.sh PRECIS SOURCE_FOLDER. --arithmetic: each is named in results, and has one result on every machine.
. "$2/tests/common.sh"

ids=1$(seq -s, 40 3 163 | sed 's/^/,/')
nll() { expect 0 "$@" --ids "$ids" --nll --json -q; }

expect 0 "$precis" quant "$model" --type Q4_K_M --method rtn --no-calib --no-eval -q -o "$work/q.gguf"
for m in "$model" "$work/q.gguf"; do
    for a in exact bf16 mixed; do
        nll "$precis" eval "$m" --arithmetic $a -t 1
        cp "$work/out" "$work/$a"
        name=$a
        [ $a = exact ] && name=fast
        json "j['arithmetic'] == '$name'"
        for level in scalar:3 avx2:2 avx512vnni:2 amx:3; do
            nll env PRECIS_CPU=${level%:*} "$precis" eval "$m" --arithmetic $a -t ${level#*:}
            cmp -s "$work/out" "$work/$a" || { echo "$a: $level threads: other bits"; failed=1; }
        done
        for batch in 1 8 33; do # bits of one arithmetic do not depend on the rows of a call
            nll "$precis" eval "$m" --arithmetic $a --batch $batch
            [ $a = mixed ] || cmp -s "$work/out" "$work/$a" || { echo "$a: calls of $batch: other bits"; failed=1; }
            cp "$work/out" "$work/$a.$batch"
        done
    done
    numbers() { sed '/arithmetic/d' "$work/$1" >"$work/$1.numbers"; }
    for f in exact bf16 mixed mixed.8; do numbers $f; done
    cmp -s "$work/mixed.numbers" "$work/bf16.numbers" || { echo "mixed is not bf16 for many rows"; failed=1; }
    cmp -s "$work/mixed.8.numbers" "$work/exact.numbers" || { echo "mixed is not exact for few rows"; failed=1; }
    cmp -s "$work/exact.numbers" "$work/bf16.numbers" && { echo "bf16 is exact"; failed=1; }
done

PRECIS_CPU=avx512vnni expect 0 "$precis" bench "$work/q.gguf" --arithmetic auto --prompt 40 --gen 2 --json -q
json "j['arithmetic'] == 'fast'"
expect 0 "$precis" bench "$work/q.gguf" --arithmetic mixed --prompt 40 --gen 2 --json -q
json "j['arithmetic'] == 'mixed'"
expect 2 "$precis" run "$work/q.gguf" --arithmetic int4 -p a
has err "none of exact, bf16, mixed and auto"
expect 2 "$precis" eval "$work/q.gguf" --arithmetic bf16 --weights-only
has err "give one"
exit $failed
