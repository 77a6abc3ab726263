#!/bin/sh
# Resize to the nearest: the element that each place has by exact arithmetic. usage: resize.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
mkdir "$f"
python3 "$root/tests/cli/resize.py" make "$f" || exit 1
inputs=
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do inputs="$inputs --input x$n=$f/x$n.npy"; done
for net in "$f"/*.onnx; do
    expect 0 "$precis" run "$net" $inputs --output-dir "${net%.onnx}.out" -q
done
python3 "$root/tests/cli/resize.py" same "$f" || failed=1
exit $failed
