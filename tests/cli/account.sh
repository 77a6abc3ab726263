#!/bin/sh
# Memory, attestations, overflow proofs, nodes, bad calibration, as people use them. usage: account.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

head -c 9000 "$root/data/eval.txt" >"$work/calib.txt"
quant() { # quant CODE OPTIONS...
    code=$1
    shift
    expect "$code" "$precis" quant "$model" --calib "$work/calib.txt" --no-eval "$@"
}

# the manifest: plan, calibration, fallbacks, no dates
quant 0 --type Q4_0 -o "$work/q4.gguf" -q
cp "$work/q4.gguf.manifest.json" "$work/out"
json "len(j['plan']['sha256']) == 64 and j['plan']['tensors'] == 74 and j['calibration']['text']['tokens'] > 1000 and j['fallbacks'] == []"
json "all(t['tokens'] > 1000 for t in j['tensors'] if 'blk' in t['name'] and t['method'] == 'search') and j['inputs'][0]['option'] == '--calib' and 'created' not in str(j)"

# calibration that is too short, and a budget that nothing meets: the number that would do
: >"$work/empty.txt"
expect 2 "$precis" quant "$model" --type Q4_0 --calib "$work/empty.txt" --no-eval -o "$work/x.gguf"
has err "0 tokens; it needs at least 16"
echo "hello there" >"$work/short.txt"
expect 2 "$precis" quant "$model" --type Q4_0 --method gptq --calib "$work/short.txt" --no-eval -o "$work/x.gguf"
has err "at least 64"
expect 1 "$precis" quant "$model" --max-size 2% --no-eval -o "$work/x.gguf"
has err "least feasible is [0-9]* bytes"
[ -e "$work/x.gguf" ] && { echo "a failed job left an output"; failed=1; }

# memory: planned, kept, the same bytes; refused before work with the number that would do
quant 0 --type UINT4_G64 --method gptq -o "$work/free.precis.gguf" --json
cat >"$work/watch.py" <<'E'
import json, subprocess, sys, time
limit = int(sys.argv[1])
p = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE)
peak = 0
while p.poll() is None:
    try:
        peak = max(peak, 1024 * sum(int(l.split()[1]) for l in open(f"/proc/{p.pid}/status") if l.startswith(("RssAnon", "VmSwap"))))
    except (FileNotFoundError, ProcessLookupError):
        pass
    time.sleep(0.001)
j = json.load(p.stdout)
print(f"memory: predicted {j['memory']['predicted']}, measured {peak}, limit {limit}")
if p.returncode or peak > limit or peak > 1.1 * j["memory"]["predicted"]: sys.exit("above the limit or the prediction")
E
if [ -z "${SANITIZE:-}" ]; then
    python3 "$work/watch.py" 60000000 "$precis" quant "$model" --calib "$work/calib.txt" --no-eval --type UINT4_G64 --method gptq --mem-limit 60M -q --json -o "$work/limited.precis.gguf" || failed=1
    cmp -s "$work/free.precis.gguf" "$work/limited.precis.gguf" || { echo "a memory limit changed the bytes"; failed=1; }
    quant 4 --type UINT4_G64 --method gptq --mem-limit 9M -o "$work/x.precis.gguf"
    has err "nothing was begun. A limit of [0-9]* would do"
    need=$(sed -n 's/.*A limit of \([0-9]*\) would do.*/\1/p' "$work/err")
    quant 0 --type UINT4_G64 --method gptq --mem-limit "$need" -o "$work/x.precis.gguf"
    cmp -s "$work/free.precis.gguf" "$work/x.precis.gguf" || { echo "the limit that was named changed the bytes"; failed=1; }
    rm -f "$work/x.gguf"
    quant 4 --type UINT4_G64 --mem-limit 1M -o "$work/x.precis.gguf"
fi
expect 2 "$precis" quant "$model" --type Q4_0 --mem-limit 50% -o "$work/x.gguf"

