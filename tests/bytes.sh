#!/bin/sh
# The same inputs give the same bytes: gcc and clang, -O0 to -O3, every instruction set that this machine has, 1 to 3
# threads. Prints a line per combination; exits 1 at the first difference. usage: tests/bytes.sh [MODEL]
set -eu
cd "$(dirname "$0")/.."
model=${1:-models/gutenberg-7m}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# hashes PRECIS THREADS: everything that reaches a file - an importance matrix of both kinds, a plan under a budget, every
# type and mix that can be written, by both methods
hashes() {
    rm -f "$work"/*.gguf "$work"/*.dat
    "$1" profile "$model" --tokens 96 -o "$work/im.gguf" -q -t "$2" >/dev/null
    "$1" profile "$model" --tokens 96 -o "$work/im.dat" -q -t "$2" >/dev/null
    "$1" quant "$model" --max-size 30% --imatrix "$work/im.gguf" -o "$work/budget.gguf" --no-eval -q -t "$2" >/dev/null
    for type in $types; do "$1" quant "$model" --type "$type" --imatrix "$work/im.gguf" -o "$work/$type.precis.gguf" --no-eval -q -t "$2" >/dev/null; done
    "$1" quant "$model" --type Q4_K_M --method rtn -o "$work/rtn.gguf" --no-eval -q -t "$2" >/dev/null
    (cd "$work" && sha256sum *.gguf *.dat)
}

first=""
for compiler in gcc clang; do
    command -v $compiler >/dev/null || { echo "skipped: $compiler is not here"; continue; }
    for level in O3 O0 O1 O2; do
        dir=build-bytes-$compiler-$level
        CC=$compiler cmake -S . -B "$dir" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-$level" >/dev/null
        cmake --build "$dir" -j "$(nproc)" --target precis-cli >/dev/null
        precis=$dir/precis
        types="$("$precis" list mixes | tr '\n' ' ')Q8_0 Q6_K Q5_1 Q5_K Q5_0 Q4_1 Q4_K Q4_0 IQ4_NL IQ4_XS MXFP4 Q3_K TQ2_0 TQ1_0 F16 BF16 F32"
        # every level and thread count with -O3; elsewhere, the best and the plainest
        for cpu in avx512vnni avxvnni avx2 scalar; do
            case $level-$cpu in O3-*|*-avx512vnni|O2-scalar) ;; *) continue ;; esac
            for threads in 2 1 3; do
                [ $level = O3 ] || [ $threads = 2 ] || continue
                [ $cpu = avx512vnni ] || [ $threads = 2 ] || continue
                PRECIS_CPU=$cpu hashes "$precis" $threads >"$work/new"
                [ -n "$first" ] || { cp "$work/new" "$work/first"; first="$compiler -$level $cpu, $threads threads"; }
                if ! cmp -s "$work/first" "$work/new"; then
                    echo "DIFFERENT from $first: $compiler -$level $cpu, $threads threads"
                    diff "$work/first" "$work/new" | head -5
                    exit 1
                fi
                echo "$(wc -l <"$work/new") files alike: $compiler -$level $cpu, $threads threads"
            done
        done
    done
done
