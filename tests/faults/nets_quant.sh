#!/bin/sh
# Nets written as ONNX and quantized: what is written runs, and gives what the float net gives within what its bits lose;
# what cannot be quantized is refused or listed by name. usage: nets_quant.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
tool() { python3 "$root/tests/faults/nets_quant.py" "$@"; }
tool make "$work" || exit 1

run() { # run NET.onnx ARRAY.npy RESULT.npy
    rm -rf "$work/dir"
    expect 0 "$precis" run "$1" --input "x=$2" --output-dir "$work/dir"
    cp "$work/dir/y.npy" "$3" || failed=1
}
at_least() { # at_least DECIBELS A.npy B.npy WHAT
    got=$(tool sqnr "$2" "$3")
    if ! awk -v a="$got" -v b="$1" 'BEGIN { exit !(a >= b) }'; then
        echo "$4: $got dB, not $1"
        failed=1
    fi
}
ops() { # ops FILE.onnx TEXT ...: words that the list of ops must have
    tool ops "$1" >"$work/ops"
    shift
    for word in "$@"; do
        if ! grep -q -w -e "$word" "$work/ops"; then
            echo "no $word in $(cat "$work/ops")"
            failed=1
        fi
    done
}

# Written as it is: the same bits, and ops that engines fuse.
for net in small floating thin codes big_bias shapes recurrent lstm; do
    case $net in small) x=eval ;; floating | thin | codes | recurrent | lstm) x=rows ;; shapes) x=wide ;; *) x=planes ;; esac
    run "$work/$net.onnx" "$work/$x.npy" "$work/$net.float.npy"
    expect 0 "$precis" convert "$work/$net.onnx" -o "$work/$net.out.onnx" --json
    json "j['opset'] >= 13 and j['nodes'] > 0"
    run "$work/$net.out.onnx" "$work/$x.npy" "$work/again.npy"
    cmp "$work/$net.float.npy" "$work/again.npy" || failed=1
done
ops "$work/small.out.onnx" Conv=3 BatchNormalization=1 Clip=1 MaxPool=1 GlobalAveragePool=1 Gemm=1
expect 2 "$precis" convert "$work/small.onnx" -o "$work/small.gguf"
expect 2 "$precis" convert "$work/small.onnx" -o "$work/small.onnx"

# Static: everything in integers, near the float net; batch norm and clamps are gone.
quant() { # quant NET OUT ARGUMENTS: nothing is left in float for being slower on this machine
    net=$1 out=$2
    shift 2
    expect 0 "$precis" quant "$work/$net.onnx" -o "$work/$out.onnx" --json --no-speed "$@"
}
quant small q --static --calib "$work/calib.npy" --strict
json "j['float'] == 0 and j['integers'] == len(j['nodes'])"
json "[n for n in j['nodes'] if n['node'] == 'p'][0]['observer'] == 'shared'"
json "all(n['batches'] == 2 for n in j['nodes'] if n.get('observer') == 'minmax')"
json "len([n for n in j['nodes'] if n.get('sharing_db', -1) >= 0]) == 2" # a sum and a concatenation
json "all(n['op'] in ('add', 'concat') for n in j['nodes'] if 'sharing_db' in n)"
run "$work/q.onnx" "$work/eval.npy" "$work/q.npy"
at_least 30 "$work/small.float.npy" "$work/q.npy" static
ops "$work/q.onnx" Conv=3 MaxPool=1 Add=1 Concat=1 GlobalAveragePool=1 Gemm=1
lacks ops BatchNormalization
lacks ops Relu
lacks ops Clip
quant small t --static --calib "$work/calib.npy" --per-tensor
run "$work/t.onnx" "$work/eval.npy" "$work/t.npy"
at_least 15 "$work/small.float.npy" "$work/t.npy" "per tensor"
quant small s --static --calib "$work/calib.npy" --activations s8 --symmetric
ops "$work/s.onnx" Relu=1 Max=1 # a range around zero clamps at its end alone
quant small lt --static --calib "$work/calib.npy" --like torch # what a concatenation reads and gives has one scale
json "len({(n['scale'], n['zero_point']) for n in j['nodes'] if n['node'] in ('c1', 'add', 'cat')}) == 1"
quant small o --static --calib "$work/calib.npy" --like onnxruntime
ops "$work/o.onnx" QuantizeLinear=10
quant small h --static --calib "$work/calib.npy" --activations u16
json "j['opset'] == 21"
run "$work/h.onnx" "$work/eval.npy" "$work/h.npy"
at_least 38 "$work/small.float.npy" "$work/h.npy" "16 bits"
# The same bytes from any number of threads, and again.
quant small q2 --static --calib "$work/calib.npy" --threads 1
cmp "$work/q.onnx" "$work/q2.onnx" || failed=1