# attestations: valid, of a changed file, of a changed statement, of another key
expect 0 "$precis" report --new-key "$work/key"
expect 3 "$precis" report --new-key "$work/key"
expect 0 "$precis" report --new-key "$work/other" -q
expect 0 "$precis" report "$work/q4.gguf.manifest.json" --attest "$work/key"
expect 0 "$precis" report "$work/q4.gguf.attestation.json" --verify "$work/key.pub" --json
json "j['valid'] and j['checked'] == 2 and j['created'].endswith('Z') and len(j['key']) == 64"
if command -v openssl >/dev/null; then
    python3 - "$work" <<'E'
import base64, json, sys
w = sys.argv[1]
e = json.load(open(w + "/q4.gguf.attestation.json"))
body, kind = base64.b64decode(e["payload"]), e["payloadType"].encode()
open(w + "/pae", "wb").write(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body))
open(w + "/sig", "wb").write(base64.b64decode(e["signatures"][0]["sig"]))
E
    openssl pkeyutl -verify -pubin -inkey "$work/key.pub" -rawin -in "$work/pae" -sigfile "$work/sig" >/dev/null || { echo "openssl does not verify the envelope"; failed=1; }
fi
expect 1 "$precis" report "$work/q4.gguf.attestation.json" --verify "$work/other.pub"
sed 's/eyJf/eyJg/' "$work/q4.gguf.attestation.json" >"$work/forged.json"
expect 1 "$precis" report "$work/forged.json" --verify "$work/key.pub"
cp "$work/q4.gguf" "$work/kept"
printf x >>"$work/q4.gguf"
expect 1 "$precis" report "$work/q4.gguf.attestation.json" --verify "$work/key.pub"
has out "not the file that was signed"
expect 3 "$precis" report "$work/q4.gguf.manifest.json" --attest "$work/key"
cp "$work/kept" "$work/q4.gguf"
expect 3 "$precis" report "$work/q4.gguf.manifest.json" --verify "$work/key.pub"
expect 3 "$precis" report "$work/q4.gguf.attestation.json" --verify "$work/key"
expect 2 "$precis" report "$work/q4.gguf.attestation.json"

# accumulators
expect 0 "$precis" inspect "$work/q4.gguf" --overflow --json
json "j['overflows'] == 0 and j['proved'] > 400 and all(0 < a['bound'] <= a['limit'] for a in j['accumulators'])"
expect 0 "$precis" inspect "$model" --overflow
has out "multiplied as floats"

# nodes: a model against itself is exact; against its original less so, and less with fewer bits
expect 0 "$precis" profile "$work/q4.gguf" --nodes --against "$work/q4.gguf" --calib "$work/calib.txt" --json
json "len(j['nodes']) > 100 and all(n['cosine'] > 0.999999 and n['sqnr_db'] is None for n in j['nodes'])"
expect 0 "$precis" profile "$work/q4.gguf" --nodes --against "$model" --calib "$work/calib.txt" --json
json "15 < min(n['sqnr_db'] for n in j['nodes'] if n['op'] == 'matmul') < 40 and all(n['kurtosis'] > 0 for n in j['nodes'])"
quant 0 --type Q2_K -o "$work/q2.gguf" -q
cp "$work/out" "$work/first"
expect 0 "$precis" profile "$work/q2.gguf" --nodes --against "$model" --calib "$work/calib.txt" --json
json "min(n['sqnr_db'] for n in j['nodes'] if n['op'] == 'matmul') < 15"

