#!/bin/sh
# MatMul and Mul of two activations in codes: integer kernels (codes_matmul, codes_mul), the bits of whole sums and one
# rounding, for one and three threads, at each level of the processor, and as C files. usage: codes_pairs.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
python3 "$root/tests/cli/codes_pairs.py" nets "$f" || exit 1
bytes() { python3 -c 'import sys
sys.path.insert(0, sys.argv[3] + "/tests/cli")
from c_file import read
got, want = (read(p)[2] for p in sys.argv[1:3])
bad = [i for i in range(0, len(want), 4) if got[i : i + 4] != want[i : i + 4]]
sys.exit(f"{len(bad)} of {len(want) // 4} numbers differ" if bad or len(got) != len(want) else 0)' "$1" "$2" "$root"; }
for net in scores signed middle numbers numbers_signed gate gate_first alike rows; do
    for cpu in "" scalar avx2 avx512vnni; do
        for threads in 1 3; do
            [ $threads = 1 ] || [ -z "$cpu" ] || continue
            PRECIS_CPU=$cpu expect 0 "$precis" run "$f/$net.onnx" --input "a=$f/$net.a.npy" --input "b=$f/$net.b.npy" --threads $threads --output-dir "$work/y"
            bytes "$work/y/y.npy" "$f/$net.y.npy" || { echo "$net ${cpu:-native}, $threads threads"; failed=1; }
        done
    done
    case $net in gate | scores)
    expect 0 "$precis" bench "$f/$net.onnx" --nodes --seconds 1 --json
    json "any(n['op'] in ('codes_matmul', 'codes_mul') for n in j['nodes']) and not any(n['op'] in ('product', 'mul') for n in j['nodes'])" ;;
    esac
    expect 0 "$precis" convert "$f/$net.onnx" -o "$work/$net.c"
    python3 "$root/tests/cli/c_sizes.py" main "$work/$net.c" "$f/$net.a.npy" "$f/$net.b.npy" >"$work/main.c" || failed=1
    expect 0 cc -std=c99 -Wall -Wextra -Werror -O2 "$work/$net.c" "$work/main.c" -o "$work/run"
    "$work/run" >"$work/got" && python3 "$root/tests/cli/c_sizes.py" same "$work/got" "$f/$net.y.npy" || { echo "$net as C"; failed=1; }
done
[ $failed = 0 ] && echo "$n commands"
exit $failed