# Sums are proved from the weights; one that 32 bits may not hold is told, and is not computed so.
expect 0 "$precis" inspect "$work/q.onnx" --overflow --json
json "j['proved'] == 4 and j['overflows'] == 0 and [a['node'] for a in j['accumulators']] == ['c1', 'dw', 'c3', 'fc']"
json "[a['products'] for a in j['accumulators']] == [27, 9, 8, 16] and all(-2e6 < a['lowest'] < 0 < a['highest'] < 2e6 for a in j['accumulators'])"
expect 1 "$precis" inspect "$work/long.onnx" --overflow --json
json "[(a['node'], a['lowest'], a['highest'], a['overflows']) for a in j['accumulators']] == [('long', 0, 70000 * 127 * 255, True)]"
expect 0 "$precis" inspect "$work/small.onnx" --overflow --json
json "j['accumulators'] == []"

# QLinear ops: the same numbers, as codes.
quant small p --static --calib "$work/calib.npy" --qop
run "$work/p.onnx" "$work/eval.npy" "$work/p.npy"
at_least 60 "$work/q.npy" "$work/p.npy" "QLinear ops beside QDQ"
ops "$work/p.onnx" QLinearConv=3 QLinearAdd=1 QLinearConcat=1 MaxPool=1

# Any op between two that take codes: the file is written, has no name twice, and gives what QDQ gives.
while read -r name; do
    quant "middle_$name" mq --static --calib "$work/calib.npy"
    run "$work/mq.onnx" "$work/eval.npy" "$work/mq.npy"
    quant "middle_$name" mp --static --calib "$work/calib.npy" --qop
    ops "$work/mp.onnx" QLinearConv
    if grep TWICE "$work/ops"; then
        echo "middle_$name: two nodes have one name"
        failed=1
    fi
    run "$work/mp.onnx" "$work/eval.npy" "$work/mp.npy"
    at_least 45 "$work/mq.npy" "$work/mp.npy" "QLinear ops around $name"
done <"$work/middles.txt"

# What is quantized already goes over as it is; a way to quantize it is refused.
for net in q p; do
    expect 0 "$precis" quant "$work/$net.onnx" -o "$work/over.onnx"
    run "$work/over.onnx" "$work/eval.npy" "$work/over.npy"
    cmp "$work/$net.npy" "$work/over.npy" || failed=1
    expect 3 "$precis" quant "$work/$net.onnx" -o "$work/none.onnx" --dynamic
done

# What an engine has no kernel for is refused, with the nearest that it has; what is left open is its first choice.
quant small x --static --calib "$work/calib.npy" --backend xnnpack
json "j['nodes'][0]['zero_point'] == -128"
quant small y --static --calib "$work/calib.npy" --backend cmsis-nn --activations s16
for case in "xnnpack --static --activations u8" "qnnpack --weight-only" "fbgemm --static --qop" "cmsis-nn --dynamic" \
    "qnnpack --static --per-channel" "openvino --static --activations s16"; do
    set -- $case
    expect 3 "$precis" quant "$work/small.onnx" -o "$work/none.onnx" --backend "$@" --calib "$work/calib.npy"
    has err nearest
done
expect 2 "$precis" plan "$work/small.onnx" --static --backend nothing
expect 0 "$precis" plan "$work/floating.onnx" --static --json
json "j['float'] == 2 and {n['reason'] for n in j['nodes'] if n['state'] == 'float'}"
expect 0 "$precis" list backends
has out onnxruntime

