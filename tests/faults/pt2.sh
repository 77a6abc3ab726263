#!/bin/sh
# Archives of torch.export: what small ones give, what hostile ones are refused with, quickly and by name; and torch's own
# outputs on those of ../shared, where that is. usage: pt2.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
nets=$work/nets
python3 "$root/tests/pt2_files.py" "$nets" && python3 "$root/tests/faults/pt2.py" make "$work" || exit 1

run() { # run CODE NET ARGUMENTS: outputs to $work/out_dir
    code=$1 net=$2
    shift 2
    rm -rf "$work/out_dir"
    expect "$code" "$precis" run "$nets/$net.pt2" --output-dir "$work/out_dir" "$@"
}
out() { # out FILE EXPRESSION over d (descr), s (shape), v (values), x
    python3 "$root/tests/faults/nets.py" want "$work/out_dir/$1.npy" "$2" || failed=1
}

run 0 linear --input "x=$work/flat.npy"
out y "s == (2, 2) and near(v, [max(0, sum(x[4 * i + k] * (4 * j + k) for k in range(4)) + (.5, -.5)[j]) for i in range(2) for j in range(2)])"
run 0 cells --input "x=$work/flat.npy"
out c "s == (2, 2) and near(v, [max(0, sum(x[4 * i + k] * (4 * j + k) for k in range(4)) + ((1, -1 - 4), (3, -3 + 1))[i][j]) for i in range(2) for j in range(2)])"
out u "s == (2, 4) and near(v, [k * (2, 3)[k // 4] / (14, 126)[k // 4] ** .5 for k in range(8)])"
out r "near(v, [a if a > 0 else a * (1 / 8 + 1 / 3) / 2 for a in x[:8]])"
out d "s == () and near(v, [sum(a * a for a in x[:8])])"
out a "s == (1, 2, 3, 2) and near(v, [w for j in (-1, 1) for i in (-1, 0, 1) for w in (i + .5, 2 * j)])"
run 2 linear --input "x=$work/seven.npy"
has err "dimension s0 is 7, the net takes at most 6"
run 2 linear --input "x=$work/square.npy"
has err 'F32 \[3, 3\], the net takes F32 \[s0, 4\]'
# Views are written through, and taken anew.
run 0 written --input "x=$work/x.npy"
out c "near(v, [7 if i >= 12 else a * 2 if i % 4 in (1, 2) else a for i, a in enumerate(x[:24])])"
out s "s == (2, 3, 2) and near(v, [7 if i >= 12 else 2 * a for i, a in enumerate(x[:24]) if i % 4 in (1, 2)])"
out t "s == (2, 3, 1) and near(v, [7 if i >= 12 else 2 * a for i, a in enumerate(x[:24]) if i % 4 == 2])"
run 3 unsure --input "x=$work/x.npy"
has err "depends on strides"
# Weights: tied, turned, a part, of every type, without elements, spread.
run 0 weights --input "x=$work/x.npy"
out p_plain "v == [1, 2, 3, 4]"
out p_tied "v == [1, 2, 3, 4]"
out p_turned "v == [1, 3, 2, 4]"
out p_part "v == [2, 4]"
out p_half "v == [0x3f80, 0xc000] and d == '<u2'"
out p_empty "s == (0, 3) and v == []"
out p_number "s == () and v == [-3] and d == '<i8'"
out p_truth "v == [True, False]"
out p_tiny "v == [0x38, 0xc0] and d == '|u1'"
out p_wide "s == (3, 2) and v == [5, 6, 5, 6, 5, 6]"
# Numbers that the graph computes, and outputs of every kind.
run 0 numbers --input "x=$work/x.npy"
out v "s == (6, 4) and near(v, x[:24])"
out m "s == () and v == [6]"
out r "v == [0, 1] and d == '<i8'"
out output_4 "v == [3] and d == '<i8'"
out output_5 "v == [2.5] and d == '<f8'"
out output_6 "v == [True]"
out x "s == (2, 3, 4) and near(v, x[:24])"
out v.2 "s == (6, 4)"
run 0 expression --input "x=$work/pair.npy"
out y "near(v, [sum(x[:8])])"
run 2 expression --input "x=$work/square.npy"
has err "dimension 1 is 3, and 2\*s0 is 6"
run 0 deep_expression --input "x=$work/x.npy"
run 0 picture --input "x=$work/picture.npy"
out y "s == (1, 2, 1, 1) and all(0 <= a <= 6 for a in v)"
run 0 codes --input "x=$work/x.npy"
out y "near(v, [round(a / .05) * .05 for a in x[:24]])"
out q "d == '|u1'"
run 0 dynamic --input "x=$work/x.npy"
out y "max(abs(a - b) for a, b in zip(v, x)) <= (max(x[:24]) - min(x[:24])) / 255"
run 0 no_grad --input "x=$work/x.npy"
out neg "near(v, [max(0, -a) for a in x[:24]])"
run 0 lists --input "x=$work/x.npy" --input "k=$work/k.npy"
out y "near(v, [x[4 * i + k] for i in range(6) for k in (2, 3, 0, 1)])"
out i "s == (2, 2, 4) and near(v[:4], x[8:12])"
run 0 sizes_in_headers --input "x=$work/x.npy"
out y "near(v, [max(0, a) for a in x[:24]])"

