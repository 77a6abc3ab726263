#!/bin/sh
# Nets that leave sizes open and compute with them (Shape, Gather, Concat, Reshape, Resize) as C files of the sizes that
# --size gives: compiled without a warning, the bits of precis run; inspect follows; what cannot be is refused.
# usage: c_sizes.sh PRECIS SOURCE_FOLDER [NET.onnx SIZES NAME=X.npy...]: of a net that is given, instead
. "$(dirname "$0")/../common.sh"
shift 2
tool() { python3 "$root/tests/cli/c_sizes.py" "$@"; }
f=$work/f
# check LABEL NET.onnx NAME=X.npy...: $work/LABEL.c, beside precis run of the net
check() {
    label=$1 net=$2 inputs= files=
    shift 2
    for given in "$@"; do inputs="$inputs --input $given" files="$files ${given#*=}"; done
    rm -rf "$work/want"
    expect 0 "$precis" run "$net" $inputs --output-dir "$work/want" --json
    wanted=$(python3 -c 'import json, sys; print(" ".join(o["file"] for o in json.load(open(sys.argv[1]))["outputs"]))' "$work/out")
    tool main "$work/$label.c" $files >"$work/main.c" || failed=1
    expect 0 cc -std=c99 -Wall -Wextra -Werror -O2 "$work/$label.c" "$work/main.c" -o "$work/run"
    "$work/run" >"$work/got" && tool same "$work/got" $wanted || { echo "$label: differs from precis run"; failed=1; }
}

if [ $# -gt 0 ]; then
    net=$1 sizes=$2
    shift 2
    expect 0 "$precis" convert "$net" --size "$sizes" -o "$work/given.c"
    check given "$net" "$@"
    exit $failed
fi
tool nets "$f" || exit 1
for name in length length2 plane plane2 norm norm4; do
    { read -r sizes; list=$(cat); } <"$f/$name.txt"
    expect 0 "$precis" convert "$f/$name.onnx" --size "$sizes" -o "$work/$name.c"
    has err "in the C file"
    check $name "$f/$name.onnx" $list
done

# An index that is outside: run refuses it, and the C file says so.
expect 0 "$precis" convert "$f/length.onnx" --size 7 -o "$work/length.c"
tool main "$work/length.c" "$f/length.ids.npy" "$f/length.mask.npy" | sed 's/memcpy(array_0.*/&\n    array_0[3] = 20;/' >"$work/main.c"
expect 0 cc -std=c99 -Wall -Wextra -Werror -O2 "$work/length.c" "$work/main.c" -o "$work/run"
expect 1 "$work/run"

# Quantized: the sizes of a sample, or those that are given; the bits of the quantized net.
for case in "norm T=4,N=4 norm4" "plane 12x20 plane"; do
    set -- $case
    cal=$f/$1.x.npy
    expect 0 "$precis" quant "$f/$1.onnx" --static --no-speed --calib "$cal" -o "$work/q.onnx"
    expect 0 "$precis" quant "$f/$1.onnx" --static --calib "$cal" -o "$work/sample.c" --json
    has err "from here on\|in the C file"
    json "j['flash']['all'] > 0 and j['ram']['all'] > 0 and j['cycles']"
    check sample "$work/q.onnx" "x=$cal"
    expect 0 "$precis" quant "$f/$1.onnx" --static --calib "$cal" --size "$2" --format c -o "$work/sized.c" --json
    [ $1 = plane ] || check sized "$work/q.onnx" "x=$f/$3.x.npy"
done
# a net whose graph is of one size has that of its samples
expect 2 "$precis" quant "$f/plane.onnx" --static --calib "$f/plane.x.npy" --size 8x8 -o "$work/no.c"
has err "dimension 2 of input x is 12 in the net, and was to be 8"
expect 0 "$precis" quant "$f/plane.onnx" --weight-only --size 16 -o "$work/weights.c" --json
json "j['macs'] > 0"
mkdir "$work/again" # a file of that name, since its functions have it
expect 0 "$precis" quant "$f/plane.onnx" --replay "$work/weights.c.manifest.json" -o "$work/again/weights.c"
cmp -s "$work/weights.c" "$work/again/weights.c" || { echo "a replay has other sizes"; failed=1; }

# inspect and plan follow
expect 0 "$precis" inspect "$f/plane.onnx" --size N=2,H=8,W=12 --json
json "j['inputs'][0]['shape'] == [2, 3, 8, 12] and j['outputs'][0]['shape'] == [2, 2, 8, 12]"
expect 0 "$precis" inspect "$f/norm.onnx" --size T=4 --json
json "j['inputs'][0]['shape'] == ['N', 4, 6] and j['outputs'][0]['shape'][1:] == [8, 5]"
expect 0 "$precis" plan "$f/plane.onnx" --static --size 16 --no-speed --json

# What cannot be
expect 3 "$precis" convert "$f/plane.onnx" -o "$work/no.c"
has err "dimension H of input x has no size"
expect 3 "$precis" convert "$f/length.onnx" -o "$work/no.c" # of two inputs
has err "dimension length of input ids has no size"
expect 3 "$precis" convert "$f/plane.onnx" --size W=8 -o "$work/no.c"
has err "dimension H of input x has no size"
expect 2 "$precis" convert "$f/plane.onnx" --size width=8 -o "$work/no.c"
has err "no input leaves a dimension of that name open; those that are: N, H, W"
for bad in H= =8 H=0 H=8, H=8,W H=8x8 ,H=8 H=8,,W=8 H=9999999; do
    expect 2 "$precis" convert "$f/plane.onnx" "--size=$bad" -o "$work/no.c"
    expect 2 "$precis" inspect "$f/plane.onnx" "--size=$bad"
done
python3 "$root/tests/cli/open_sizes.py" "$f" || exit 1
expect 3 "$precis" convert "$f/rows.onnx" --size 7x12 -o "$work/no.c" # of which no net can be made: by node
has err "its elements do not fill that shape"
has err "node"
expect 0 "$precis" convert "$f/rows.onnx" --size 4x12 -o "$work/rows.c"
expect 3 "$precis" inspect "$f/rows.onnx" --size 7x12
has err "its elements do not fill that shape"
[ ! -e "$work/no.c" ] || { echo "a refused net was written"; failed=1; }
[ $failed = 0 ] && echo "$n commands"
exit $failed
