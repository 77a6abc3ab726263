#!/bin/sh
# Kill quant at random moments, each time going on with --resume: never a partial output, never other bytes. TIMES kills of each method.
# usage: kill.sh PRECIS SOURCE_FOLDER TIMES [METHOD ...]
set -eu
precis=$1
root=$2
times=$3
shift 3
[ $# -gt 0 ] || set -- gptq search
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
head -c 16000 "$root/data/eval.txt" >"$work/calib.txt"
killed=0
whole=0
for method in "$@"; do
    quant() { "$precis" quant "$root/models/gutenberg-7m" --type UINT3_G64 --method "$method" --calib "$work/calib.txt" --no-eval -q "$@" >/dev/null 2>&1; }
    quant -o "$work/want.precis.gguf"
    want=$(sha256sum <"$work/want.precis.gguf")
    manifest=$(sha256sum <"$work/want.precis.gguf.manifest.json")
    i=0
    until=$((killed + times))
    while [ $killed -lt $until ]; do
        i=$((i + 1))
        rm -f "$work/got.precis.gguf" "$work/got.precis.gguf.manifest.json"
        quant -o "$work/got.precis.gguf" --resume &
        pid=$!
        python3 -c "import random, time; time.sleep(random.Random($i).expovariate(1.4))"
        child=$(pgrep -P $pid || true)
        if kill -9 $child $pid 2>/dev/null; then killed=$((killed + 1)); fi
        wait $pid 2>/dev/null || true
        if [ -e "$work/got.precis.gguf" ]; then
            [ "$(sha256sum <"$work/got.precis.gguf")" = "$want" ] || { echo "kill $i of $method: the output is not whole"; exit 1; }
            whole=$((whole + 1))
        fi
        if ls -A "$work" | grep -q '\.part$'; then echo "kill $i of $method: a part was left: $(ls -A "$work")"; exit 1; fi
    done
    quant -o "$work/got.precis.gguf" --resume
    [ "$(sha256sum <"$work/got.precis.gguf")" = "$want" ] || { echo "$method: --resume gave other bytes"; exit 1; }
    [ "$(sha256sum <"$work/got.precis.gguf.manifest.json" )" = "$manifest" ] || { echo "$method: --resume gave another manifest"; diff "$work/want.precis.gguf.manifest.json" "$work/got.precis.gguf.manifest.json" | head -5; exit 1; }
    [ ! -e "$work/got.precis.gguf.resume" ] && [ ! -e "$work/got.precis.gguf.resume.states" ] || { echo "$method: pieces were left"; exit 1; }
done
echo "$killed kills, $whole of them after the output was whole; the same bytes at the end"
