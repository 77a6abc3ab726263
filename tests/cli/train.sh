#!/bin/sh
# precis train: 60 steps; the same bytes for 1, 2 and 3 threads, and after kills at any moment; a NaN is named and the
# checkpoint stays; refusals. usage: train.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
cd "$work" || exit 1
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME

cat >config.json <<'E2'
{"model": {"arch": "llama", "width": 32, "layers": 2, "heads": 4, "kv_heads": 2, "hidden": 64, "vocabulary": 64},
 "data": {"language": {"seed": 7}, "context": 32, "batch": 4, "heldout_tokens": 1024}, "steps": 60, "checkpoint": 10,
 "optimizer": {"name": "adamw", "lr": 1e-2, "betas": [0.9, 0.95], "decay": 0.1, "clip": 1},
 "schedule": {"name": "cosine", "warmup": 6, "final": 0.1}, "compute": "f32", "seed": 1}
E2
expect 0 "$precis" train config.json -o whole.gguf --json
python3 - <<'E2' || failed=1
import json
lines = [json.loads(l) for l in open("out")]
steps, end = lines[:60], lines[60]
assert [s["step"] for s in steps] == list(range(1, 61)) and {"loss", "lr", "tokens_s", "share"} <= set(steps[0])
assert steps[0]["loss"] > 4 and end["heldout"] < 3.6 and 2 < end["entropy"] < end["heldout"] and end["steps"] == 60, end
open("sha", "w").write(end["sha256"])
E2
[ "$(sha256sum whole.gguf | cut -d' ' -f1)" = "$(cat sha)" ] || { echo "the digest is not the file's"; failed=1; }
expect 0 "$precis" inspect whole.gguf
for threads in 1 2 3; do
    expect 0 "$precis" train config.json -o threads.gguf --threads $threads
    cmp -s threads.gguf whole.gguf || { echo "other bytes with $threads threads"; failed=1; }
done

# Muon steps the layers' matrices, AdamW the rest: the same bytes for any number of threads; no worse than AdamW in as
# many steps. A rate for the rest is refused where nothing is left to another.
sed 's/"name": "adamw", "lr": 1e-2/"name": "muon", "lr": 2e-2, "others_lr": 1e-2/' config.json >muon.json
expect 0 "$precis" train muon.json -o muon.gguf --json
python3 -c 'import json; w = json.loads(open("out").read().splitlines()[-1])["heldout"]; assert w < 3.5, w' || failed=1
expect 0 "$precis" train muon.json -o threads.gguf --threads 3
cmp -s threads.gguf muon.gguf || { echo "other bytes of muon with 3 threads"; failed=1; }
expect 0 "$precis" train config.json -o threads.gguf --threads 3
sed 's/"clip": 1/"clip": 1, "others_lr": 0.1/' config.json >others.json
expect 3 "$precis" train others.json -o no.gguf
has err 'optimizer.others_lr: adamw steps all tensors itself'
sed 's/"adamw"/"adamww"/' config.json >name.json
expect 3 "$precis" train name.json -o no.gguf
has err 'optimizer.name: is no optimizer'

# Killed after each of some moments, the run goes on from a whole checkpoint and ends at the same bytes.
sed 's/"steps": 60/"steps": 200/; s/"checkpoint": 10/"checkpoint": 7/' config.json >long.json
expect 0 "$precis" train long.json -o long.gguf
for moment in 0.05 0.15 0.2 0.3; do
    timeout -s KILL $moment "$precis" train long.json -o killed.gguf --resume >/dev/null 2>&1
    [ ! -e killed.gguf ] || expect 0 "$precis" inspect killed.gguf
done
expect 0 "$precis" train long.json -o killed.gguf --resume --threads 1
cmp -s long.gguf killed.gguf || { echo "other bytes after kills"; failed=1; }
expect 0 "$precis" train long.json -o killed.gguf --resume
cmp -s long.gguf killed.gguf || { echo "a run that is done changed its checkpoint"; failed=1; }

