#!/bin/sh
# Options of nets of arrays that have nothing to do are said to be so: sizes of dimensions that are not open, settings of
# images where there are none, of activations where these stay in float. usage: idle.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
mkdir -p "$f/images"
python3 - "$f" "$root" <<'PY'
import sys, zlib, struct
sys.path.insert(0, sys.argv[2] + "/tests")
from onnx_files import F32, I64, U8, floats, graph, longs, model, node, npy, port
f = sys.argv[1]
def net(name, shape, kind=F32):
    nodes = [node("Conv", ["v", "w"], ["y"], name="c", pads=[1, 1, 1, 1])]
    nodes.insert(0, node("Identity", ["x"], ["v"]) if kind == F32 else node("Cast", ["x"], ["v"], to=F32))
    ints = [floats("w", [4, 3, 3, 3], [(i * 7 % 11 - 5) / 9 for i in range(108)])]
    open(f"{f}/{name}.onnx", "wb").write(model(graph(nodes, [port("x", kind, shape)], [port("y", F32, [shape[0], 4] + shape[2:])], ints)))
net("closed", [1, 3, 8, 8])
net("batch", ["N", 3, 8, 8])
net("open", ["N", 3, "height", "width"])
net("bytes", [1, 3, 8, 8], U8)
open(f"{f}/x.npy", "wb").write(npy([(i * 13 % 29 - 14) / 7 for i in range(4 * 192)], [4, 3, 8, 8]))
open(f"{f}/classes.npy", "wb").write(npy([0, 1, 2, 3], [4], "<i8"))
def part(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\0" + bytes(range(y, y + 24)) for y in range(8))
open(f"{f}/images/a.png", "wb").write(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">2I5B", 8, 8, 8, 2, 0, 0, 0)) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b""))
PY

for size in 224 48x32; do
    expect 2 "$precis" inspect "$f/closed.onnx" --size $size
    has err "size $size: the inputs leave no dimension open"
    expect 2 "$precis" plan "$f/closed.onnx" --static --no-speed --size $size
    expect 2 "$precis" plan "$f/closed.onnx" --static --size $size
    expect 2 "$precis" quant "$f/closed.onnx" --static --calib "$f/x.npy" --size $size -o "$work/none.onnx"
    for out in none.onnx none.c; do expect 2 "$precis" convert "$f/closed.onnx" --size $size -o "$work/$out"; done
    expect 2 "$precis" bench "$f/closed.onnx" --size $size
done
expect 2 "$precis" inspect "$f/open.onnx" --size 4x5x6
has err "no input leaves more than 2 dimensions open behind its first"
expect 2 "$precis" inspect "$f/open.onnx" --size height=4,width=5,height=6
has err "height is there twice"
expect 2 "$precis" plan "$f/open.onnx" --static --no-speed --size depth=4
has err "those that are: N, height, width"
# Where the first dimension alone is open, one number is its size: for all commands.
expect 2 "$precis" plan "$f/batch.onnx" --static --no-speed --size 4x5
expect 0 "$precis" inspect "$f/batch.onnx" --size 4 --json
json "j['inputs'][0]['shape'] == [4, 3, 8, 8] and j['outputs'][0]['shape'] == [4, 4, 8, 8]"
expect 0 "$precis" convert "$f/batch.onnx" --size 4 -o "$work/four.c" --json
json "j['macs'] == 4 * 64 * 108"
expect 0 "$precis" bench "$f/batch.onnx" --size 4 --json
json "j['products'] == 4 * 4 * 8 * 8 * 27"
expect 0 "$precis" inspect "$f/open.onnx" --size 6 --json
json "j['inputs'][0]['shape'] == ['N', 3, 6, 6]"

# Images: of samples that are arrays, and of nets that take the bytes.
for option in "--resize 8" "--crop 4" "--mean 0.5" "--std 2" "--pixels 255" "--layout nhwc"; do
    for net in "quant $f/closed.onnx --static --no-speed -o $work/none.onnx --calib" "eval $f/closed.onnx --data"; do
        expect 2 "$precis" $net "$f/x.npy" $option
        has err "${option%% *} is for folders of images, and there is none"
    done
    expect 2 "$precis" quant "$f/closed.onnx" --weight-only --no-speed $option -o "$work/none.onnx"
done
expect 0 "$precis" eval "$f/closed.onnx" --data "$f/images" --mean 0.5 --resize 8
expect 0 "$precis" quant "$f/closed.onnx" --static --no-speed --calib "$f/x.npy" --max-drop 90% --data "$f/images" --pixels 255 -o "$work/q.onnx"
expect 0 "$precis" eval "$f/bytes.onnx" --data "$f/images"
for option in "--mean 0.5" "--std 2" "--pixels 255"; do
    expect 2 "$precis" eval "$f/bytes.onnx" --data "$f/images" $option
    has err "input x takes bytes"
done

# Activations: static alone asks for them.
for option in "--observer mse" "--symmetric" "--qop" "--activations s8"; do
    for mode in --dynamic --weight-only; do
        expect 2 "$precis" quant "$f/closed.onnx" $mode --no-speed $option -o "$work/none.onnx"
        has err "of static quantization alone"
        [ "$option" = "--observer mse" ] || expect 2 "$precis" plan "$f/closed.onnx" $mode --no-speed $option
    done
done
expect 0 "$precis" quant "$f/closed.onnx" --dynamic --no-speed --activations u8 -o "$work/d.onnx"

# Evaluation: settings of another kind of figure change nothing, which is said.
expect 2 "$precis" eval "$f/closed.onnx" --data "$f/x.npy" --blank 1
for option in "--ignore 3" "--least 0.3" "--mask x"; do
    expect 0 "$precis" eval "$f/closed.onnx" --data "$f/x.npy" --against "$f/closed.onnx" $option
    has err "${option%% *} is for .* is not measured here"
done
# A manifest's options are its own.
expect 0 "$precis" quant "$f/closed.onnx" --weight-only --no-speed -q -o "$f/replayed.onnx"
expect 2 "$precis" quant "$f/closed.onnx" --static --replay "$f/replayed.onnx.manifest.json" -o "$work/none.onnx"
grep -q "static is the manifest's to say; leave it out with --replay" "$work/err" || { cat "$work/err"; failed=1; }
[ ! -e "$work/none.onnx" ] && [ ! -e "$work/none.c" ] || { echo "a refused net was written"; failed=1; }
[ $failed = 0 ] && echo "$n commands"
exit $failed
