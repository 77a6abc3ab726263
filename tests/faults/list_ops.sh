#!/bin/sh
# precis list ops says of each op whether training can go through it, or why not; names stay names in the JSON.
# usage: list_ops.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

expect 0 "$precis" list ops
has out '^matmul *differentiable$'
has out '^kv_append *not differentiable: it writes to a cache$'
has out '^fake_quant *differentiable, straight through'
rows=$(cat "$root/src/graph/ops.def" "$root/src/graph/op/unary.def" "$root/src/graph/op/binary.def" |
    grep -c '^\(OP\|UNARY[A-Z_0-9]*\|BINARY[A-Z_]*\|COMPARE\)(')
if [ "$(wc -l <"$work/out")" != "$rows" ]; then
    echo "not one line for each of $rows rows of ops.def and of the tables that it includes"
    failed=1
fi
if grep -v differentiable "$work/out"; then
    echo "an op that does not say it"
    failed=1
fi
expect 0 "$precis" list ops --json
json '"matmul" in j["ops"] and len(j["rows"]) == len(j["ops"])'
expect 0 "$precis" list formats --json
json '"rows" not in j'
exit $failed