# What each node takes, measured here: the kernel that it runs, in float and in codes; the sum beside the written net's.
# Nothing is said of how much: with --all-int8 the file is the same as without.
for way in --static --dynamic; do
    expect 0 "$precis" plan "$work/small.onnx" $way --speed --size 2 --json
    json "all({'kernel', 'float_ms', 'int8_ms', 'slower'} <= n.keys() for n in j['nodes'])"
    json "all(n['kernel'] and n['int8_ms'] > 0 and n['float_ms'] > 0 for n in j['nodes'] if n['node'] in ('c1', 'dw', 'fc'))"
    json "j['float_ms'] > 0 and j['predicted_ms'] > 0 and 'measured_ms' not in j"
    json "[n['kernel'].split('_')[0] for n in j['nodes'] if n['node'] in ('c1', 'dw', 'c3')] == ['codes'] * 3"
done
expect 0 "$precis" plan "$work/small.onnx" --static --json # a plan tells it without being asked, from what was measured
json "j['float_ms'] > 0 and j['predicted_ms'] > 0 and all({'kernel', 'float_ms', 'int8_ms'} <= n.keys() for n in j['nodes'])"
cp "$work/out" "$work/first"
expect 0 "$precis" plan "$work/small.onnx" --static --json
cmp "$work/out" "$work/first" || failed=1
expect 0 "$precis" plan "$work/small.onnx" --static --json --no-cache
json "j['float_ms'] > 0"
# Dynamic, and weights alone.
quant small d --dynamic
run "$work/d.onnx" "$work/eval.npy" "$work/d.npy"
at_least 30 "$work/small.float.npy" "$work/d.npy" dynamic
ops "$work/d.onnx" DynamicQuantizeLinear=4 ConvInteger=3 MatMulInteger=1
for type in int8 int4 fp8; do
    quant floating w --weight-only --weights $type
    run "$work/w.onnx" "$work/rows.npy" "$work/w.npy"
    at_least 14 "$work/floating.float.npy" "$work/w.npy" "weights $type"
done

# Weights of one row and one column in blocks of every kind.
for type in int8 int4 int2 fp8; do
    for group in "" 16; do
        [ -z "$group" ] || [ $type = int4 ] || [ $type = int2 ] || continue
        quant thin w --weight-only --weights $type ${group:+--group $group}
        json "all(n['state'] == 'integers' for n in j['nodes'] if n['op'] == 'matmul')"
        run "$work/w.onnx" "$work/rows.npy" "$work/w.npy"
        case $type in int2) least=3 ;; int4) least=16 ;; *) least=24 ;; esac
        at_least $least "$work/thin.float.npy" "$work/w.npy" "thin matrices, weights $type $group"
    done
done

quant recurrent r --weight-only
json "[n for n in j['nodes'] if n['op'] == 'recurrent'][0]['method'].startswith('weights')"
run "$work/r.onnx" "$work/rows.npy" "$work/r.npy"
at_least 28 "$work/recurrent.float.npy" "$work/r.npy" "a recurrent net"
ops "$work/r.onnx" GRU=1 DequantizeLinear=3
# So beside ranges of a calibration, which is said; not where others' placements are asked for, nor for an engine that
# decodes no weights, nor where all is to be in integers.
for net in recurrent lstm; do
    quant $net r --static --calib "$work/rows.npy"
    json "[n for n in j['nodes'] if n['op'] == 'recurrent'][0]['method'] == 'weights, weights int8 per channel'"
    json "[n for n in j['nodes'] if n['op'] == 'recurrent'][0]['reason'].startswith('its weights alone')"
    json "all('reason' not in n for n in j['nodes'] if n['state'] == 'fused')"
    ops "$work/r.onnx" QuantizeLinear=1 # of what the product reads: the GRU's last state is its second result
    ops "$work/r.onnx" Cast=2 # so that engines do not take the weights for such of a net in integers
    run "$work/r.onnx" "$work/rows.npy" "$work/r.npy"
    at_least 28 "$work/$net.float.npy" "$work/r.npy" "$net, static"
    expect 0 "$precis" convert "$work/r.onnx" -o "$work/again.onnx"
    ops "$work/again.onnx" Cast=2
    run "$work/again.onnx" "$work/rows.npy" "$work/again.npy"
    cmp "$work/r.npy" "$work/again.npy" || failed=1
    expect 0 "$precis" quant "$work/$net.onnx" -o "$work/again.onnx" --static --calib "$work/rows.npy" --no-speed
    has out 'stored  *\(lstm\|gru\) '
    for other in "--like onnxruntime" "--like torch" "--backend qnnpack" "--float gru --float lstm"; do
        case $other in --float*) other="--float $(echo $net | sed s/recurrent/gru/)" ;; esac
        quant $net f --static --calib "$work/rows.npy" $other
        json "[n for n in j['nodes'] if n['op'] == 'recurrent'][0]['state'] == 'float'"
        lacks out "weights alone"
    done
    expect 3 "$precis" quant "$work/$net.onnx" -o "$work/no.onnx" --static --calib "$work/rows.npy" --no-speed --strict
    [ ! -e "$work/no.onnx" ] || failed=1