# Interrupted, it stops behind a checkpoint of its last step, and goes on from there.
sed 's/"steps": 60/"steps": 100000/; s/"checkpoint": 10/"checkpoint": 100000/' config.json >endless.json
"$precis" train endless.json -o endless.gguf >/dev/null 2>"$work/err" &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; [ ! -e endless.gguf ] || break; kill -INT $pid; done
wait $pid
got=$?
[ $got = 130 ] || { echo "exit $got, not 130, of a run that was interrupted"; failed=1; }
has err 'stopped behind step [0-9]*; endless.gguf has it: go on with --resume'
expect 0 "$precis" inspect endless.gguf

# A NaN in one weight: named with its step; the checkpoint stays.
sed 's/"steps": 60/"steps": 61/' config.json >more.json
python3 - <<'E2'
import struct
b = bytearray(open("threads.gguf", "rb").read())
asked = b.find(b'"steps": 60')
b[asked:asked + 11] = b'"steps": 61' # the run of more.json
name = b"blk.1.ffn_up.weight"
at = b.find(name) + len(name)
dims = struct.unpack_from("<I", b, at)[0]
offset = struct.unpack_from("<Q", b, at + 4 + 8 * dims + 4)[0]
first = b"token_embd.weight"
# Data begin at the first multiple of 32 behind the header, whose end the last tensor's entry is.
last = b"precis.train:blk.1.ffn_down.weight"
end = b.find(last) + len(last)
end += 4 + 8 * struct.unpack_from("<I", b, end)[0] + 4 + 8
data = (end + 31) // 32 * 32
struct.pack_into("<f", b, data + offset + 4 * 5, float("nan"))
open("nan.gguf", "wb").write(b)
E2
cp nan.gguf before.gguf
expect 3 "$precis" train more.json -o nan.gguf --resume
has err 'step 60: blk.1.ffn_up.weight is not finite at element 5'
cmp -s nan.gguf before.gguf || { echo "the checkpoint did not stay"; failed=1; }

# Text of bytes, in few bits from the half on: the file is a model with a tokenizer, the same for any number of threads,
# and quantized by rtn it is what was trained.
cat >text.json <<E2
{"model": {"width": 32, "layers": 1, "heads": 2, "hidden": 32, "qk_norm": true}, "steps": 12, "optimizer": {"lr": 0.01},
 "data": {"text": ["$root/README.md", "$root/LICENSE"],
          "heldout": "$root/CONTRIBUTING.md", "context": 32, "batch": 4, "heldout_tokens": 1024},
 "quant": {"weights": "Q4_0", "activations": "int8 per token", "kv": "int8", "estimator": "ste", "from": 0.5}}
E2
expect 0 "$precis" train text.json -o text.gguf --threads 3
has out 'held out [0-9.]* +- [0-9.]* nats a token$'
expect 0 "$precis" train text.json -o again.gguf --threads 1
cmp -s text.gguf again.gguf || { echo "other bytes in few bits with 1 thread"; failed=1; }
expect 0 "$precis" run text.gguf -p "The " -n 4
expect 0 "$precis" quant text.gguf --method rtn --type '*blk*=Q4_0,*=F32' --no-calib --no-eval -o small.gguf
sed 's/Q4_0/Q4_K/' text.json >narrow.json
expect 3 "$precis" train narrow.json -o narrow.gguf
has err 'rows of 32 do not fit Q4_K, whose blocks are of 256'

# Learned ranges are in the checkpoint: the same bytes after kills and for any number of threads, and in the file that is
# written the loss of training (precis itself refuses another). --qat and --estimator say what the configuration does not.
sed 's/"quant": {[^}]*}/"quant": {"activations": "int8", "kv": "int8", "from": 0.25}/; s/"steps": 12/"steps": 40, "checkpoint": 3/' \
    text.json >learned.json
expect 0 "$precis" train learned.json -o learned.gguf --qat Q4_0 --estimator lsq --quantized learned-q4.gguf --json
python3 - <<'E2' || failed=1
import json
end = [json.loads(l) for l in open("out")][-1]
assert abs(end["served"] - end["heldout"]) < 1e-4 and end["quantized"] == "learned-q4.gguf", end
E2
expect 0 "$precis" run learned-q4.gguf -p "The " -n 4
for moment in 0.03 0.06 0.1; do
    timeout -s KILL $moment "$precis" train learned.json -o killed-q.gguf --qat Q4_0 --estimator lsq --resume >/dev/null 2>&1
