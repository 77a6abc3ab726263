#!/bin/sh
# quant of nets with --float and --max-drop: the nodes that lose most stay in float, as few as do; refusals.
# usage: net_search.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
python3 "$root/tests/cli/net_search.py" "$f" || exit 1
net=$f/chain.onnx
quant() { # quant CODE ARGUMENTS
    code=$1
    shift
    expect "$code" "$precis" quant "$net" --static --no-speed --per-tensor --calib "$f/x.npy" "$@"
}

# All in integers, most answers are others; with two nodes in float few.
quant 0 -o "$work/all.onnx" --json
json "j['integers'] >= 6 and 'search' not in j"
expect 0 "$precis" eval "$work/all.onnx" --against "$net" --data "$f/x.npy" --json
json "j['agree'] < .9"
quant 0 -o "$work/q.onnx" --max-drop 5% --data "$f/x.npy" --labels "$f/y.npy" --json
json "sorted(j['search']['floats']) == ['layer1', 'layer4'] and j['search']['score'] == 'accuracy'"
json "[t['floats'] for t in j['search']['tries']] == [0, 1, 2] and [t['met'] for t in j['search']['tries']] == [False, False, True]"
json "[n['node'] for n in j['nodes'] if n.get('reason') == 'is to stay in float'] == ['layer1', 'layer4']"
json "abs(j['bytes'] - j['search']['tries'][-1]['bytes']) == 0 and j['search']['tries'][-1]['drop'] <= .05"
expect 0 "$precis" eval "$work/q.onnx" --against "$net" --data "$f/x.npy" --labels "$f/y.npy" --json
json "j['drop'] <= .05"
quant 0 -o "$work/again.onnx" --max-drop 5% --data "$f/x.npy" --labels "$f/y.npy" --threads 3
cmp "$work/q.onnx" "$work/again.onnx" || failed=1
has out "accuracy [0-9.]* %, drop [0-9.]* % .* with 2 nodes more in float"
# The same by hand; without --data the samples of --calib are taken, without labels the float net's answers.
quant 0 -o "$work/hand.onnx" --float h1 --float 'lay?r4'
cmp "$work/q.onnx" "$work/hand.onnx" || failed=1
quant 0 -o "$work/own.onnx" --max-drop 0.05 --json
json "j['search']['score'] == 'agree' and sorted(j['search']['floats']) == ['layer1', 'layer4']"
# What needs nothing is not searched; a node that somebody wants in float stays there.
expect 0 "$precis" quant "$net" --static --no-speed --calib "$f/x.npy" -o "$work/fine.onnx" --max-drop 90% --float layer0 --json
json "j['search']['floats'] == ['layer0'] and len(j['search']['tries']) == 1"
expect 0 "$precis" quant "$net" --weight-only --per-tensor --data "$f/x.npy" -o "$work/weights.onnx" --max-drop 5% --json
json "sorted(j['search']['floats']) == ['layer1', 'layer4']"
# Every name that the file or a command has for a node is taken: of its pieces, of what became part of another node, and
# of what only hands on.
floats() { # floats NAME NODE...: those that stay in float for it
    name=$1
    shift
    expect 0 "$precis" plan "$f/pieces.onnx" --static --no-speed --float "$name" --json
    json "sorted(n['node'] for n in j['nodes'] if n.get('reason') == 'is to stay in float') == sorted('$*'.split(','))"
}
floats many many,many.1
floats many.1 many.1
floats q many.1
floats p many
floats same many
floats erf gelu
floats "plus one" gelu
floats e gelu
floats first first
floats y second
floats "man?" many,many.1
floats "*1" many.1
expect 0 "$precis" bench "$f/pieces.onnx" --nodes --seconds 1 --json
for name in $(python3 -c 'import json, sys; print(*(n["node"].replace(" ", "?") for n in json.load(open(sys.argv[1]))["nodes"]))' "$work/out"); do
    expect 0 "$precis" plan "$f/pieces.onnx" --static --no-speed --float "$name"
done
for wrong in "secnd second" "econd second" "gellu gelu" "many.2 many.1"; do
    expect 2 "$precis" plan "$f/pieces.onnx" --static --no-speed --float "${wrong% *}"
    has err "no node is called ${wrong% *}, .*; did you mean ${wrong#* }?"
done
expect 2 "$precis" plan "$f/pieces.onnx" --static --no-speed --float nothing.like.it
lacks err "did you mean"
ls "${TMPDIR:-/tmp}"/.precis-made-* >/dev/null 2>&1 && { echo "a temporary net was left"; failed=1; }

quant 2 -o "$work/no.onnx" --max-drop 7
has err 'max-drop 7 is no part of the answers'
quant 2 -o "$work/no.onnx" --max-drop nan
quant 2 -o "$work/no.onnx" --labels "$f/y.npy"
has err 'labels goes with --max-drop'
quant 2 -o "$work/no.onnx" --float nosuch
has err 'no node is called nosuch'
expect 2 "$precis" quant "$net" --weight-only -o "$work/no.onnx" --max-drop 1%
has err 'give --data'
quant 3 -o "$work/no.onnx" --max-drop 1% --data "$f/none.npy"
[ ! -e "$work/no.onnx" ] || { echo "a refused net was written"; failed=1; }
exit $failed
