#!/bin/sh
# What belongs to speed: packed files, kernels, cost tables, speed budgets, prompt lookup. Figures of speed are not tested.
. "$(dirname "$0")/../common.sh"
m=$model
fail() {
    echo "$*"
    failed=1
}
q() { expect 0 "$precis" "$@" -q; }

# ---- packed files: the same numbers, the same text, the same bytes back
q quant "$m" --type Q4_K_M --no-calib --no-eval -o "$work/q.gguf"
q quant "$m" --type Q4_K_M --no-calib --no-eval --format packed -o "$work/p.packed.gguf"
q convert "$work/q.gguf" --format packed -o "$work/p2.packed.gguf"
q convert "$work/p.packed.gguf" -o "$work/back.gguf"
cmp -s "$work/q.gguf" "$work/back.gguf" || fail "a packed file does not give back its rows"
q quant "$m" --replay "$work/p.packed.gguf.manifest.json" -o "$work/p3.packed.gguf"
cmp -s "$work/p.packed.gguf" "$work/p3.packed.gguf" || fail "a packed file is not made again"
ids() { python3 -c "import json; print(json.load(open('$work/out'))['ids'])"; }
text() { q run "$@" -p "It was the best of" -n 24 --temp 0 --json; ids >"$work/$name"; }
for pack in off load background; do name=q-$pack text "$work/q.gguf" --pack $pack; done
name=p-off text "$work/p.packed.gguf" --pack off
name=p2-load text "$work/p2.packed.gguf" --pack load --threads 1
name=p-scalar; PRECIS_CPU=scalar text "$work/p.packed.gguf"
name=p-avx2; PRECIS_CPU=avx2 text "$work/p.packed.gguf"
for f in q-load q-background p-off p2-load p-scalar p-avx2; do cmp -s "$work/q-off" "$work/$f" || fail "$f: another text than the rows'"; done
q run "$work/p.packed.gguf" --weights-only -p "It was" -n 8 --temp 0
# TQ1_0 has other bytes in panels
q quant "$m" --type TQ1_0 --no-calib --no-eval -o "$work/t.gguf"
q convert "$work/t.gguf" --format packed -o "$work/tp.packed.gguf"
q convert "$work/tp.packed.gguf" -o "$work/back.gguf"
cmp -s "$work/t.gguf" "$work/back.gguf" || fail "a packed file of TQ1_0 does not give back its rows"
name=t-off text "$work/t.gguf" --pack off
name=t-packed text "$work/tp.packed.gguf"
name=t-avx2; PRECIS_CPU=avx2 text "$work/tp.packed.gguf"
name=t-scalar; PRECIS_CPU=scalar text "$work/tp.packed.gguf"
for f in t-packed t-avx2 t-scalar; do cmp -s "$work/t-off" "$work/$f" || fail "$f: another text than the rows'"; done
q eval "$work/p.packed.gguf" --against "$work/q.gguf" --chunks 2 --json
json 'abs(j["kld_mean"]) < 1e-12'
q inspect "$work/p.packed.gguf" --json
python3 - "$work/p2.packed.gguf" "$work/p4.packed.gguf" <<'END'
import struct, sys
data, key = open(sys.argv[1], "rb").read(), b"precis.panels.layout"
at = data.index(key) + len(key) + 4
open(sys.argv[2], "wb").write(data[:at] + struct.pack("<I", 1) + data[at + 4:])
END
expect 3 "$precis" run "$work/p4.packed.gguf" -p x -q
grep -q "precis.panels.layout: packed by another version" "$work/err" || fail "an older layout: $(cat "$work/err")"
expect 2 "$precis" run "$work/q.gguf" -p x --pack soon -q
grep -q "none of off, load, background and cache" "$work/err" || fail "--pack soon: $(cat "$work/err")"
XDG_CACHE_HOME=$work/cache name=c-1 text "$work/q.gguf" --pack cache
ls "$work"/cache/precis/packed/*.gguf >/dev/null || fail "nothing in the cache folder"
XDG_CACHE_HOME=$work/cache name=c-2 text "$work/q.gguf" --pack cache
XDG_CACHE_HOME=$work/none name=c-3 text "$m" --pack cache
for f in c-1 c-2; do cmp -s "$work/q-off" "$work/$f" || fail "$f: another text than the rows'"; done
[ "$(ls "$work/cache/precis/packed" | wc -l)" = 1 ] || fail "packed twice"
expect 2 "$precis" quant "$m" --type Q4_0 --format zip -o "$work/z" -q

# ---- prompt lookup: the same text
printf 'one two three four one two three four one two three' >"$work/again"
for t in 0 0.9; do
    q run "$work/q.gguf" -f "$work/again" -n 160 --temp $t --json
    json 'j["lookup"]["calls"] > 0 and (j["lookup"]["drafted"] > 0 or '$t') and j["lookup"]["accepted"] <= j["lookup"]["drafted"]'
    ids >"$work/with"
    q run "$work/q.gguf" -f "$work/again" -n 160 --temp $t --json --no-lookup
    json 'j["lookup"]["calls"] == 0'
    ids >"$work/without"
    cmp -s "$work/with" "$work/without" || fail "--temp $t: lookup changes the text"
done

# ---- bench
q bench "$work/q.gguf" --prompt 16 --gen 8 --sequences 8 --json
json 'j["decode_tok_s"] > 0 and j["limit"]["decode_tok_s"] > 0 and [t["threads"] for t in j["scaling"]["threads"]] == [2, 4, 8, 16] and all(0 < t["strips"] <= 1 and t["share"] <= t["strips"] for t in j["scaling"]["threads"]) and j["scaling"]["barriers"] > 8 and j["kv_bytes"] == (20.5 + 7 * 4.5) / 8 * 8 * 128 * 2 * 2' # keys of a token's own context, the first sequence behind the prompt; 8 layers, 128 numbers, f16
mkdir -p "$work/powercap/intel-rapl:0"
echo 1000000 >"$work/powercap/intel-rapl:0/energy_uj"
PRECIS_POWERCAP=$work/powercap q bench "$work/q.gguf" --prompt 16 --gen 8 --energy --json
json 'j["energy"] == {"prefill_j": 0, "decode_j": 0}' # a counter that stands still
PRECIS_POWERCAP=$work/none q bench "$work/q.gguf" --prompt 16 --gen 8 --energy --json
json 'j["energy"] is None'
PRECIS_POWERCAP=$work/none q bench "$work/q.gguf" --prompt 16 --gen 8 --energy
has err "RAPL"
q bench --kernels --json
json 'len(j["kernels"]) > 25 and all(k["memory_bytes_s"] > 0 and k["limit"]["memory_bytes_s"] > 0 and k["isa"] for k in j["kernels"]) and {"Q4_0", "Q4_K", "Q8_0", "F16"} <= {k["type"] for k in j["kernels"] if k["kernel"] == "mv"} or j["cpu"] == "scalar"'
expect 2 "$precis" bench -q
expect 2 "$precis" bench "$m" --kernels -q
q bench "$m" --cost-table "$work/costs.json" --json
json 'j["rows"] > 20 and j["overhead"] >= 0 and j["read_bytes_s"] > 0'

# ---- speed as a budget; by a table whose seconds are bits, since one that is measured beside other tests may know no faster types
python3 -c "
import json, re
j = json.load(open('$work/costs.json'))
j['overhead'] = 0
for r in j['rows']:
    r['seconds'] = r['rows'] * r['width'] * int(re.search(r'[0-9]+', r['type'])[0]) * 1e-12
json.dump(j, open('$work/costs.json', 'w'))"
plan() { q plan "$m" --no-profile --calib "$work/again2" --cost-table "$work/costs.json" --json "$@"; }
python3 -c "print('The quick brown fox jumps over the lazy dog. ' * 40)" >"$work/again2"
plan --max-size 100%
json 'j["decode_tok_s"] > 0 and j["read_bytes_s"] > 0 and all(t["level"] for t in j["tensors"] if t["name"].endswith("attn_q.weight"))'
slow=$(python3 -c "import json; print(json.load(open('$work/out'))['decode_tok_s'])")
plan --min-speed "$(python3 -c "print($slow * 1.1)")"
json 'j["decode_tok_s"] >= '"$slow"' * 1.0999'
plan --min-speed "$(python3 -c "print($slow * 1.05)")" --max-size 40%
json 'j["decode_tok_s"] >= '"$slow"' * 1.0499 and j["bytes"] <= 0.4 * '"$(python3 -c "import os; p='$m'; print(os.path.getsize(p) if os.path.isfile(p) else sum(os.path.getsize(os.path.join(p, f)) for f in os.listdir(p)))")"
expect 1 "$precis" plan "$m" --no-profile --calib "$work/again2" --cost-table "$work/costs.json" --min-speed 1e8 -q
grep -q "the fastest types give" "$work/err" || fail "no speed that would do: $(cat "$work/err")"
expect 2 "$precis" plan "$m" --no-profile --calib "$work/again2" --min-speed 10 -q
grep -q "cost-table" "$work/err" || fail "$(cat "$work/err")"
printf '{"precis": "costs", "version": 1, "cpu": "x", "threads": 1, "rows": [{"type": "Q4_0", "rows": -1}]}' >"$work/bad.json"
expect 3 "$precis" plan "$m" --no-profile --calib "$work/again2" --cost-table "$work/bad.json" --max-size 50% -q
grep -q "rows\[\].rows" "$work/err" || fail "no path: $(cat "$work/err")"
q quant "$m" --type Q4_0 --dry-run --no-calib
grep -q "a generated token reads" "$work/out" || fail "a dry run does not say what will be read"
q quant "$m" --type IQ2_S --dry-run --no-calib
echo "$n commands"
exit $failed