done
expect 0 "$precis" train learned.json -o killed-q.gguf --qat Q4_0 --estimator lsq --resume --threads 3
cmp -s learned.gguf killed-q.gguf || { echo "other bytes with learned ranges after kills"; failed=1; }
expect 3 "$precis" train learned.json -o learned.gguf --qat Q4_0 --estimator pact --resume
has err 'another configuration'

# A model's file is where training begins; a plan says the types; what --only leaves out stays as it is.
cat >tune.json <<E2
{"data": {"text": ["$root/README.md"], "heldout": "$root/CONTRIBUTING.md", "context": 32, "batch": 2, "heldout_tokens": 256},
 "steps": 3, "optimizer": {"lr": 0.001}, "schedule": {"name": "constant"}}
E2
expect 0 "$precis" plan learned.gguf --bpw 14 --no-profile -o plan.json
expect 0 "$precis" train tune.json -o tuned.gguf --from learned.gguf --plan plan.json --only '*attn_q*' --only '*ffn*' \
    --quantized tuned-small.gguf
expect 0 "$precis" train tune.json -o again.gguf --from learned.gguf --plan plan.json --only '*attn_q*' --only '*ffn*' --threads 1
cmp -s tuned.gguf again.gguf || { echo "other bytes of a tuned model with 1 thread"; failed=1; }
expect 0 "$precis" inspect tuned.gguf --json
python3 - <<'E2' || failed=1
def tensors(path):
    from struct import pack, unpack_from
    b = open(path, "rb").read()
    names = {}
    for name in (b"blk.0.attn_q.weight", b"blk.0.attn_k.weight"):
        at = b.find(pack("<Q", len(name)) + name) + 8 + len(name)
        dims = unpack_from("<I", b, at)[0]
        shape = unpack_from("<%dQ" % dims, b, at + 4)
        offset = unpack_from("<Q", b, at + 4 + 8 * dims + 4)[0]
        names[name] = (offset, shape[0] * shape[1] * 4)
    # data begin behind the last entry of the table
    last = max(b.rfind(b"precis.train:"), b.rfind(b"precis.value:"))
    end = last + unpack_from("<Q", b, last - 8)[0]
    end += 4 + 8 * unpack_from("<I", b, end)[0] + 4 + 8
    data = (end + 31) // 32 * 32
    return {k: b[data + o:data + o + size] for k, (o, size) in names.items()}
before, after = tensors("learned.gguf"), tensors("tuned.gguf")
assert before[b"blk.0.attn_k.weight"] == after[b"blk.0.attn_k.weight"], "a tensor that --only leaves out changed"
assert before[b"blk.0.attn_q.weight"] != after[b"blk.0.attn_q.weight"], "a tensor of --only did not change"
E2
expect 3 "$precis" train tune.json -o bad.gguf --from learned.gguf --only 'nothing*'
has err 'only: nothing\* matches no tensor of the net'
expect 3 "$precis" train tune.json -o bad.gguf --from learned.gguf --plan tune.json
has err 'this is no plan'
echo '{"precis": "plan", "tensors": [{"name": "blk.0.attn_q.weight", "type": "Q9"}]}' >bad-plan.json
expect 3 "$precis" train tune.json -o bad.gguf --from learned.gguf --plan bad-plan.json
has err 'bad-plan.json: tensors\[\].type: "Q9" of blk.0.attn_q.weight is no type'
expect 3 "$precis" train tune.json -o bad.gguf --from config.json
expect 2 "$precis" train tune.json -o bad.gguf --from learned.gguf --estimator adaround
expect 2 "$precis" train tune.json -o bad.gguf --from learned.gguf --quantized bad.gguf

