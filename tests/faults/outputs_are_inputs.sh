#!/bin/sh
# What a command writes is nothing that it reads: refused with exit 2 before work starts, by device and inode, and every
# file stays as it was.
# usage: outputs_are_inputs.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
cd "$work" || exit 1
python3 "$root/tests/faults/tiny_models.py" . || exit 1
export XDG_STATE_HOME="$work/state"
mkdir fresh
{
    "$precis" quant m.gguf --type Q4_0 --no-calib --no-eval -q -o q.gguf
    "$precis" profile m.gguf -o im.gguf --calib calib.txt --tokens 64 -q
    "$precis" profile m.gguf -o p.json --calib calib.txt --tokens 64 -q
    "$precis" plan m.gguf --max-size 40% --profile p.json --imatrix im.gguf -o plan.json -q
    "$precis" bench m.gguf --cost-table costs.json -q
    "$precis" eval m.gguf --against m.gguf --logits logits.gguf --ctx 32 --chunks 1 --text calib.txt -q
    "$precis" report --new-key k.pem -q
} >/dev/null 2>"$work/why" || { cat "$work/why"; exit 1; }
printf 'N,D,loss\n1e6,1e8,4\n1e7,1e9,3\n1e8,1e10,2.5\n' >runs.csv
cp "$root"/src/law/laws/kumar.law own.law
ln own.law fresh/isoloss.svg
ln calib.txt hard.txt
ln -s calib.txt soft.txt
ln hf/tokenizer.json tokens
sums() { find . -type f ! -name sums ! -name out ! -name err ! -name want -exec sha256sum {} + | sort -k2; }
sums >want
refused() {
    expect 2 "$precis" "$@"
    has err "is the input\|belongs to the input\|both name\|exists and is no\|what is written here is no"
    sums >sums
    cmp -s want sums || { echo "changed by: $*"; diff want sums | head -4; failed=1; sums >want; }
}
quant="quant m.gguf --type Q4_0 --no-eval -q"
# shellcheck disable=SC2086 # words of a command
{
    refused $quant --no-calib -o m.gguf
    refused $quant --no-calib -o ./fresh/../m.gguf
    for calib in calib.txt ./calib.txt hard.txt soft.txt; do refused $quant --calib calib.txt -o $calib; done
    refused $quant --calib calib.txt --calib tasks.jsonl -o tasks.jsonl
    refused $quant --imatrix im.gguf -o im.gguf
    refused quant m.gguf --bpw 5 --no-calib --no-eval -q --profile p.json -o p.json
    refused quant m.gguf --plan plan.json --no-calib --no-eval -q -o plan.json
    refused quant m.gguf --type Q4_0 --no-calib --text calib.txt -q -o calib.txt
    refused quant --replay q.gguf.manifest.json -o q.gguf
    refused quant --replay q.gguf.manifest.json -o q.gguf.manifest.json
    refused quant --replay q.gguf.manifest.json -o m.gguf
    cp plan.json x.gguf.manifest.json
    sums >want
    refused quant m.gguf --plan x.gguf.manifest.json --no-calib --no-eval -q -o x.gguf
    for file in config.json tokenizer.json tokenizer_config.json generation_config.json model.safetensors; do
        refused quant hf --type Q4_0 --no-calib --no-eval -q -o hf/$file
        refused convert hf --format gguf -o hf/$file
        refused profile hf -o hf/$file --tokens 16
    done
    refused quant hf --type Q4_0 --no-calib --no-eval -q -o tokens
    for part in 1 2; do refused quant split-00001-of-00002.gguf --type Q4_0 --no-calib --no-eval -q -o split-0000$part-of-00002.gguf; done
}
refused convert m.gguf -o m.gguf
refused convert m.gguf --format safetensors -o hf
refused profile m.gguf --calib calib.txt -o calib.txt
refused profile m.gguf --imatrix im.gguf -o im.gguf
refused plan m.gguf --max-size 40% --no-profile -o m.gguf
refused plan m.gguf --max-size 40% --profile p.json -o p.json
refused plan m.gguf --max-size 40% --no-profile --imatrix im.gguf -o im.gguf
refused plan m.gguf --min-speed 1 --no-profile --cost-table costs.json -o costs.json
refused bench m.gguf --cost-table m.gguf
refused inspect m.gguf --tensor output.weight -o m.gguf
refused inspect hf --tensor output.weight -o hf/config.json
refused eval m.gguf --tasks tasks.jsonl --samples m.gguf
refused eval m.gguf --tasks tasks.jsonl --samples tasks.jsonl
refused eval m.gguf --against q.gguf --tasks tasks.jsonl --samples q.gguf
refused eval m.gguf --tasks tasks.jsonl --samples s.jsonl --results s.jsonl
refused eval m.gguf --tasks tasks.jsonl --results m.gguf
refused eval m.gguf --against q.gguf --text calib.txt --logits q.gguf
refused eval m.gguf --against q.gguf --text calib.txt --logits calib.txt
refused law fit runs.csv -o runs.csv
refused law plot runs.csv -o runs.csv
refused law plot --law own.law -o own.law
refused law plot --law own.law --svg fresh
for file in k.pem q.gguf q.gguf.manifest.json; do refused report q.gguf.manifest.json --attest k.pem -o $file; done
expect 3 "$precis" report --new-key k.pem
expect 3 "$precis" report --new-key q.gguf
cp k.pem.pub other.pub
expect 3 "$precis" report --new-key other
[ ! -e other ] || { echo "half a pair of keys"; failed=1; }
[ "$(stat -c %a k.pem)" = 600 ] || { echo "the private key is $(stat -c %a k.pem)"; failed=1; }

# What is written again over what precis wrote before is no input.
expect 0 "$precis" quant m.gguf --type Q4_0 --no-calib --no-eval -q -o q.gguf
expect 0 "$precis" quant hf --type Q4_0 --no-calib --no-eval -q -o hf/q.gguf
expect 0 "$precis" quant hf --type Q4_0 --no-calib --no-eval -q -o hf/q.gguf
expect 0 "$precis" profile m.gguf -o p.json --calib calib.txt --tokens 64 -q
expect 0 "$precis" eval m.gguf --logits logits.gguf --ctx 32 --chunks 1 --text calib.txt
expect 0 "$precis" report q.gguf.manifest.json --attest k.pem
expect 0 "$precis" report q.gguf.manifest.json --attest k.pem
# A log that is none of a job is not emptied, and not followed.
echo keep >victim
cp victim q.gguf.resume
expect 3 "$precis" quant m.gguf --type Q4_0 --no-calib --no-eval -q -o q.gguf --resume
ln -sf victim q.gguf.resume
expect 3 "$precis" quant m.gguf --type Q4_0 --no-calib --no-eval -q -o q.gguf --resume
cmp -s victim "$work/q.gguf.resume" && [ "$(cat victim)" = keep ] || { echo "a file of another was emptied"; failed=1; }
exit $failed