done
[ "$(wc -c <"$work/r.onnx")" -lt $(($(wc -c <"$work/lstm.onnx") / 2)) ] || { echo "an LSTM in int8 is as large as in float"; failed=1; }

# An LSTM: x and h in 8 bits, the same bits from any number of threads and at any level of instructions.
quant lstm l --dynamic
json "[n for n in j['nodes'] if n['op'] == 'recurrent'][0]['method'].startswith('dynamic')"
ops "$work/l.onnx" DynamicQuantizeLSTM=1 MatMulInteger=1
run "$work/l.onnx" "$work/rows.npy" "$work/l.npy"
at_least 28 "$work/lstm.float.npy" "$work/l.npy" "an LSTM in codes"
for net in l lstm; do
    run "$work/$net.onnx" "$work/rows.npy" "$work/want.npy"
    for level in scalar avx2 avxvnni avx512vnni; do
        for threads in 1 2 3; do
            rm -rf "$work/dir"
            PRECIS_CPU=$level expect 0 "$precis" run "$work/$net.onnx" --input "x=$work/rows.npy" --output-dir "$work/dir" --threads $threads
            cmp "$work/want.npy" "$work/dir/y.npy" || failed=1
        done
    done
done
# A GRU is a function of the file, of which precis reads the call; the calls of one form share one function.
while read -r net op; do
    run "$work/$net.onnx" "$work/rows.npy" "$work/want.npy"
    quant "$net" g --dynamic --strict
    ops "$work/g.onnx" $op
    lacks ops DequantizeLinear
    run "$work/g.onnx" "$work/rows.npy" "$work/g.npy"
    at_least 26 "$work/want.npy" "$work/g.npy" "$net in codes"
done <<GRUS
gru_forward DynamicQuantizeGRUForward=2
gru_reverse DynamicQuantizeGRUReverse=2
gru_bidirectional DynamicQuantizeGRUBidirectional=2
gru_forward_linear DynamicQuantizeGRUForwardLinear=2
gru_reverse_linear DynamicQuantizeGRUReverseLinear=2
gru_bidirectional_linear DynamicQuantizeGRUBidirectionalLinear=2
GRUS
expect 0 "$precis" quant "$work/l.onnx" -o "$work/over.onnx"
run "$work/over.onnx" "$work/rows.npy" "$work/over.npy"
cmp "$work/l.npy" "$work/over.npy" || failed=1

# A node that stays in float is listed with its reason; --strict makes it an error.
quant floating f --static --calib "$work/rows.npy"
json "{n['node']: n['reason'] for n in j['nodes'] if n['state'] == 'float'}.keys() == {'soft', 'cos'}"
json "[n for n in j['nodes'] if n['node'] == 'bias'][0]['into'] == 'second'"
run "$work/f.onnx" "$work/rows.npy" "$work/f.npy"
at_least 28 "$work/floating.float.npy" "$work/f.npy" "with floats between"
expect 3 "$precis" quant "$work/floating.onnx" -o "$work/none.onnx" --static --calib "$work/rows.npy" --strict
has err soft

# Sums that 32 bits might not hold stay in float, which is said; codes of 16 bits are decoded, so that nothing is summed in 32.
run "$work/many.onnx" "$work/many.npy" "$work/many.float.npy"
for way in "--static --calib $work/many.npy" --dynamic; do
    quant many m $way --all-int8
    json "{n['node']: n.get('reason') for n in j['nodes']} == {'many': 'its products might not fit into a sum of 32 bits', 'few': None}"
    run "$work/m.onnx" "$work/many.npy" "$work/m.npy"
    at_least 30 "$work/many.float.npy" "$work/m.npy" "a long sum, $way"
    expect 3 "$precis" quant "$work/many.onnx" -o "$work/none.onnx" $way --strict
    has err 'node many .*might not fit into a sum of 32 bits'