# A vocabulary of more than bytes is learned from the texts; the same alone, and read from a file. Copies are left out;
# the card says what the data are.
cat "$root/README.md" "$root/docs/architecture.md" >twice.txt
cat >words.json <<E2
{"model": {"width": 32, "layers": 1, "heads": 2, "hidden": 32, "vocabulary": 600}, "steps": 2, "optimizer": {"lr": 0.01},
 "data": {"text": ["$root/README.md", "twice.txt"], "heldout": "$root/README.md", "context": 32, "batch": 2,
          "heldout_tokens": 256, "deduplicate": true}}
E2
expect 0 "$precis" train words.json -o words.gguf --card card.json --json
python3 - <<'E2' || failed=1
import json
end, card = [json.loads(l) for l in open("out")][-1], json.load(open("card.json"))
one, two = card["texts"]
assert end["contamination"] == 1 and card["contamination"]["share"] == 1, end
assert one["duplicates"] < one["paragraphs"] and two["duplicates"] > 10 and two["duplicate_bytes"] < two["bytes"], card
assert card["tokens"] == one["tokens"] + two["tokens"] and card["vocabulary"] == 600 and card["heldout"]["tokens"] > 256, card
E2
expect 0 "$precis" run words.gguf -p "The " -n 4
expect 0 "$precis" tokenize --train "$root/README.md" twice.txt --vocab 600 -o words-tok.json --json
json 'j["tokens"] == 600 and j["merges"] == 344'
sed 's/"deduplicate": true/"tokenizer": "words-tok.json"/; s/, "vocabulary": 600//' words.json >read.json
expect 0 "$precis" train read.json -o read.gguf
sed 's/, "deduplicate": true//' words.json >both.json
expect 0 "$precis" train both.json -o both.gguf
expect 0 "$precis" tokenize read.gguf --file "$root/LICENSE"
mv out ids
expect 0 "$precis" tokenize both.gguf --file "$root/LICENSE"
cmp -s out ids || { echo "a tokenizer that was learned, and the same read from a file, give other ids"; failed=1; }
sed 's/"text"/"tokenizer": "words-tok.json", "text"/' tune.json >own.json
expect 3 "$precis" train own.json -o bad.gguf --from words.gguf
has err 'data.tokenizer: a model brings its own'
sed 's/600/60000/' words.json >many.json
expect 3 "$precis" train many.json -o bad.gguf
has err 'model.vocabulary: the texts give [0-9]* tokens, not 60000'
expect 2 "$precis" tokenize --train twice.txt --vocab 100 -o bad.json
expect 2 "$precis" tokenize --train twice.txt --vocab 300 -o twice.txt
expect 3 "$precis" tokenize --train nowhere.txt --vocab 300 -o bad.json
[ ! -e bad.json ] || { echo "a refused tokenizer left a file"; failed=1; }

# A model that learns from itself has nothing to learn; text alone changes it. A teacher brings its student a tokenizer.
cat >self.json <<E2
{"data": {"text": ["$root/README.md"], "heldout": "$root/LICENSE", "context": 32, "batch": 2, "heldout_tokens": 256}, "steps": 4,
 "optimizer": {"lr": 0.01, "decay": 0}, "schedule": {"name": "constant"}, "distill": {"temperature": 2, "share": 1}}
E2
heldout() { "$precis" train "$@" --json 2>/dev/null | tail -1 | python3 -c 'import json, sys; print("%.4f" % json.load(sys.stdin)["heldout"])'; }
sed 's/"lr": 0.01/"lr": 1e-9/' self.json >still.json
sed 's/"share": 1/"share": 0/' self.json >alone.json
still=$(heldout still.json -o self.gguf --from words.gguf --distill words.gguf)
self=$(heldout self.json -o self.gguf --from words.gguf --distill words.gguf)
alone=$(heldout alone.json -o self.gguf --from words.gguf --distill words.gguf)
[ "$still" = "$self" ] || { echo "learning from itself changed $still to $self"; failed=1; }
[ "$still" != "$alone" ] || { echo "learning from text changed nothing"; failed=1; }
sed 's/{"data"/{"model": {"width": 16, "layers": 1, "heads": 2, "hidden": 16}, "data"/' self.json >student.json
expect 0 "$precis" train student.json -o student.gguf --distill words.gguf
expect 0 "$precis" run student.gguf -p "The " -n 4
expect 3 "$precis" train self.json -o bad.gguf --from text.gguf --distill words.gguf
has err 'distill.model: .* has 600 tokens, the student 256'

