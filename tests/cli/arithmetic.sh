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

# int8: rows with one scale, of blocks of 32 and of panels; every level, number of threads and of rows has the same bits.
one_scale() { # MODEL: bits of every level and batch, and that they are int8's
    for a in exact int8; do
        nll "$precis" eval "$1" --arithmetic $a -t 1
        cp "$work/out" "$work/$a"
    done
    json "j['arithmetic'] == 'int8'"
    numbers exact
    numbers int8
    cmp -s "$work/exact.numbers" "$work/int8.numbers" && { echo "$1: int8 is exact"; failed=1; }
    python3 -c "import json, sys; a, b = (json.load(open(f))['mean'] for f in sys.argv[1:]); sys.exit(abs(a - b) > 0.05)" \
        "$work/exact" "$work/int8" || { echo "$1: int8 is far from exact"; failed=1; }
    for level in scalar:3 avx2:2 avx512vnni:7 amx:3; do
        nll env PRECIS_CPU=${level%:*} "$precis" eval "$1" --arithmetic int8 -t ${level#*:}
        cmp -s "$work/out" "$work/int8" || { echo "$1: $level threads: other bits"; failed=1; }
    done
    for batch in 1 3 9 33; do
        nll "$precis" eval "$1" --arithmetic int8 --batch $batch
        cmp -s "$work/out" "$work/int8" || { echo "$1: calls of $batch: other bits"; failed=1; }
    done
}
for type in INT8_C INT3_C P4S TQ2_0; do
    expect 0 "$precis" quant "$model" --type $type --method rtn --no-calib --no-eval -q -o "$work/$type.precis.gguf"
    one_scale "$work/$type.precis.gguf"
done
# auto: what the model was made for, else what is fastest on the processor.
named() { # LEVEL MODEL NAME
    nll env PRECIS_CPU=$1 "$precis" eval "$2" --arithmetic auto
    json "j['arithmetic'] == '$3'"
    cp "$work/out" "$work/auto"
    [ "$3" = fast ] || nll env PRECIS_CPU=$1 "$precis" eval "$2" --arithmetic "$3"
    [ "$3" != fast ] || nll env PRECIS_CPU=$1 "$precis" eval "$2"
    cmp -s "$work/out" "$work/auto" || { echo "$2: auto has other bits than $3"; failed=1; }
}
expect 0 "$precis" quant "$model" --type W8A8 --method rtn --no-calib --no-eval -q -o "$work/w8a8.precis.gguf"
named avx2 "$work/w8a8.precis.gguf" int8
named avx2 "$work/INT8_C.precis.gguf" fast
expect 0 "$precis" eval "$work/w8a8.precis.gguf" --against "$model" --arithmetic auto --ctx 64 --chunks 2 --json -q
json "j['arithmetic'] == 'int8'"
expect 0 "$precis" bench "$work/w8a8.precis.gguf" --arithmetic auto --prompt 8 --gen 2 --json -q
json "j['arithmetic'] == 'int8'"
if grep -q amx_bf16 /proc/cpuinfo; then named amx "$work/INT8_C.precis.gguf" mixed; fi
# run and bench: W8A8 as it is meant, others exact.
expect 0 "$precis" bench "$work/w8a8.precis.gguf" --prompt 8 --gen 2 --json -q
json "j['arithmetic'] == 'int8'"
expect 0 "$precis" bench "$work/INT8_C.precis.gguf" --prompt 8 --gen 2 --json -q
json "j['arithmetic'] == 'fast'"
said() { expect 0 "$precis" run "$work/w8a8.precis.gguf" -p "It was the best of times" -n 24 --temp 0 -q "$@"; }
said
cp "$work/out" "$work/own"
said --arithmetic int8
cmp -s "$work/out" "$work/own" || { echo "run: W8A8 is not run in int8"; failed=1; }
# Rows of more scales than one stay exact, and that is said.
nll "$precis" eval "$work/q.gguf" --arithmetic int8
cp "$work/out" "$work/int8"
nll "$precis" eval "$work/q.gguf"
cp "$work/out" "$work/exact"
numbers exact
numbers int8
cmp -s "$work/exact.numbers" "$work/int8.numbers" || { echo "Q4_K is not exact in int8"; failed=1; }
expect 0 "$precis" eval "$work/q.gguf" --arithmetic int8 --ids "$ids" --nll --json
has err "multiplications are exact, not int8"
expect 0 "$precis" eval "$work/TQ2_0.precis.gguf" --arithmetic int8 --ids "$ids" --nll --json # rows of one block are int8
has err "8 of 57 multiplications are exact, not int8"
# Generated tokens, in rows and in panels, alone and with guesses behind them.
for how in "--pack off" "--pack load" "--pack off --no-lookup" "--pack load --no-lookup -t 3"; do
    for type in INT8_C TQ2_0; do
        expect 0 "$precis" run "$work/$type.precis.gguf" --arithmetic int8 -p "It was the best of times" -n 32 --temp 0 $how -q
        [ -e "$work/$type.said" ] || cp "$work/out" "$work/$type.said"
        cmp -s "$work/out" "$work/$type.said" || { echo "$type: other tokens with $how"; failed=1; }
    done
done
# A kept file of logits says its arithmetic.
keep() { expect "$1" "$precis" eval "$work/INT8_C.precis.gguf" --logits "$work/l.gguf" --ctx 64 --chunks 2 -q $2; }
keep 0 "--against $model --arithmetic int8"
keep 0 "--arithmetic int8"
keep 2 ""
has err "another arithmetic"

PRECIS_CPU=avx512vnni expect 0 "$precis" bench "$work/q.gguf" --arithmetic auto --prompt 40 --gen 2 --json -q
json "j['arithmetic'] == 'fast'"
expect 0 "$precis" bench "$work/q.gguf" --arithmetic mixed --prompt 40 --gen 2 --json -q
json "j['arithmetic'] == 'mixed'"
expect 2 "$precis" run "$work/q.gguf" --arithmetic int4 -p a
has err "none of exact, bf16, mixed, int8 and auto"
expect 2 "$precis" eval "$work/q.gguf" --arithmetic bf16 --weights-only
has err "give one"
exit $failed