done
for type in u16 s16; do
    quant many m --static --calib "$work/many.npy" --activations $type --strict
    run "$work/m.onnx" "$work/many.npy" "$work/m.npy"
    at_least 30 "$work/many.float.npy" "$work/m.npy" "a long sum, $type"
done
quant many m --weight-only --strict
run "$work/m.onnx" "$work/many.npy" "$work/m.npy"
at_least 30 "$work/many.float.npy" "$work/m.npy" "a long sum, weights"

# A bias too large for 32 bits raises its weights' scale.
quant big_bias b --static --calib "$work/planes.npy"
json "[n for n in j['nodes'] if n['node'] == 'c'][0].get('weight_raised')"
run "$work/b.onnx" "$work/planes.npy" "$work/b.npy"
at_least 30 "$work/big_bias.float.npy" "$work/b.npy" "a large bias"

# What a Squeeze without axes drops depends on the batch, so that the file is of a batch of one, which is said.
expect 0 "$precis" quant "$work/drops.onnx" -o "$work/drops.q.onnx" --dynamic
has err 'node drops .Squeeze.: drops dimensions of one.*1 as their first dimension'
expect 0 "$precis" inspect "$work/drops.onnx" --passes
run "$work/drops.onnx" "$work/one.npy" "$work/one.float.npy"
run "$work/drops.q.onnx" "$work/one.npy" "$work/one.q.npy"
at_least 30 "$work/one.float.npy" "$work/one.q.npy" "a batch of one"
expect 2 "$precis" run "$work/drops.q.onnx" --input "x=$work/two.npy" --output-dir "$work/dir"

# What depends on an input's contents: sizes would not help.
expect 3 "$precis" quant "$work/switched.onnx" -o "$work/none.onnx" --dynamic
has err 'node either (If): rate depends on the contents of rate'
lacks err 'open sizes'

# What is refused.
expect 2 "$precis" quant "$work/small.onnx" -o "$work/none.onnx" --static
has err calib
expect 2 "$precis" quant "$work/small.onnx" -o "$work/none.onnx"
expect 2 "$precis" quant "$work/small.onnx" -o "$work/none.onnx" --static --dynamic
expect 2 "$precis" quant "$work/small.onnx" -o "$work/none.onnx" --static --calib "$work/calib.npy" --bpw 4
expect 3 "$precis" quant "$work/small.onnx" -o "$work/none.onnx" --static --calib "$work/nan.npy"
has err NaN
expect 3 "$precis" quant "$work/nan.onnx" -o "$work/none.onnx" --dynamic
has err 'weights w'
expect 3 "$precis" quant "$work/inf_bias.onnx" --static --calib "$work/eights.npy" --no-speed -o "$work/none.onnx"
has err 'node endless.*: bias b holds what is no finite number'
# Matrices of batches have one scale where they are multiplied as codes, since no engine has more there.
for way in "static per_tensor" "weight-only per_channel"; do
    expect 0 "$precis" quant "$work/batches.onnx" "--${way% *}" --calib "$work/batches.npy" --no-speed -o "$work/q.onnx" --json
    json "j['nodes'][0]['method'].endswith('$(echo "${way#* }" | tr _ ' ')')"
    expect 0 "$precis" eval "$work/q.onnx" --against "$work/batches.onnx" --data "$work/batches.npy" --json
    json "j['sqnr_db'] > 32"
done
expect 2 "$precis" quant "$work/small.onnx" -o "$work/none.onnx" --static --calib "$work/wrong.npy"
has err 'input x'
expect 2 "$precis" quant "$work/small.onnx" -o "$work/none.onnx" --static --calib "$work/calib.npy" --observer nothing
expect 3 "$precis" quant "$work/small.onnx" -o "$work/none.onnx" --static --calib "$work/calib.npy" --weights int4
expect 2 "$precis" quant "$model" -o "$work/none.gguf" --static
if [ -e "$work/none.onnx" ] || [ -e "$work/none.gguf" ]; then echo "a refused job wrote a file"; failed=1; fi
echo "$n commands on nets that are written and quantized"
exit $failed