# Adapters on a quantized model: in a file of their own they have training's loss beside it, and merging says what it loses.
sed 's/, "distill": {[^}]*}//' self.json >adapter.json
expect 0 "$precis" train adapter.json -o adapted.gguf --from learned-q4.gguf --adapter r=4,alpha=8 --lora lora.gguf --merged merged.gguf --json
python3 - <<'E2' || failed=1
import json
end = [json.loads(l) for l in open("out")][-1]
assert abs(end["served"] - end["heldout"]) < 1e-4 and 0 < end["merged_kld"] < 0.5, end
E2
expect 0 "$precis" eval learned-q4.gguf --lora lora.gguf --ids 65,66,67,68
expect 0 "$precis" inspect merged.gguf --json
json 'any(t["type"] == "Q4_0" for t in j["tensors"])'
for moment in 0.03 0.06; do
    timeout -s KILL $moment "$precis" train adapter.json -o adapted3.gguf --from learned-q4.gguf --adapter r=4,alpha=8 --resume >/dev/null 2>&1
done
expect 0 "$precis" train adapter.json -o adapted3.gguf --from learned-q4.gguf --adapter r=4,alpha=8 --resume --threads 3
cmp -s adapted.gguf adapted3.gguf || { echo "other bytes of adapters after kills"; failed=1; }
expect 2 "$precis" train adapter.json -o bad.gguf --from learned-q4.gguf --adapter 4
expect 3 "$precis" train adapter.json -o bad.gguf --from learned-q4.gguf --adapter r=4 --qat Q4_0
expect 2 "$precis" train adapter.json -o bad.gguf --from learned-q4.gguf --lora lora2.gguf

# Products in few bits: the same bytes for any number of threads; what was real is said.
for compute in bf16 int8 nvfp4; do
    expect 0 "$precis" train words.json -o low.gguf --compute $compute --threads 1
    expect 0 "$precis" train words.json -o low3.gguf --compute $compute --threads 3
    cmp -s low.gguf low3.gguf || { echo "other bytes of $compute with 3 threads"; failed=1; }
    case $compute in nvfp4) real=simulated ;; *) real=real ;; esac
    has out "products: forward $compute, $real"
done
expect 2 "$precis" train words.json -o bad.gguf --compute fp3

# Layers of signs: what is served counts bits, and has the loss of training (precis itself refuses another).
sed 's/"quant": {[^}]*}/"quant": {"weights": "BINARY", "activations": "int1", "estimator": "binary"}/' text.json >signs.json
expect 0 "$precis" train signs.json -o signs.gguf --quantized signs-q.gguf --no-history
sed 's/int1/int1 observed/' signs.json >bad.json
expect 3 "$precis" train bad.json -o bad.gguf
has err 'quant.activations: is int1 by something'

# Pruned once, by each method, and trained on under the mask: of each 4 weights 2 are 0, in the file too.
for method in magnitude wanda sparsegpt; do
    sed "s/\"quant\": {[^}]*}/\"prune\": {\"method\": \"$method\", \"pattern\": \"2:4\", \"from\": 0.25}, \"quant\": {\"weights\": \"Q8_0\", \"from\": 0.5}/" \
        text.json >prune.json
    expect 0 "$precis" train prune.json -o pruned.gguf --quantized pruned-q8.gguf --no-history
    python3 - "$method" <<'E2' || failed=1
