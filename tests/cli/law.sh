#!/bin/sh
# precis law as a user types it: figures of reference/laws.md where shared/data is there, interface facts, bad input, mpirun.
. "$(dirname "$0")/../common.sh"
data=$root/../shared/data
law() { expect 0 "$precis" law "$@" -q --json; }
near() { # near EXPRESSION VALUE RELATIVE
    json "abs(($1) - ($2)) <= ($3) * abs($2)"
}

# ---- without data
law list
json 'len(j["laws"]) >= 15 and all(p["standing"] for l in j["laws"] for p in l["params"])'
json '{"chinchilla", "kumar", "kumar-unified", "sun", "ouyang", "chen", "dremov", "frantar", "quest", "quartet", "sardana"} <= {l["name"] for l in j["laws"]}'
law list kumar
json 'j["predicts"] and j["domain"]["N"] == [3e7, 1.7e9] and any(p["name"] == "b" and p["standing"] == "unverified" for p in j["params"])'
law predict --law kumar --N 1e9 --D 1e11 --bits-w 4 --bits-a 8 --bits-kv 8
json 'abs(j["n_eff"] / 1e9 - 0.696358228 * 0.890560341 * 0.997352063) < 1e-8 and j["interval_kind"] == "spread_of_laws" and j["interval"][0] <= j["loss"] <= j["interval"][1] and j["outside"]'
law predict --law kumar --N 1e9 --D 1e10 --bits-post 4
json 'j["ptq"] > 0 and abs(j["loss"] - j["base"] - j["ptq"]) < 1e-12'
law predict --law dremov --N 1e9 --D 1e11 --bits-w 4 --show qat_fraction
json '0 < j["value"] < 1'
law predict --law chen:W4A16 --N 595e6 --D 100B --block 128 --base chinchilla
json 'abs(j["added"] - 0.020996363397519563) < 1e-12 and 0.5 < j["eff"] < 1'
law predict --law frantar --N 1e9 --D 1e11 --bits-w 4 --base chinchilla
json 'abs(j["eff"] - 0.747) < 1e-12 and j["added"] > 0'
law optimal --law kumar --compute 1e21 --continuous
json 'abs(j["bits"] - 7.002109) < 1e-5 and abs(j["N"] / 5343347406 - 1) < 1e-5 and abs(j["loss"] - 2.91246235) < 1e-7'
law optimal --law kumar:averaged --compute 1e21 --continuous
json 'abs(j["bits"] - 7.641) < 1e-3'
law optimal --law quest --compute 1e21
json 'j["bits"] == 4 and {f["format"] for f in j["formats"]} == {"bf16", "fp8", "int8", "fp4", "int4"}'
law optimal --law kumar --memory 1G --D 1e11 --compute 1e22
json 'all(f["bytes"] <= 1e9 * 1.000001 for f in j["formats"])'
printf 'bf16 16 1\nint8 8 0.4 # measured\nint4 4 0.35\n' >"$work/formats"
law optimal --law kumar --compute 1e21 --formats "$work/formats"
json 'j["format"] == "int8" and len(j["formats"]) == 3'
law optimal --law kumar --compute 1e21 --continuous --formats "$work/formats"
json 'j["bits"] == 8 or 4 < j["bits"] < 16'
law optimal --law kumar --post --compute 1e22 --memory 4G --tokens-inference 1T
json 'all(f["bytes"] <= 4e9 * 1.000001 for f in j["formats"])'
for set in "" :hoffmann-rounded :epoch; do law optimal --law sardana$set --loss 1.9366 --tokens-inference 1e13; done
law critical --law kumar --N 8e9 --bits 4
json 'abs(j["D"] / 600872133452.8446 - 1) < 1e-9 and "2510.06213" in j["caveat"]'
law critical --law kumar --N 8e9 --bits 4 --degradation 0.05
json '0 < j["D"] < 1e13'
law isoloss --law chinchilla --loss 2.1
json 'len(j["points"]) > 10 and any(p["D"] is None for p in j["points"])'
expect 1 "$precis" law isoloss --law chinchilla --loss 1.6 # E is 1.69: a table of nothing is no answer
has err "below what the law reaches"
law isocost --law kumar --compute 1e21 --bits 8
json 'len(j["points"]) > 10'
law compare --N 1e9 --D 1e11 --bits 4
json '{"kumar", "quest", "quartet"} <= {l["law"] for l in j["laws"]}'
law advise --N 1e9 --D 1e11 --gpu-flops 1e15 --utilization 0.4 --gpu-hour-price 2 --gpu-power 1000 --co2 0.4
json 'abs(j["cost"]["gpu_hours"] - 6e20 / 4e14 / 3600) < 1e-6 and j["cost"]["co2_kg"] > 0 and j["training_bits_spread"][0] <= 4 and j["training_bits_spread"][1] >= 7'
json 'len(j["smaller_or_larger"]["laws"]) >= 4 and len(j["data_or_bits"]["laws"]) >= 3 and len(j["after"]) == 3'
law --N 1e9 --D 1e11
json '"money" not in j["cost"] and "gpu_hours" not in j["cost"]'
printf 'Q8_0 8.5 0.001\nQ6_K 6.6 0.003\nQ4_K 4.5 0.03\nQ3_K 3.4 0.12\nQ2_K 2.6 0.5\n' >"$work/types"
law predict --law kumar --N 1.35e8 --D 2e12 --bits-post 4.5 --method-table "$work/types"
json 'abs(j["ptq"] - j["method"]["factor"] * 2.718281828459045 ** (-4.5 / j["method"]["g_post"])) < 1e-9 and 0.5 < j["method"]["g_post"] < 2'
law critical --law kumar --N 1.35e8 --D 2e12 --bits 4.5 --method-table "$work/types"
expect 0 "$precis" law plot --law kumar -o "$work/page.html" --svg "$work"
has out "critical.svg"
grep -q '<svg' "$work/page.html" && ! grep -q 'http[s]*://[^w]' "$work/page.html" || { echo "the page needs something else"; failed=1; }
python3 -c "import sys, xml.dom.minidom as m; [m.parse(p) for p in sys.argv[1:]]" "$work"/*.svg || { echo "the SVG is no XML"; failed=1; }
expect 0 "$precis" law plot --law sun
has out "parameters N"
for l in $("$precis" law list --json | python3 -c 'import json,sys; print(*[l["name"] for l in json.load(sys.stdin)["laws"]])'); do
    expect 0 "$precis" law list "$l"
    grep -q "\`$l\`" "$root/docs/laws.md" || { echo "docs/laws.md does not explain $l"; failed=1; }
done
for verb in fit predict optimal critical isoloss isocost compare advise plot list; do
    expect 0 "$precis" law $verb --help
    has out "usage: precis law $verb"
done

# ---- a law of one's own, and its errors
cat >"$work/own.law" <<'LAW'
law own
param A = 400 positive start 0 5 10
param alpha = 0.34 start 0.3
param E = 1.7 positive start 0
let base = A / N^alpha + E
LAW
law predict --law "$work/own.law" --N 1e9 --D 1
json 'abs(j["loss"] - (400 / 1e9 ** 0.34 + 1.7)) < 1e-12'
printf 'law x\nlet base = 1 +\n' >"$work/bad.law"
expect 3 "$precis" law predict --law "$work/bad.law" --N 1 --D 1
has err "line 2, column"
expect 2 "$precis" law predict --law nothing --N 1 --D 1
expect 2 "$precis" law predict --law kumar:nothing --N 1 --D 1
expect 2 "$precis" law predict --law kumar --N 1e9
has err "needs --D"
expect 2 "$precis" law predict --law kumar-unified --N 1e9 --D 1e10 --bits 8
has err "C_w, C_a, C_kv"
expect 2 "$precis" law predict --law chen --N 1e9 --D 1e10 --block 128
has err "A, B, E"
expect 2 "$precis" law predict --law quest --N 1e9 --D 1e10 --bits 5
has err "it knows bits_w 1"
expect 2 "$precis" law predict --law kumar --N 1e9 --D 1e10 --bits 2
expect 2 "$precis" law predict --law kumar --N -3 --D 1e10
expect 2 "$precis" law optimal --law kumar
expect 1 "$precis" law optimal --law kumar --loss 1
expect 1 "$precis" law critical --law chinchilla --N 1e9
expect 2 "$precis" law nothing
expect 2 "$precis" law advise
expect 3 "$precis" law fit "$work/nowhere.csv"
printf 'N,D,loss\n1e8,2e9,three\n' >"$work/t.csv"
expect 3 "$precis" law fit "$work/t.csv"
has err "row 2, column 3 (loss)"
expect 4 sh -c "'$precis' law list >/dev/full"
expect 2 "$precis" law plot --law kumar -o /dev/full
has err "no regular file"
expect 3 "$precis" law plot --law kumar -o "$work/none/page.html"
[ -c /dev/full ] || { echo "/dev/full is gone"; failed=1; }

# ---- with data
if [ -d "$data/epoch_chinchilla" ]; then
    epoch=$data/epoch_chinchilla/svg_extracted_data.csv
    law fit "$epoch" --form chinchilla --drop-highest 5 --bootstrap 400 --seed 42
    cp "$work/out" "$work/one.json"
    near 'j["objective"]' 0.001018274017801 1e-12
    near 'j["params"]["A"]' 477.8259 1e-6 && near 'j["params"]["B"]' 2143.4174 1e-6 && near 'j["params"]["E"]' 1.817218 1e-6 && near 'j["params"]["alpha"]' .347310 3e-6 && near 'j["params"]["beta"]' .367172 3e-6
    json 'j["n"] == 240 and j["starts"] == 4500 and j["starts_at_optimum"] >= 2 and set(j["se"]) == set(j["params"]) == set(j["ci95"])'
    near 'j["se"]["A"]' 124.48 0.15 && near 'j["se"]["E"]' 0.02565 0.15 && near 'j["se"]["alpha"]' 0.0154 0.15 && near 'j["se"]["beta"]' 0.02059 0.15
    json 'j["correlation"]["A"]["alpha"] > 0.998 and j["correlation"]["B"]["beta"] > 0.999'
    law fit "$epoch" --form chinchilla
    near 'j["objective"]' 0.001826010523 1e-9 && near 'j["params"]["beta"]' .453049 1e-5 && near 'j["params"]["B"]' 12845.61 1e-5
    law fit "$epoch" --form chinchilla --drop-highest 5 --objective huber-scale
    near 'j["objective"]' -879.7731390602 1e-12 && near 'j["params"]["A"]' 482.0057 1e-6 && near 'j["params"]["B"]' 2085.4342 1e-6 && near 'j["params"]["beta"]' .365854 3e-6 && near 'j["scale"]' 4.70623e-06 1e-4
    law fit "$epoch" --drop-highest 5 --starts projection --profile --holdout -o "$work/fit.json"
    json 'j["profile_interval"]["E"][0] < 1.8172 < j["profile_interval"]["E"][1] and {h["name"] for h in j["holdouts"]} >= {"largest N", "largest D/N", "N 8x larger", "5-fold by run"}'
    law fit "$epoch" --drop-highest 5 --starts projection --bootstrap 100 -o "$work/fit.json"
    law predict --law "$work/fit.json" --N 1e9 --D 2e10
    json 'j["interval_kind"] == "bootstrap" and j["interval"][0] < j["loss"] < j["interval"][1]'
    expect 0 "$precis" law plot "$epoch" --drop-highest 5 -q -o "$work/fit.html"
    for f in "quest 1.12601e-4" "quest-tied 1.72727e-4" "eff-offset 5.15e-4" "eff-cubed 3.668e-4" "eff-exp 11.3e-4"; do
        law fit "$data/quest/quest_runs.csv" --form "${f% *}" --where 'w_quant=HadamardTrustQuantizer|HalfHadamardTrustQuantizer|NoQuantizer|HadamardClipQuantizer' --where 'a_quant=@w_quant'
        json 'j["n"] == 54'
        near 'j["objective"]' "${f#* }" 1e-3
    done
    law compare "$data/quest/quest_runs.csv" --laws quest,eff-offset,eff-cubed,eff-exp --where 'w_quant=HadamardTrustQuantizer|HalfHadamardTrustQuantizer|NoQuantizer|HadamardClipQuantizer' --where 'a_quant=@w_quant'
    json '[f["form"] for f in j["forms"]] == ["quest", "eff-cubed", "eff-offset", "eff-exp"]'
    law fit "$data/mlfoundations_scaling/openlm_grid.csv" --where train_dataset=c4_original --column 'loss=loss:openlm/shard_00000000.tar'
    near 'j["params"]["A"]' 497.9 3e-4 && near 'j["params"]["beta"]' .3342 3e-4
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    if [ -n "${SANITIZE:-}" ]; then echo "skipped: mpirun (its libraries do not run under a sanitizer)"
    elif ! mpirun --oversubscribe -n 2 true >"$work/why" 2>&1; then echo "skipped: mpirun, which does not start anything here: $(head -1 "$work/why")"
    else
        expect 0 mpirun --oversubscribe -n 3 "$precis" law fit "$epoch" --form chinchilla --drop-highest 5 --bootstrap 400 --seed 42 -q --json -t 1
        cmp -s "$work/out" "$work/one.json" || { echo "three processes give other bytes than one"; failed=1; }
    fi
    for level in scalar avx2; do
        expect 0 env PRECIS_CPU=$level "$precis" law fit "$epoch" --form chinchilla --drop-highest 5 --bootstrap 400 --seed 42 -q --json -t 1
        cmp -s "$work/out" "$work/one.json" || { echo "$level gives other bytes"; failed=1; }
    done
else
    echo "skipped: fits of shared/data"
fi
if [ -e "$root/../shared/reference/test_vectors.json" ]; then
    python3 "$root/tests/law/vectors.py" "$precis" "$root/../shared/reference/test_vectors.json" || failed=1
else echo "skipped: test_vectors.json"; fi
echo "$n commands"
exit $failed
