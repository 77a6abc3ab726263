#!/bin/sh
# Nets of arrays: what small ONNX files give, in and out as .npy; and what hostile ones are refused with, quickly and by name.
# usage: nets.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
nets=$work/nets
python3 "$root/tests/onnx_files.py" "$nets" && python3 "$root/tests/faults/nets.py" make "$work" || exit 1

run() { # run CODE NET ARGUMENTS: outputs to $work/out_dir
    code=$1 net=$2
    shift 2
    rm -rf "$work/out_dir"
    expect "$code" "$precis" run "$nets/$net.onnx" --output-dir "$work/out_dir" "$@"
}
out() { # out FILE EXPRESSION over d (descr), s (shape), v (values), x
    python3 "$root/tests/faults/nets.py" want "$work/out_dir/$1.npy" "$2" || failed=1
}

run 0 conv --input "x=$work/x.npy"
out y "s == (2, 3, 2, 2) and d == '<f4' and all(a >= 0 for a in v) and any(a > 0 for a in v)"
cp "$work/out_dir/y.npy" "$work/first.npy"
for other in big fortran; do
    run 0 conv --input "x=$work/$other.npy" --threads 2
    cmp "$work/out_dir/y.npy" "$work/first.npy" || failed=1
done
run 0 shapes --input "x=$work/x.npy"
out y "s == (2, 5)"
run 0 contents --input "x=$work/x.npy" --input "to=$work/to.npy"
out y "s[0] == 2 and d == '<i8' and s[1] == sum(a != 0 for a in x)"
run 0 branches --input "x=$work/x.npy" --input "c=$work/yes.npy"
out y "near(v, [math.exp(a) for a in x])"
run 0 branches --input "x=$work/x.npy" --input "c=$work/no.npy"
out y "near(v, [-a for a in x])"
run 0 loop --input "x=$work/x.npy"
out y "near(v, [3 * a for a in x])"
out all "s == (3, 2, 2, 4, 4) and near(v, [k * a for k in (1, 2, 3) for a in x])"
run 0 function --input "x=$work/x.npy"
out y "near(v, [2 * (a if a >= 0 else a / 2) for a in x])"
run 0 softmax --input "x=$work/x.npy" # of opset 11, which makes two dimensions of all; -1 is the last one there, too
out y "near([sum(v[i:i + 4]) for i in range(0, len(v), 4)], [1] * (len(v) // 4)) and near([v[1]], [math.exp(x[1] - x[0]) * v[0]])"
run 0 codes --input "x=$work/x.npy"
out y "near(v, [round(a / .05) * .05 for a in x])"
run 0 int4
out y "v == [-.5, .5, -4.0]"
mv "$work/pair.npy" "$work/a=b.npy"
run 3 names --input "a=b=$work/pair.npy"
has err "b=.*pair.npy" # split at the first '='
cp "$work/a=b.npy" "$work/pair.npy"
run 2 names --input "a=$work/pair.npy"
has err "no input a"
run 0 external --input "x=$work/x.npy"
out y "near(v, [a + (i % 4 + 1) for i, a in enumerate(x)])"

# Contents that are none, met while it runs, end it: no result is made up.
run 0 indices --input "x=$work/x.npy" --input "i=$work/last.npy"
out y "near(v, x[32:])"
run 3 indices --input "x=$work/x.npy" --input "i=$work/outside.npy"
has err "node y (take): met an index outside"
run 0 scales --input "x=$work/x.npy" --input "s=$work/scale.npy"
run 3 scales --input "x=$work/x.npy" --input "s=$work/nan.npy"
has err "node q (to_codes)"

# Inputs that are not the net's: both types and both shapes are said.
run 2 conv --input "x=$work/double.npy"
has err 'F64 \[2, 2, 4, 4\], the net takes F32 \[N, 2, 4, 4\]'
run 2 conv --input "x=$work/flat.npy"
has err 'F32 \[8, 8\], the net takes'
run 2 conv
has err "input x is not given"
run 2 conv --input "x=$work/x.npy" --input "x=$work/x.npy"
has err "given twice"
run 2 conv --input "x=$work/x.npy" --prompt hello
has err "language models"
run 4 conv --input "x=$work/x.npy" --mem-limit 1M
expect 2 "$precis" run "$root/models/gutenberg-7m" --input "x=$work/x.npy"
for bad in cut long header object; do
    run 3 conv --input "x=$work/$bad.npy"
    has err "byte\|type"
done

# inspect says what a net has and lacks before anything runs.
expect 0 "$precis" inspect "$nets/conv.onnx" --json
json "j['ops'] == {'Conv': 1, 'Relu': 1, 'MaxPool': 1} and j['unsupported'] == []"
json "j['inputs'] == [{'name': 'x', 'type': 'F32', 'shape': ['N', 2, 4, 4]}] and j['outputs'][0]['name'] == 'y'"
expect 0 "$precis" inspect "$nets/bad_unknown.onnx" --json
json "j['unsupported'] == ['Wobble']"

# Constants that would be large are not computed when the net is read: 1 GB of a few bytes.
expect 0 python3 -c "
import resource, subprocess, sys
assert subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode == 0
assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 500000" "$precis" convert "$nets/large.onnx" -o "$work/large.onnx"

# Hostile files: the right code, one sentence with file and place, and no time.
while IFS="$(printf '\t')" read -r name code text; do
    rm -rf "$work/bad"
    expect "$code" timeout 2 "$precis" run "$nets/bad_$name.onnx" --input "x=$work/x.npy" --output-dir "$work/bad"
    grep -qE -e "$text" "$work/err" || { echo "bad_$name: no \"$text\": $(head -c 300 "$work/err")"; failed=1; }
    grep -q "bad_$name.onnx" "$work/err" || { echo "bad_$name: the file is not named: $(head -c 300 "$work/err")"; failed=1; }
    [ ! -e "$work/bad" ] || { echo "bad_$name: has an output"; failed=1; }
done <"$nets/hostile.txt"
exit $failed