import struct, sys
b, name = open("pruned.gguf", "rb").read(), b"blk.0.ffn_up.weight"
at = b.find(struct.pack("<Q", len(name)) + name) + 8 + len(name)
dims, = struct.unpack_from("<I", b, at)
shape = struct.unpack_from("<%dQ" % dims, b, at + 4)
offset, = struct.unpack_from("<Q", b, at + 4 + 8 * dims + 4)
last = b.rfind(b"precis.train:")
end = last + struct.unpack_from("<Q", b, last - 8)[0]
end += 4 + 8 * struct.unpack_from("<I", b, end)[0] + 12
x = struct.unpack_from("<%df" % (shape[0] * shape[1]), b, (end + 31) // 32 * 32 + offset)
for i in range(0, len(x), 4):
    assert sum(v == 0 for v in x[i:i + 4]) == 2, (sys.argv[1], i, x[i:i + 4])
E2
    rm -f pruned2.gguf
    for moment in 0.03 0.05; do
        timeout -s KILL $moment "$precis" train prune.json -o pruned2.gguf --resume --no-history >/dev/null 2>&1
    done
    expect 0 "$precis" train prune.json -o pruned2.gguf --resume --threads 1 --no-history
    cmp -s pruned.gguf pruned2.gguf || { echo "other bytes of a pruned model after kills"; failed=1; }
done
sed 's/2:4/4:4/' prune.json >bad.json
expect 3 "$precis" train bad.json -o bad.gguf
has err 'prune.pattern: is no N:M'
sed 's/sparsegpt/lottery/' prune.json >bad.json
expect 3 "$precis" train bad.json -o bad.gguf
has err 'prune.method: is none of magnitude, wanda and sparsegpt'

# The same in quant, in one sweep with coding: of each 4 codes 2 are 0.
for method in magnitude wanda "magnitude --method gptq" sparsegpt; do
    expect 0 "$precis" quant text.gguf --type '*blk*=Q8_0,*=F32' --prune $method --pattern 2:4 --calib-tokens 256 --no-eval -o sparse.gguf
    python3 - "$method" <<'E2' || failed=1
import struct, sys
b, name = open("sparse.gguf", "rb").read(), b"blk.0.ffn_up.weight"
entry = struct.pack("<Q", len(name)) + name
at = b.find(entry) + len(entry)
dims, = struct.unpack_from("<I", b, at)
shape = struct.unpack_from("<%dQ" % dims, b, at + 4)
kind, offset = struct.unpack_from("<IQ", b, at + 4 + 8 * dims)
assert kind == 8, kind
n, = struct.unpack_from("<Q", b, 8)
end = max(b.rfind(struct.pack("<Q", len(x)) + x) + 8 + len(x) for x in
          [b"blk.0.ffn_down.weight", b"blk.0.attn_q_norm.weight", b"blk.0.attn_k_norm.weight", b"output_norm.weight"])
end += 4 + 8 * struct.unpack_from("<I", b, end)[0] + 12
data = (end + 31) // 32 * 32 + offset
for block in range(shape[0] * shape[1] // 32):
    codes = b[data + 34 * block + 2:data + 34 * block + 34]
    for i in range(0, 32, 4):
        assert sum(c == 0 for c in codes[i:i + 4]) >= 2, (sys.argv[1], block, list(codes))
E2
done
expect 3 "$precis" quant text.gguf --type '*blk*=Q4_1,*=F32' --prune wanda --calib-tokens 256 --no-eval -o bad.gguf
has err 'this type has no 0 in every group'
expect 0 "$precis" quant text.gguf --type '*blk*=Q8_0,*=F32' --prune sparsegpt --calib-tokens 256 --no-eval -o sparse.gguf
grep -aq '"method":"sparsegpt+gptq"' sparse.gguf || { echo 'sparsegpt is not in the sweep of gptq'; failed=1; }
expect 2 "$precis" quant text.gguf --type Q8_0 --prune wanda --method svd --no-eval -o bad.gguf
expect 2 "$precis" quant text.gguf --type Q8_0 --pattern 2:4 --no-eval -o bad.gguf

# A batch in parts has the same gradients but for the order of sums; ranks have the bytes of one process.
sed 's/"context": 32, "batch": 4/"context": 32, "batch": 4, "parts": 1/' config.json >one.json
expect 0 "$precis" train one.json -o one.gguf --json
python3 - "$(cat sha)" <<'E2' || failed=1
import json, sys
end = [json.loads(l) for l in open("out")][-1]
assert end["sha256"] != sys.argv[1] and end["heldout"] < 3.6, end
E2
expect 0 "$precis" train config.json -o plotted.gguf --plot plot.html --name ranks
cmp -s plotted.gguf whole.gguf || { echo "a plot changed the bytes"; failed=1; }
grep -q '<svg' plot.html || { echo "no figure in the plot"; failed=1; }
expect 0 "$precis" train config.json -o plotted.gguf --resume --plot plot.svg --no-history
expect 0 "$precis" eval --history --name ranks
has out 'heldout_loss'
has out 'train_loss'
if command -v mpirun >/dev/null && [ -e "$(dirname "$precis")/precis-mpi.so" ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    # Open MPI keeps what its modules made when it unloads them, which is a leak to AddressSanitizer.
    ranks() { LSAN_OPTIONS=detect_leaks=0 mpirun --oversubscribe "$@"; }
    sed 's/"steps": 60/"steps": 8/' config.json >ranks.json
    expect 0 "$precis" train ranks.json -o alone.gguf
    for size in 2 4; do
        expect 0 ranks -n $size "$precis" train ranks.json -o ranks$size.gguf --threads 1 --name ranks
        cmp -s alone.gguf ranks$size.gguf || { echo "other bytes with $size ranks"; failed=1; }
    done
    sed 's/"quant"/"quant": {"weights": "Q4_0", "activations": "int8 observed", "from": 0.25}, "unused"/' text.json |
        sed 's/, "unused": {[^}]*}//' >observed.json
    expect 0 "$precis" train observed.json -o alone.gguf
    expect 0 ranks -n 2 "$precis" train observed.json -o ranks2.gguf --threads 1
    cmp -s alone.gguf ranks2.gguf || { echo "other bytes of observed ranges with 2 ranks"; failed=1; }
    "$precis" train ranks.json -o bad.gguf >/dev/null && rm -f bad.gguf
    ranks -n 3 "$precis" train ranks.json -o bad.gguf >out 2>err </dev/null && { echo "3 ranks shared 4 parts"; failed=1; }
    has err 'data.parts: 4 parts of a batch for 3 ranks'
    # When one of them is killed the run ends with exit 4, and goes on from its last checkpoint to the same bytes.
    sed 's/"steps": 60/"steps": 1500/; s/"checkpoint": 10/"checkpoint": 50/' config.json >lost.json
    expect 0 "$precis" train lost.json -o alone.gguf
    ranks -n 2 "$precis" train lost.json -o lost.gguf --threads 1 >out 2>err </dev/null &
    pid=$!
    while [ ! -e lost.gguf ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
    kill -9 "$(pgrep -n -f 'train lost.json -o lost.gguf')"
    wait $pid
    got=$?
    [ $got = 4 ] || { echo "exit $got, not 4, of a run that lost a rank"; cat err; failed=1; }
    has err "ended by signal 9: the others end, and --resume goes on"
    expect 0 ranks -n 2 "$precis" train lost.json -o lost.gguf --threads 1 --resume
    cmp -s alone.gguf lost.gguf || { echo "other bytes after a rank was lost"; failed=1; }
else
    echo "skipped: no mpirun, or precis was built without MPI"
fi

# Refusals: another run's checkpoint, what is none, unknown keys with their path, no output.
expect 3 "$precis" train text.json -o whole.gguf --resume
has err 'another configuration'
echo nothing >junk
expect 3 "$precis" train config.json -o junk --resume
sed 's/"layers"/"depth"/' config.json >bad.json
expect 3 "$precis" train bad.json -o bad.gguf
has err 'bad.json: byte [0-9]*: model.depth: is not known here'
sed 's/"heads": 4/"heads": 5/' config.json >heads.json
expect 3 "$precis" train heads.json -o bad.gguf
has err 'model: 5 heads and 2 key heads do not divide a width of 32'
expect 2 "$precis" train config.json
expect 3 "$precis" train nowhere.json -o bad.gguf
expect 2 "$precis" train config.json -o config.json
[ ! -e bad.gguf ] || { echo "a refused run left a file"; failed=1; }
exit $failed
