#!/bin/sh
# Nets that fit some sizes alone are quantized for those of the samples, and only for as many as they must; what counts
# to an open size is quantized for any.
# usage: open_sizes.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
mkdir "$f"
python3 "$root/tests/cli/open_sizes.py" "$f" || exit 1
expect 0 "$precis" quant "$f/rows.onnx" --static --calib "$f/calib.npy" -o "$f/q.onnx"
has err "dimension 2 of x is 4 from here on"
expect 0 "$precis" inspect "$f/q.onnx" --json
json "j['inputs'][0]['shape'][1:3] == [1, 4] and not isinstance(j['inputs'][0]['shape'][3], int)"
for x in calib other; do # another width, another batch
    expect 0 "$precis" eval "$f/q.onnx" --against "$f/rows.onnx" --data "$f/$x.npy" --json
    json "j['sqnr_db'] > 25"
done
expect 0 "$precis" quant "$f/rows.onnx" --static --calib "$f/calib.npy" --max-drop 90% -o "$f/q2.onnx"
cmp "$f/q.onnx" "$f/q2.onnx" || failed=1
expect 3 "$precis" quant "$f/rows.onnx" --weight-only -o "$f/w.onnx"
has err "its elements do not fill that shape"
has err "input x has open sizes: give those that cannot stay open"
expect 0 "$precis" quant "$f/rows.onnx" --weight-only --calib "$f/calib.npy" -o "$f/w.onnx"
expect 0 "$precis" quant "$f/rows.onnx" --weight-only --size 4x12 --no-speed -o "$f/w2.onnx"
cmp "$f/w.onnx" "$f/w2.onnx" || failed=1
expect 3 "$precis" convert "$f/rows.onnx" -o "$f/v.onnx"
has err "input x has open sizes"
expect 3 "$precis" convert "$f/rows.onnx" --size 7x12 -o "$f/v.onnx" # of which no net can be made
expect 0 "$precis" convert "$f/rows.onnx" --size 4x12 -o "$f/v.onnx"
has err "dimension 2 of x is 4 from here on"
expect 0 "$precis" eval "$f/v.onnx" --against "$f/rows.onnx" --data "$f/other.npy" --json
json "j['sqnr_db'] is None or j['sqnr_db'] > 100"
for bad in 0 4x 4xx12 x4 4x0 -3 4.5 1048577; do
    expect 2 "$precis" convert "$f/rows.onnx" "--size=$bad" -o "$f/none.onnx"
done

expect 3 "$precis" quant "$f/counts.onnx" --static --calib "$f/five.npy" --strict --no-speed -o "$f/none.onnx" # of another reason
has err "stays in float"
lacks err "open sizes"
expect 0 "$precis" quant "$f/counts.onnx" --static --calib "$f/five.npy" -o "$f/c.onnx"
for x in five nine; do
    expect 0 "$precis" eval "$f/c.onnx" --against "$f/counts.onnx" --data "$f/$x.npy" --json
    json "j['sqnr_db'] > 10"
done
# products of open sizes are the same when they are read back
for axis in 1 2 3; do
    expect 0 "$precis" convert "$f/old$axis.onnx" -o "$f/new.onnx"
    for net in old$axis new; do expect 0 "$precis" run "$f/$net.onnx" --input "x=$f/places.npy" --output-dir "$work/$net"; done
    cmp "$work/old$axis/y.npy" "$work/new/y.npy" || failed=1
done
expect 0 "$precis" convert "$f/nothing.onnx" -o "$f/new.onnx"
for net in nothing new; do expect 0 "$precis" run "$f/$net.onnx" --input "p=$f/picture.npy" --output-dir "$work/$net"; done
cmp "$work/nothing/y.npy" "$work/new/y.npy" || failed=1
# what has the name of a first dimension is how many samples there are
expect 0 "$precis" inspect "$f/state.onnx" --size 6 --json
json "[i['shape'] for i in j['inputs']] == [['batch', 6, 8], [3, 'batch', 8]]"
expect 2 "$precis" inspect "$f/state.onnx" --size 6x6
expect 0 "$precis" convert "$f/state.onnx" --size 6 -o "$f/state.c"
has err "input h is \[3,1,8\] in the C file"
expect 0 "$precis" bench "$f/state.onnx" --size 6 --json
json "j['products'] == 6 * 8 * 4"
[ $failed = 0 ] && echo "$n commands"
exit $failed
