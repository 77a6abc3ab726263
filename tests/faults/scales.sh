#!/bin/sh
# Scales that are computed from data: what is stored decodes to finite numbers near those that were there, or the command
# says which tensor is too large. usage: scales.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

make() { # make CHANGES...: $work/m.gguf
    python3 "$root/tests/faults/counts.py" "$work/m.gguf" "$@" || failed=1
}
quant() { # quant CODE TYPE OPTIONS...
    code=$1
    type=$2
    shift 2
    rm -f "$work/q.precis.gguf"
    expect "$code" "$precis" quant "$work/m.gguf" --type "$type" --no-eval -q -o "$work/q.precis.gguf" "$@"
    [ "$code" = 0 ] || [ ! -e "$work/q.precis.gguf" ] || { echo "$type: a failed job left an output"; failed=1; }
}

# scales of f16 end at 65504
make 'blk.0.ffn_up.weight*=1e37'
for type in Q4_0 Q8_0 INT4_G32 UINT4_G32 NF4; do
    quant 3 $type --no-calib
    has err "blk.0.ffn_up.weight: its largest number, .* is too large"
done
for type in INT8_C FP8_E4M3_C MXFP4; do
    quant 0 $type --no-calib
    expect 0 "$precis" inspect "$work/q.precis.gguf" --check
done
# also just beyond the end, where nearly all of a number is left
beyond() { # beyond FACTOR TYPES...
    make "blk.0.ffn_up.weight*=$1"
    shift
    for type; do
        quant 3 $type --no-calib
        has err "blk.0.ffn_up.weight: its largest number, .* is too large"
    done
}
beyond 2.9e5 NF4 Q4_1
beyond 1.7e6 Q4_0 UINT4_G32
beyond 3e7 Q8_0
# but not before
make 'blk.0.ffn_up.weight*=1e5'
for type in Q8_0 Q4_0 INT4_G32; do
    quant 0 $type --no-calib
    "$precis" inspect "$work/m.gguf" --tensor blk.0.ffn_up.weight -o "$work/a" && "$precis" inspect "$work/q.precis.gguf" --tensor blk.0.ffn_up.weight -o "$work/b"
    python3 - "$work/a" "$work/b" <<'E' || failed=1
import struct, sys
a, b = (struct.unpack("<1536f", open(f, "rb").read()) for f in sys.argv[1:])
assert sum((x - y) ** 2 for x, y in zip(a, b)) < 0.02 * sum(x * x for x in a)
E
done
# denormal weights round to zeros, and stay finite
make 'blk.0.ffn_up.weight*=1e-43'
for type in Q4_0 INT8_C FP8_E4M3_C NVFP4; do
    quant 0 $type --no-calib
    [ $type != Q4_0 ] || expect 0 "$precis" quant "$work/m.gguf" --type $type --no-eval --no-calib -o "$work/q.precis.gguf"
    [ $type != Q4_0 ] || has err "blk.0.ffn_up.weight: its numbers are so small that Q4_0 stores zeros"
    expect 0 "$precis" inspect "$work/q.precis.gguf" --check
done
# a float that a folder's f16 cannot hold goes into f32
make 'blk.0.ffn_up.weight*=1e7'
quant 0 INT8_T --no-calib
rm -rf "$work/hf"
expect 0 "$precis" convert "$work/q.precis.gguf" -o "$work/hf" --format safetensors
expect 0 "$precis" inspect "$work/hf" --check
# infinite or byte tensors of safetensors have a type to go to
python3 - "$work" <<'E'
import json, struct, sys
def write(name, dtype, data):
    h = json.dumps({"a": {"dtype": dtype, "shape": [2, 32], "data_offsets": [0, 64]}}).encode()
    open(f"{sys.argv[1]}/{name}", "wb").write(struct.pack("<Q", len(h)) + h + data)
write("e8m0.safetensors", "F8_E8M0", bytes(range(0, 256, 4)))
write("e5m2.safetensors", "F8_E5M2", bytes([0x7c] + [0x3c] * 63))
E
expect 0 "$precis" convert "$work/e8m0.safetensors" --format packed -o "$work/p.packed.gguf"
expect 0 "$precis" convert "$work/e8m0.safetensors" --own -o "$work/own.precis.gguf"
for made in p.packed own.precis; do
    "$precis" inspect "$work/$made.gguf" --tensor a -o "$work/a" && "$precis" inspect "$work/e8m0.safetensors" --tensor a -o "$work/b"
    cmp -s "$work/a" "$work/b" || { echo "bytes of $made.gguf differ"; failed=1; }
done
"$precis" convert "$work/e5m2.safetensors" -o "$work/inf.gguf" >/dev/null 2>"$work/err"
case $? in 0 | 3) ;; *) echo "an infinite F8_E5M2: exit code of a crash"; failed=1 ;; esac

if [ -d "$cases/faults" ]; then
    expect 3 "$precis" quant "$cases/faults/quant_fp8_overflow_inf/m.gguf" --type FP8 --no-eval -o "$work/q.precis.gguf"
    has err "not finite"
fi
echo "$n commands"
exit $failed
