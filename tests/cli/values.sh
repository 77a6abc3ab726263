#!/bin/sh
# Inputs of which one number decides what a net is: given by --input NAME=N, or taken from samples that all hold one.
# usage: values.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
mkdir "$f"
python3 "$root/tests/cli/values.py" "$f" || exit 1
same() {
    cmp "$1" "$2" || failed=1
}

# run: a number is an array of the input's type
for rate in 16000 8000; do
    expect 0 "$precis" run "$f/net.onnx" --input "x=$f/x.npy" --input rate=$rate --output-dir "$f/run$rate"
done
expect 0 "$precis" run "$f/net.onnx" --input "x=$f/x.npy" --input "rate=$f/rate.npy" --output-dir "$f/file"
same "$f/file/y.npy" "$f/run16000/y.npy"
cmp -s "$f/run16000/y.npy" "$f/run8000/y.npy" && failed=1
for bad in x=3 rate=1.5 rate= none=3 rate=99999999999999999999; do
    "$precis" run "$f/net.onnx" --input "x=$f/x.npy" --input "$bad" >"$work/out" 2>"$work/err" && failed=1
done

# Without a value there is no graph; the message says what would make one.
for command in "plan --static" "quant --dynamic -o $f/none.onnx" "quant --weight-only -o $f/none.onnx" "convert -o $f/none.onnx" \
    "convert -o $f/none.c" "inspect --passes" "inspect --overflow"; do
    # shellcheck disable=SC2086 # words of a command
    expect 3 "$precis" ${command%% *} "$f/net.onnx" ${command#* }
    has err "node which (If)"
    has err "give its value (--input rate=N)"
done

# With one: the input is none any more, files say what it was, and give what the net gives with that value.
for rate in 16000 8000; do
    v="--input rate=$rate"
    expect 0 "$precis" plan "$f/net.onnx" --static $v --no-speed --json
    json "j['values'] == {'rate': $rate} and any(n['node'] == 'three' for n in j['nodes']) == ($rate == 8000)"
    expect 0 "$precis" convert "$f/net.onnx" $v -o "$f/v$rate.onnx"
    expect 0 "$precis" inspect "$f/v$rate.onnx" --json
    json "[i['name'] for i in j['inputs']] == ['x'] and j['values'] == {'rate': $rate} and 'If' not in j['ops']"
    expect 0 "$precis" run "$f/v$rate.onnx" --input "x=$f/x.npy" --output-dir "$f/again"
    same "$f/again/y.npy" "$f/run$rate/y.npy"
    expect 0 "$precis" run "$f/v$rate.onnx" --input "x=$f/x.npy" --input rate=$rate --output-dir "$f/again"
    expect 2 "$precis" run "$f/v$rate.onnx" --input "x=$f/x.npy" --input rate=44100
    has err "input rate is 44100, and the net is one in which it is $rate"
    expect 0 "$precis" convert "$f/v$rate.onnx" -o "$f/twice.onnx"
    same "$f/v$rate.onnx" "$f/twice.onnx"
    expect 0 "$precis" convert "$f/net.onnx" $v -o "$f/v$rate.c"
    grep -q "Input rate of the net is $rate here" "$f/v$rate.c" || failed=1
    expect 0 "$precis" quant "$f/net.onnx" --dynamic $v --no-speed -o "$f/d$rate.onnx"
    expect 0 "$precis" quant "$f/net.onnx" --static $v --calib "x=$f/x.npy" --no-speed -o "$f/s$rate.onnx" --json
    json "j['values'] == {'rate': $rate}"
    expect 0 "$precis" bench "$f/net.onnx" $v --seconds 1 --json
    for q in d s; do
        expect 0 "$precis" eval "$f/$q$rate.onnx" --against "$f/net.onnx" --data "x=$f/x.npy" --json
        json "j['sqnr_db'] > 25 and j['n'] == 6"
        expect 0 "$precis" eval "$f/net.onnx" --against "$f/$q$rate.onnx" --data "x=$f/x.npy" --json
        json "j['sqnr_db'] > 25"
        expect 0 "$precis" eval "$f/$q$rate.onnx" --against "$f/net.onnx" --data "x=$f/x.npy" --nodes --json
        json "len(j['nodes']) > 0"
    done
done
expect 0 "$precis" plan "$f/net.onnx" --static --input rate=16000 # measured, too
has out "ms in float"
expect 2 "$precis" plan "$f/net.onnx" --static --input "rate=$f/rate.npy"
has err "it is NAME=N here"
expect 2 "$precis" plan "$f/net.onnx" --static --input x=3
expect 2 "$precis" eval "$f/s16000.onnx" --against "$f/net.onnx" --data "x=$f/x.npy" --input rate=8000
has err "input rate is 8000, and the net is one in which it is 16000"
expect 2 "$precis" eval "$f/s16000.onnx" --against "$f/s8000.onnx" --data "x=$f/x.npy"
expect 0 "$precis" eval "$f/net.onnx" --data "x=$f/x.npy" --input rate=8000

# Another type and shape
expect 0 "$precis" convert "$f/short.onnx" --input rate=16000 -o "$f/short16.onnx"
expect 0 "$precis" run "$f/short.onnx" --input "x=$f/x.npy" --input rate=16000 --output-dir "$f/a"
expect 0 "$precis" run "$f/short16.onnx" --input "x=$f/x.npy" --output-dir "$f/b"
same "$f/a/y.npy" "$f/b/y.npy"
expect 2 "$precis" convert "$f/short.onnx" --input rate=2147483648 -o "$f/none.onnx"
has err "of type I32, which has no number 2147483648"

# Samples that hold one value: it is taken, and said; those that hold another are refused.
expect 0 "$precis" quant "$f/net.onnx" --static --calib "$f/same" --no-speed -o "$f/q.onnx" --json
has err "input rate is 16000 in all samples"
json "j['values'] == {'rate': 16000}"
expect 0 "$precis" quant "$f/net.onnx" --replay "$f/q.onnx.manifest.json" -o "$f/r.onnx"
same "$f/q.onnx" "$f/r.onnx"
expect 0 "$precis" quant "$f/net.onnx" --static --calib "$f/same" --input rate=16000 --no-speed -o "$f/given.onnx"
lacks err "in all samples"
same "$f/q.onnx" "$f/given.onnx"
expect 0 "$precis" quant "$f/net.onnx" --static --calib "$f/same" --max-drop 90% -o "$f/m.onnx"
expect 0 "$precis" quant "$f/net.onnx" --static --calib "x=$f/x.npy" --calib "rate=$f/rate.npy" --no-speed -o "$f/two.onnx"
expect 0 "$precis" quant "$f/net.onnx" --static --calib "$f/same" -o "$f/q.c" # measured in passing
grep -q "Input rate of the net is 16000 here" "$f/q.c" || failed=1
expect 2 "$precis" quant "$f/net.onnx" --static --calib "$f/mixed" -o "$f/none.onnx"
has err "2.npz holds another value than the first"
expect 2 "$precis" quant "$f/net.onnx" --static --calib "$f/mixed" --input rate=16000 -o "$f/none.onnx"
has err "2.npz: input rate is 8000, and the net is one in which it is 16000"
expect 2 "$precis" eval "$f/q.onnx" --data "$f/mixed"
expect 0 "$precis" eval "$f/q.onnx" --against "$f/net.onnx" --data "$f/same" --json
json "j['sqnr_db'] > 25 and j['n'] == 4"
expect 0 "$precis" eval "$f/net.onnx" --data "$f/mixed"

# What files say of such inputs is read strictly.
for i in 0 1 2 3 4 5 6 7 8 9 10; do
    expect 3 "$precis" inspect "$f/bad$i.onnx"
    has err "byte"
done
expect 0 "$precis" run "$f/good.onnx" --input "x=$f/four.npy" --output-dir "$f/g"
expect 0 "$precis" inspect "$f/good.onnx" --json
json "j['values'] == {'r': 255}"
for left in "$f"/none.*; do
    [ ! -e "$left" ] || failed=1
done
[ $failed = 0 ] && echo "$n commands"
exit $failed
