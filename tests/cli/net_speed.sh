#!/bin/sh
# Products that are slower in codes on this machine stay in float: said with their milliseconds, kept, told to the manifest,
# and not where all is asked for in int8, another's placements are, or the file is for another machine. What the machine
# found is replaced by a decision of the test's own, so nothing here depends on a clock. usage: net_speed.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
python3 "$root/tests/faults/nets_quant.py" make "$work" || exit 1
net=$work/small.onnx x=$work/calib.npy

quant() { # quant CODE OUT ARGUMENTS
    code=$1 out=$2
    shift 2
    expect "$code" "$precis" quant "$net" -o "$work/$out" --json --static --calib "$x" "$@"
}
# What is kept of decisions, a byte for each node: those of `names` are slower, no other is. decide NODES NAME ...
cat >"$work/decide.py" <<'P'
import glob, hashlib, json, sys
nodes = [n["node"] for n in json.load(open(sys.argv[1]))["nodes"]]
files = [f for f in glob.glob(sys.argv[2] + "/precis/measured/*.kept") if len(open(f, "rb").read()) == 144 + len(nodes)]
assert files, "no decision is kept"
for f in files:
    data = bytes(n in sys.argv[3:] for n in nodes)
    head = open(f, "rb").read()[:72]
    open(f, "wb").write(head + hashlib.sha256(data).hexdigest().encode() + len(data).to_bytes(8, "little") + data)
P
decide() { python3 "$work/decide.py" "$work/out" "$XDG_CACHE_HOME" "$@" || failed=1; }

# By default each node has its kernel and milliseconds, and sums are set side by side.
quant 0 q.onnx
json "all({'kernel', 'float_ms', 'int8_ms', 'slower'} <= n.keys() for n in j['nodes'])"
json "j['float_ms'] > 0 and j['predicted_ms'] > 0 and j['measured_ms'] > 0"
json "all((n['state'] == 'float' and ' ms in int8 and ' in n['reason']) or not n['slower'] for n in j['nodes'])"
decide c3
quant 0 q.onnx
json "[n['node'] for n in j['nodes'] if n['slower']] == ['c3']"
json "[(n['state'], ' ms in int8 and ' in n['reason']) for n in j['nodes'] if n['node'] == 'c3'] == [('float', True)]"
quant 0 q1.onnx --threads 1 # decided once, for any number of threads
cmp "$work/q.onnx" "$work/q1.onnx" || failed=1
expect 0 "$precis" quant "$net" --static --calib "$x" -o "$work/q1.onnx"
has out "^float  c3 .* ms in int8 and .* ms in float"
has out "in float; predicted .* measured"
quant 3 none.onnx --strict
has err "c3.*stays in float: takes .* ms in int8"
expect 0 "$precis" plan "$net" --static --json --size 2
decide c3
expect 0 "$precis" plan "$net" --static --json --size 2
json "[n['state'] for n in j['nodes'] if n['node'] == 'c3'] == ['float']"

# Told otherwise.
for told in --all-int8 --no-speed "--like torch" "--like onnxruntime" "--backend fbgemm"; do
    quant 0 t.onnx $told
    [ "$told" = --no-speed ] || decide c3
    quant 0 t.onnx $told
    json "[n['state'] for n in j['nodes'] if n['node'] == 'c3'] == ['integers']"
done
quant 0 t.onnx --all-int8
json "[n['kernel'] for n in j['nodes'] if n['node'] == 'fc'] == ['codes_linear']" # whose result has no codes
quant 0 t.c
json "[n['state'] for n in j['nodes'] if n['node'] == 'c3'] == ['integers'] and 'float_ms' not in j"
quant 0 c.onnx --no-speed
json "'float_ms' not in j"
expect 0 "$precis" convert "$work/c.onnx" -o "$work/c.c"
quant 2 none.onnx --no-speed --speed
quant 0 s.onnx --no-speed --size 2 # of sizes that cannot stay open, of which this net has none
cmp "$work/s.onnx" "$work/c.onnx" || failed=1
expect 0 "$precis" quant "$net" -o "$work/w.onnx" --weight-only --json
json "all(n['state'] != 'float' or 'ms in' not in n['reason'] for n in j['nodes']) and j['measured_ms'] > 0"

# The manifest has what was decided, so a machine that decides otherwise makes the same bytes.
quant 0 q.onnx --float fc
cp "$work/out" "$work/first"
decide c3 dw
quant 0 q.onnx --float fc
python3 -c "
import json, sys
m = json.load(open(sys.argv[1]))
assert m['floats'] == ['dw', 'c3'] or m['floats'] == ['c3', 'dw'], m['floats']
assert '--no-speed' in m['arguments'] and m['arguments'].count('--float') == 1, m['arguments']
" "$work/q.onnx.manifest.json" || failed=1
XDG_CACHE_HOME=$work/other expect 0 "$precis" quant --replay "$work/q.onnx.manifest.json" -o "$work/again.onnx"
has err "the same bytes"
cmp "$work/q.onnx" "$work/again.onnx" || failed=1
# inputs by name, from folders, elsewhere; changed ones
mkdir "$work/far"
python3 - "$root/tests" "$x" "$work/npz" <<'P' || failed=1
import os, sys, zipfile
sys.path.insert(0, sys.argv[1])
from onnx_files import npy, read_npy
_, shape, values = read_npy(sys.argv[2])
each = len(values) // shape[0]
os.mkdir(sys.argv[3])
for i in range(shape[0]):
    with zipfile.ZipFile(f"{sys.argv[3]}/{i:03}.npz", "w") as z:
        z.writestr("x.npy", npy(values[i * each:(i + 1) * each], [1, *shape[1:]]))
P
expect 0 "$precis" quant "$net" --static --calib "x=$x" --max-drop 90% -o "$work/n.onnx"
cp "$work/n.onnx.manifest.json" "$work/far/"
expect 0 "$precis" quant --replay "$work/n.onnx.manifest.json" -o "$work/again.onnx"
has err "the same bytes"
expect 3 "$precis" quant --replay "$work/far/n.onnx.manifest.json" -o "$work/again.onnx"
has err "does not lie beside"
expect 0 "$precis" quant "$net" --replay "$work/far/n.onnx.manifest.json" --calib "x=$x" -o "$work/again.onnx"
has err "the same bytes"
expect 1 "$precis" quant "$net" --replay "$work/far/n.onnx.manifest.json" --calib "x=$work/eval.npy" -o "$work/never.onnx"
has err "changed since"
expect 1 "$precis" quant "$work/floating.onnx" --replay "$work/far/n.onnx.manifest.json" --calib "x=$x" -o "$work/never.onnx"
has err "changed since"
expect 0 "$precis" quant "$net" --static --calib "$work/npz" -o "$work/f.onnx"
expect 0 "$precis" quant --replay "$work/f.onnx.manifest.json" -o "$work/again.onnx"
has err "the same bytes"
rm "$work/npz/000.npz"
expect 1 "$precis" quant --replay "$work/f.onnx.manifest.json" -o "$work/never.onnx"
has err "changed since"
[ -e "$work/never.onnx" ] && { echo "a refused replay wrote"; failed=1; }
if [ -e "$work/none.onnx" ]; then echo "a refused job wrote a file"; failed=1; fi
echo "$n commands on which nodes stay in float"
exit $failed