# KV types by layer: probed, planned under a target of memory, written into the model, and run
expect 0 "$precis" profile "$model" --calib "$work/calib.txt" --tokens 600 -o "$work/profile.json" --json
json "sum('.cache_' in p['name'] for p in j['probes']) == 32 and 0 < j['estimate']['rank_correlation'] <= 1"
json "all(a['kld'] <= b['kld'] for a, b in zip([p for p in j['probes'] if p['type'] == 'int8'], [p for p in j['probes'] if p['type'] == 'int4']))"
# what a method of the whole model gains is measured on whole plans, kept, and counted on; unmeasured, the plan says so
expect 0 "$precis" plan "$model" --profile "$work/profile.json" --calib "$work/calib.txt" --max-size 30% --method gptq --json
json "j['gains'] == 0"
has err "what gptq gains was not measured"
search=$(python3 -c "import json; print(json.load(open('$work/out'))['kld'])")
expect 0 "$precis" profile "$model" --calib "$work/calib.txt" --tokens 600 -o "$work/profile.json" --method gptq --json
json "len(j['gains']) == 3 and all(g['method'] == 'gptq' and 0 < g['kld'] and 0 < g['search'] for g in j['gains']) and j['gains'][1]['kld'] > j['gains'][0]['kld'] > j['gains'][2]['kld']"
gains=$(python3 -c "import json; g = json.load(open('$work/out'))['gains']; r = [x['kld'] / x['search'] for x in g]; p = [1 + (a - 1) / x['share'] for a, x in zip(r, g)]; print(min(r + p), max(r + p))")
expect 0 "$precis" plan "$model" --profile "$work/profile.json" --calib "$work/calib.txt" --max-size 30% --method gptq --json
json "j['gains'] == 3 and $search * min(${gains% *}, 1) <= j['kld'] <= $search * max(${gains#* }, 1) and j['kld'] != $search and j['kld_interval'][0] < j['kld'] < j['kld_interval'][1]"
head -c 500 "$work/calib.txt" >"$work/brief.txt"
expect 2 "$precis" profile "$model" --calib "$work/brief.txt" -o "$work/brief.json" --method gptq
has err "two fifths of the calibration text"
expect 0 "$precis" plan "$model" --profile "$work/profile.json" --calib "$work/calib.txt" --target-ram 7000000 --ctx 256 -t 2 -o "$work/tight.json" --json
json "j['ram'] <= 7000000 and 'int4' in j['kv'] and len(j['kv'].replace(';', ',').split(',')) == 16"
expect 0 "$precis" plan "$model" --profile "$work/profile.json" --calib "$work/calib.txt" --target-ram 7000000 --ctx 256 -t 2 --kv int8 --json
json "j['ram'] <= 7000000 and j['kv'] == 'int8'"
# more threads take a bounded part of it, which the plan says
for t in 16 64; do
    expect 0 "$precis" plan "$model" --profile "$work/profile.json" --calib "$work/calib.txt" --target-ram 7000000 --ctx 256 -t $t --json
    json "j['ram'] <= 7000000 and 1 <= j['threads'] <= $t and j['threads'] * j['thread_bytes'] <= 7000000 / 8 + j['thread_bytes']"
done
expect 1 "$precis" plan "$model" --profile "$work/profile.json" --calib "$work/calib.txt" --target-ram 3M --ctx 256
expect 0 "$precis" quant "$model" --plan "$work/tight.json" --no-eval --no-calib -o "$work/tight.gguf" -q
expect 0 "$precis" inspect "$work/tight.gguf" --keys
has out "precis.kv .*int4"
expect 0 "$precis" eval "$work/tight.gguf" --ids 3,4,5,6,7 --json
cp "$work/out" "$work/first"
expect 0 "$precis" eval "$work/tight.gguf" --ids 3,4,5,6,7 --json --cache-k f32 --cache-v f32
cmp -s "$work/first" "$work/out" && { echo "the model's KV types were not used"; failed=1; }
expect 0 "$precis" eval "$model" --ids 3,4,5,6 --cache-k int8,f16,f16,f16,f16,f16,f16,int4 --cache-v f16
expect 2 "$precis" eval "$model" --ids 3,4,5,6 --cache-k int8,f16
has err "2 KV types for 8 layers"
sed 's/"k": "[a-z0-9,]*"/"k": "int4,int9"/' "$work/tight.json" >"$work/bad.json"
expect 3 "$precis" quant "$model" --plan "$work/bad.json" --no-eval -o "$work/x.gguf"
has err "kv.k"

echo "$n commands"
exit $failed
