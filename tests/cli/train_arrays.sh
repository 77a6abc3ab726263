#!/bin/sh
# precis train of nets of arrays: a small convolutional net of 60 steps; the same bytes for 1, 2 and 3 threads and after
# kills; in few bits with its batch norms folded, whose file has training's loss when it is run; refusals.
# usage: train_arrays.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
cd "$work" || exit 1
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME

# Pictures of 8 x 8 whose class is the quadrant that is brighter, under noise.
python3 - <<'E2'
import random, struct
def npy(path, shape, descr, data):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, tuple(shape))).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    open(path, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
random.seed(3)
for name, n in (("x", 256), ("h", 128)):
    labels, pixels = [], []
    for _ in range(n):
        c = random.randrange(4)
        labels.append(c)
        pixels += [random.gauss(0.3, 0.35) + 0.4 * (x // 4 == c % 2 and y // 4 == c // 2) for y in range(8) for x in range(8)]
    npy(name + ".npy", (n, 1, 8, 8), "<f4", struct.pack("<%df" % len(pixels), *pixels))
    npy(name + "l.npy", (n,), "<i8", struct.pack("<%dq" % n, *labels))
E2

cat >config.json <<'E2'
{"model": {"arch": "cnn", "input": [1, 8, 8], "classes": 4,
  "net": [{"conv": 4, "norm": true, "activation": "relu", "pool": 2}, {"conv": 8, "norm": true, "activation": "gelu"},
          {"conv": 8, "groups": 8, "norm": true, "activation": "relu"}, {"linear": 16, "norm": true, "activation": "relu"}]},
 "data": {"arrays": "x.npy", "labels": "xl.npy", "heldout": "h.npy", "heldout_labels": "hl.npy", "batch": 16},
 "steps": 60, "checkpoint": 7, "optimizer": {"lr": 1e-2, "decay": 0.01}, "schedule": {"warmup": 5}, "seed": 1}
E2
expect 0 "$precis" train config.json -o float.onnx --json
python3 - <<'E2' || failed=1
import json
lines = [json.loads(l) for l in open("out")]
steps, end = lines[:60], lines[60]
assert [s["step"] for s in steps] == list(range(1, 61)) and {"loss", "lr", "tokens_s", "share"} <= set(steps[0])
assert steps[0]["loss"] > 1.2 and end["heldout"] < 0.8 and end["accuracy"] > 0.6, end
open("sha", "w").write(end["sha256"])
open("heldout", "w").write(repr(end["heldout"]))
E2
[ "$(sha256sum float.onnx | cut -d' ' -f1)" = "$(cat sha)" ] || { echo "the digest is not the file's"; failed=1; }
expect 0 "$precis" eval float.onnx --data h.npy --labels hl.npy --json
json "abs(j['loss'] - $(cat heldout)) < 1e-5"
for threads in 1 2 3; do
    expect 0 "$precis" train config.json -o threads.onnx --threads $threads
    cmp -s threads.onnx float.onnx || { echo "other bytes with $threads threads"; failed=1; }
done

# Killed at some moments, it goes on from a whole checkpoint and ends at the same bytes; also in few bits, with learned
# scales, observers and statistics that are frozen on the way.
sed 's/"steps": 60/"steps": 150/; s/"seed": 1/"seed": 1, "quant": {"weights": "INT4_C", "activations": "int8", "estimator": "lsq", "from": 0.3, "freeze": 0.8, "freeze_norm": 0.6}/' \
    config.json >long.json
expect 0 "$precis" train long.json -o long.onnx
for moment in 0.05 0.1 0.2 0.3; do
    timeout -s KILL $moment "$precis" train long.json -o killed.onnx --resume >/dev/null 2>&1
    [ ! -e killed.onnx ] || expect 0 "$precis" inspect killed.onnx
done
expect 0 "$precis" train long.json -o killed.onnx --resume --threads 1
cmp -s long.onnx killed.onnx || { echo "other bytes after kills"; failed=1; }
expect 0 "$precis" train long.json -o killed.onnx --resume
cmp -s long.onnx killed.onnx || { echo "a run that is done changed its checkpoint"; failed=1; }

# In few bits from the float net on: what is written has training's loss, in codes of so many bits, and no norm.
few() { # few NAME QUANT: 40 steps
    cat >few.json <<E2
{"model": {"from": "float.onnx"},
 "data": {"arrays": "x.npy", "labels": "xl.npy", "heldout": "h.npy", "heldout_labels": "hl.npy", "batch": 16},
 "steps": 40, "optimizer": {"lr": 3e-3, "decay": 0}, "seed": 1, "quant": {$2}}
E2
    expect 0 "$precis" train few.json -o few.onnx --quantized "$1.onnx" --json
    tail -1 out >last
    expect 0 "$precis" eval "$1.onnx" --data h.npy --labels hl.npy --json
    python3 - "$1" <<'E2' || failed=1
import json, sys
end, j = json.loads(open("last").read()), json.load(open("out"))
assert abs(end["heldout"] - j["loss"]) < 1e-4 and abs(end["accuracy"] - j["accuracy"]) < 1e-9, (sys.argv[1], end, j)
assert end["heldout"] < 1.2, (sys.argv[1], end)
E2
    expect 0 "$precis" inspect "$1.onnx"
    lacks out BatchNormalization
    has out DequantizeLinear
}
few lsq4 '"weights": "INT4_C", "activations": "int8", "estimator": "lsq"'
few ste8 '"weights": "INT8_C", "activations": "int8 observed"'
few lsq2 '"weights": "INT2_C", "activations": "int8 observed", "estimator": "lsq", "freeze": 0.8, "freeze_norm": 0.5'
few small '"weights": "INT3_T", "activations": "int4", "estimator": "lsq"'
few three '"weights": "conv*weight=INT2_C,linear*weight=INT8_C", "activations": "int8", "estimator": "ternary"'
has out '  QuantizeLinear'
few alone '"weights": "INT4_C", "estimator": "lsq"'
lacks out '  QuantizeLinear'

# A net of a file with a sum, a concatenation, a clip and means, in 4 bits.
golden=$root/../shared/reference/nets/net.onnx
[ -e "$golden" ] || golden=$root/../../shared/reference/nets/net.onnx
if [ -e "$golden" ]; then
    python3 - <<'E2'
import random, struct
def npy(path, shape, descr, data):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, tuple(shape))).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    open(path, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
random.seed(1)
npy("g.npy", (16, 3, 16, 16), "<f4", struct.pack("<12288f", *[random.gauss(0, 1) for _ in range(12288)]))
npy("gl.npy", (16,), "<i8", struct.pack("<16q", *[random.randrange(10) for _ in range(16)]))
E2
    sed 's/"[xh]\.npy"/"g.npy"/g; s/"[xh]l\.npy"/"gl.npy"/g; s/float.onnx/net.onnx/' few.json >golden.json
    cp "$golden" net.onnx
    expect 0 "$precis" train golden.json -o golden.onnx --qat INT4_C --quantized golden4.onnx
else
    echo "skipped: no shared/reference/nets/net.onnx"
fi

# Some layers alone; what is fixed stays.
expect 0 "$precis" train few.json -o only.onnx --only 'classes*' --quantized only4.onnx

# A NaN in one number of the checkpoint: named with its step; the checkpoint stays.
sed 's/"steps": 60/"steps": 61/' config.json >more.json
python3 - <<'E2'
import struct
b = bytearray(open("float.onnx", "rb").read())
at = b.find(b'"steps": 60')
b[at:at + 11] = b'"steps": 61'
name = b"precis.value:conv2.weight"
at = b.find(name) + len(name)
while b[at] != 0x4a: at += 1 # raw_data, and its length
at += 1
while b[at] & 0x80: at += 1
struct.pack_into("<f", b, at + 1 + 4 * 5, float("nan"))
open("nan.onnx", "wb").write(b)
E2
cp nan.onnx before.onnx
expect 3 "$precis" train more.json -o nan.onnx --resume
has err 'conv2.weight is not finite at element 5'
cmp -s nan.onnx before.onnx || { echo "the checkpoint did not stay"; failed=1; }

# Refused, by what is wrong.
refused() { # refused TEXT SED
    sed "$2" config.json >bad.json
    expect 3 "$precis" train bad.json -o bad.onnx
    has err "$1"
    [ ! -e bad.onnx ] || { echo "a file of what was refused"; failed=1; rm -f bad.onnx; }
}
refused 'model.net\[0\].kernal: is not known here' 's/"conv": 4/"conv": 4, "kernal": 3/'
refused 'model.net\[0\]: is neither a conv nor a linear layer' 's/"conv": 4/"stride": 1/'
refused 'data.labels is missing' 's/"labels": "xl.npy", //'
refused 'data.heldout_labels is missing' 's/"heldout_labels": "hl.npy", //'
refused 'model.classes is missing' 's/, "classes": 4//'
refused 'has 128 labels for the 256 samples' 's/"labels": "xl.npy"/"labels": "hl.npy"/'
refused 'data.arrays has samples of another shape' 's/\[1, 8, 8\]/[1, 8, 16]/'
refused 'the net has classes 0 to 2' 's/"classes": 4/"classes": 3/'
refused 'windows do not fit' 's/"pool": 2/"pool": 100/'
refused 'data.context: nets of arrays' 's/"batch": 16/"batch": 16, "context": 8/'
refused 'quant.kv: nets of arrays' 's/"seed": 1/"quant": {"kv": "int8"}/'
refused 'INT4_G32 (.*): nets of arrays have whole numbers' 's/"seed": 1/"quant": {"weights": "INT4_G32"}/'
refused 'trained by ste, lsq or ternary' 's/"seed": 1/"quant": {"weights": "INT4_C", "estimator": "trust"}/'
refused 'one scale for each value' 's/"seed": 1/"quant": {"weights": "INT4_C", "activations": "int8 per token"}/'
expect 3 "$precis" train more.json -o float.onnx --resume
has err 'trained by another configuration'
expect 3 "$precis" train config.json -o lsq4.onnx --resume
has err 'is no checkpoint of precis train'
for size in 100 4000 9000; do
    head -c $size float.onnx >short.onnx
    expect 3 "$precis" train config.json -o short.onnx --resume
done
python3 "$(dirname "$0")/train_nets.py" "$precis" "$work/nets" || failed=1
[ $failed = 0 ] && echo "$n commands"
exit $failed