# An archive becomes an ONNX file that gives the same bits; what torch's quantizers wrote becomes its Q and DQ.
for net in linear codes dynamic picture; do
    array=x
    case $net in linear) array=flat ;; picture) array=picture ;; esac
    run 0 $net --input "x=$work/$array.npy"
    mv "$work/out_dir" "$work/own_$net"
    expect 0 "$precis" convert "$nets/$net.pt2" -o "$work/$net.onnx"
    rm -rf "$work/out_dir"
    expect 0 "$precis" run "$work/$net.onnx" --input "x=$work/$array.npy" --output-dir "$work/out_dir"
    cmp "$work/own_$net/y.npy" "$work/out_dir/y.npy" || failed=1
done
run 0 along --input "x=$work/six.npy" --input "k=$work/k.npy"
out y "near(v, [2 * x[2], 2 * x[5]])"
expect 0 "$precis" convert "$nets/along.pt2" -o "$work/along.onnx"
expect 0 "$precis" inspect "$work/codes.onnx" --json
json "j['ops'] == {'QuantizeLinear': 1, 'DequantizeLinear': 1}"

expect 0 "$precis" inspect "$nets/linear.pt2" --json
json "j['format'] == 'pt2' and j['ops'] == {'aten.linear.default': 1, 'aten.relu.default': 1} and j['unsupported'] == []"
json "j['inputs'] == [{'name': 'x', 'type': 'F32', 'shape': ['s0', 4]}] and j['outputs'][0]['name'] == 'y'"
expect 0 "$precis" inspect "$nets/bad_cond.pt2" --json
json "j['unsupported'] == ['higher_order.cond']"
expect 0 "$precis" inspect "$nets/bad_unknown.pt2" --json
json "j['unsupported'] == ['aten.wobble.default']"

# Hostile files: the right code, one sentence with file and place, and no time.
while IFS="$(printf '\t')" read -r name code text; do
    rm -rf "$work/bad"
    expect "$code" timeout 5 "$precis" run "$nets/bad_$name.pt2" --input "x=$work/x.npy" --output-dir "$work/bad"
    grep -qE -e "$text" "$work/err" || { echo "bad_$name: no \"$text\": $(head -c 300 "$work/err")"; failed=1; }
    grep -q "bad_$name.pt2" "$work/err" || { echo "bad_$name: the file is not named: $(head -c 300 "$work/err")"; failed=1; }
    [ ! -e "$work/bad" ] || { echo "bad_$name: has an output"; failed=1; }
done <"$nets/hostile.txt"

# Checkpoints and TorchScript under their usual names: the lines that make a file that is read; an archive under any name.
for other in checkpoint script old_checkpoint; do
    cp "$nets/bad_$other.pt2" "$work/model.pth"
    expect 3 "$precis" inspect "$work/model.pth"
    has err "torch.export.save"
    has err "safetensors"
    expect 3 "$precis" run "$work/model.pth" --input "x=$work/x.npy"
    has err "torch.export.save"
done
cp "$nets/linear.pt2" "$work/renamed.bin"
expect 0 "$precis" inspect "$work/renamed.bin" --json
json "j['format'] == 'pt2'"

# torch's own archives and outputs.
golden=$root/../shared/reference/nets/pt2
[ -d "$golden" ] || { echo "skipped: torch's archives of ../shared/reference/nets/pt2 are not here"; exit $failed; }
for archive in "$golden"/*.pt2; do
    case $archive in
    *_refuse.pt2) expect 3 "$precis" run "$archive" --input "x=$work/pair.npy"; continue ;;
    esac
    rm -rf "$work/arrays" "$work/out_dir"
    python3 "$root/tests/faults/pt2.py" unpack "${archive%.pt2}.npz" "$work/arrays"
    set --
    for array in "$work/arrays/in"/*.npy; do set -- "$@" --input "$(basename "$array" .npy)=$array"; done
    expect 0 "$precis" run "$archive" --output-dir "$work/out_dir" "$@"
    python3 "$root/tests/faults/pt2.py" compare "$work/arrays" "$work/out_dir" || failed=1
done
exit $failed
