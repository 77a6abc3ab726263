#!/bin/sh
# Infinity and NaN are no JSON: they are refused by key and value, as are numbers beyond a double and those that other writers put in their place.
. "$(dirname "$0")/../common.sh"

cd "$work" || exit 1
set_value() { # set_value KEY TEXT: m/config.json with a value as it is spelled
    rm -rf m
    mkdir m
    for f in "$model"/*; do ln -s "$f" m/; done
    rm m/config.json
    python3 - "$model/config.json" "$1" "$2" >m/config.json <<'P'
import json, sys
j = json.load(open(sys.argv[1]))
j[sys.argv[2]] = "VALUE"
print(json.dumps(j, indent=1).replace('"VALUE"', sys.argv[3]))
P
}
for word in Infinity -Infinity NaN -NaN inf None undefined; do
    set_value rope_theta "$word"
    expect 3 "$precis" inspect m
    has err "config.json.*\"rope_theta\": $word is no JSON value"
done
set_value head_extra '[1, Infinity]' # a key that nobody reads
expect 3 "$precis" inspect m
has err "\"head_extra\": Infinity is no JSON value"
set_value rms_norm_eps 1e999
expect 3 "$precis" inspect m
has err "rms_norm_eps.*1e999"
set_value rope_theta 1e39
expect 3 "$precis" inspect m
has err "rope.*"
set_value rope_theta '{"__float__": "Infinity"}'
expect 3 "$precis" inspect m
has err "\"rope_theta\" is Infinity"
set_value rope_theta '"Infinity"'
expect 3 "$precis" inspect m
has err "\"rope_theta\" is Infinity"
echo '{"precis": "costs", "version": 1, "cpu": "x", "threads": 1, "overhead": NaN, "rows": []}' >costs.json
expect 3 "$precis" plan "$model" --bpw 5 --cost-table costs.json
has err "\"overhead\": NaN is no JSON value"
echo '{"precis": "manifest", "version": 1, "seed": Infinity}' >m.json
expect 3 "$precis" quant --replay m.json -o q.gguf
has err "m.json: line 1"

echo "$n commands"
exit $failed
