"""Command lines that walk the whole tool on the inputs of inputs.py, each in a folder with links to all of them."""

QUICK = "--calib-tokens 16 --chunks 1 --ctx 16 -q"

# What is made once, before anything fails; later lines may read what earlier ones wrote.
PREPARE = """
quant m.gguf --type Q4_0 -o q4.gguf --no-eval --calib-tokens 16 -q
profile m.gguf -o im.dat --tokens 16 -q
profile m.gguf -o p.json --tokens 16 --types Q8_0,Q4_0 -q
plan m.gguf --profile p.json --max-size 40% -o plan.json -q
convert m.gguf -o hf --format safetensors -q
quant m.gguf --type INT4_G32 -o int4.precis.gguf --no-eval --calib-tokens 16 -q
convert q4.gguf --format packed -o packed.packed.gguf -q
eval q4.gguf --against m.gguf --ctx 16 --chunks 1 --logits logits.gguf -q
eval q4.gguf --against m.gguf --ctx 16 --chunks 1 --gate --max-kld 1 --results r.sqlite --name a -q
eval m.gguf --against q4.gguf --ctx 16 --chunks 1 --gate --max-kld 1 --results r.sqlite --name a -q
report --new-key key
report q4.gguf.manifest.json --attest key -o q4.attestation.json
law fit runs.csv --form own.law -o fit.json -q --bootstrap 3
quant small.onnx --static --calib calib.npy --no-speed -o codes.onnx -q
bench m.gguf --prompt 8 --gen 2 --cost-table costs.json -q
"""

# One a line; "<name" at the end: stdin comes from that input; "+" in front: of the short test too.
COMMANDS = f"""
+quant m.gguf --type Q4_0 -o o.gguf {QUICK}
inspect m.gguf
+inspect m.gguf --keys --json
inspect m.gguf --check
inspect m.gguf --overflow --json
inspect q4.gguf --overflow
inspect m.gguf --tensor blk.0.attn_q.weight -o raw --json
inspect m.gguf --tensor blk.0.attn_q.weight -o -
inspect hf --keys
tokenize m.gguf -p the.other --json
+tokenize m.gguf --file t.txt --pieces
tokenize hf -p and.then
tokenize --render template.jinja --message user=hi --message assistant=there --generation --json
quant m.gguf --max-size 40% -o o.gguf {QUICK} --json
quant m.gguf --bpw 6 --profile p.json -o o.gguf {QUICK}
quant m.gguf --plan plan.json -o o.gguf {QUICK}
quant m.gguf --type Q4_0 --imatrix im.dat -o o.gguf --no-eval -q
quant m.gguf --type Q4_0 --calib t.txt --text other.txt -o o.gguf {QUICK}
+quant m.gguf --type INT4_G32 --method gptq -o o.precis.gguf --calib t.txt --no-eval -q
quant m.gguf --type INT4_G32 --method awq+rtn -o o.precis.gguf {QUICK}
quant m.gguf --type UINT4_G32 --method rotate+hqq+svd --rank 4 -o o.precis.gguf {QUICK}
quant m.gguf --type INT4_G32 --method clip+rtn -o o.precis.gguf --no-eval --calib-tokens 16 -q
quant m.gguf --type INT8_C --method smoothquant+rtn -o o.precis.gguf --no-eval --calib-tokens 16 -q
quant m.gguf --type W4A8KV8 -o o.precis.gguf --no-eval --calib-tokens 16 -q
quant m.gguf --type Q4_K_M --dry-run --json
quant m.gguf --type Q4_0 --format packed --no-calib --no-eval -o o.packed.gguf -q
quant m.gguf --type Q4_0 -o o.gguf {QUICK} --mem-limit 60M --resume
quant hf --type Q8_0 --no-calib --no-eval -o o.gguf -q
+quant --replay q4.gguf.manifest.json -o o.gguf -q --no-eval
profile m.gguf -o o.json --tokens 16 --types Q4_0 -q
profile m.gguf -o o.json --tokens 16 --types Q4_0 --method gptq -q
profile m.gguf -o o.gguf --calib t.txt --tokens 16 -q
profile q4.gguf --nodes --against m.gguf --tokens 8 --json -q
+plan m.gguf --max-size 40% --no-profile --calib t.txt -o o.json --json
plan m.gguf --profile p.json --target-ram 560k --imatrix im.dat
plan m.gguf --profile p.json --cost-table costs.json --max-kld 1 --json
+train train.json -o o.gguf -q
convert q4.gguf -o o.gguf
convert m.gguf -o out --format safetensors --json
convert int4.precis.gguf -o out --format gptq
convert int4.precis.gguf -o out --format awq
convert int4.precis.gguf -o out --format safetensors
+convert hf -o o.gguf --exact
convert q4.gguf -o o.packed.gguf --format packed
convert m.gguf -o o.gguf --lora lora.gguf=0.5
eval m.gguf --text t.txt --ctx 16 --chunks 2 --json
eval q4.gguf --against m.gguf --ctx 16 --chunks 1 --gate --max-kld 1 --max-ppl 5 --results o.sqlite
eval q4.gguf --against m.gguf --ctx 16 --chunks 1 --logits o.gguf
eval q4.gguf --logits logits.gguf --ctx 16 --chunks 1 --json
eval q4.gguf --against m.gguf --tasks tasks.jsonl,copy --limit 2 --samples o.jsonl --max-drop 50% --gate --json
eval m.gguf --ids 3,4,5,6 --nll --emulate
eval m.gguf --text t.txt --domains --ctx 16 --chunks 1
eval --history --results r.sqlite
+eval --history --results r.sqlite --json
+run m.gguf -p the.other -n 4 --temp 0 --json --pack off
run q4.gguf -p the.other -n 4 --temp 0.5 --pack load --repeat-penalty 1.1
run packed.packed.gguf -f short.txt --ctx 64 -n 2 --no-lookup
run q4.gguf -p the.other -n 4 --pack cache
run m.gguf -c -p hi --system short -n 4 --lora lora.gguf
run m.gguf -n 3 --pack off <short.txt
law list kumar --json
law list
law predict --law kumar --N 1e9 --D 1e11 --bits 4 --json
law predict --law fit.json --N 1e9 --D 1e10
law predict --law own.law --N 1e9 --D 1e10 --show base --json
law predict --law kumar --N 1e9 --D 1e11 --method-table ladder.txt
+law fit runs.csv --form own.law -o o.json --json --bootstrap 3 --residuals
law fit runs.csv --form own.law --profile --holdout --cluster run
law fit runs.csv --form own.law --starts projection --fix E=1.7 --objective squares --drop-highest 2 -q
law advise --N 8B --D 15T --formats formats.txt --json
law advise --N 1e9 --D 1e11 --gpu-flops 9.89e14 --utilization 0.4 --gpu-hour-price 2 --gpu-power 1000 --co2 0.4
+law optimal --law kumar --compute 1e21 --json
law optimal --law kumar --post --memory 4G --compute 1e22
law critical --law kumar --N 8e9 --bits 4
law isoloss --law chinchilla --loss 2.1 --json
law isocost --law kumar --compute 1e21 --bits 8
law compare --N 1e9 --D 1e11 --bits 4 --json
law compare runs.csv --laws own.law
law plot runs.csv --law own.law -o o.html
law plot --law kumar
law plot --law kumar --svg .
report q4.gguf.manifest.json --attest key -o o.json --json
+report q4.attestation.json --verify key.pub
report --new-key own
list
list limits --json
help
help quant
help --completion bash
help --man quant
quant m.gguf --type Q4_0 -o o.gguf {QUICK} -t 3
profile m.gguf -o o.json --tokens 16 --types Q4_0 -q -t 2
law fit runs.csv --form own.law -o o.json --bootstrap 3 --holdout -t 3
run q4.gguf -p the.other -n 4 --temp 0 --pack background -t 2
eval m.gguf --ladder W4A16 --calib t.txt --ctx 16 --chunks 1 --json
inspect small.onnx --json
+inspect codes.onnx --overflow
run small.onnx --input x=calib.npy --output-dir o
+quant small.onnx --static --observer entropy --calib calib.npy --no-speed -o o.onnx
quant small.onnx --static --observer histogram --method equalize+round --calib calib.npy --no-speed -o o.onnx --qop
quant small.onnx --dynamic --no-speed -o o.onnx
quant small.onnx --weight-only --weights int4 --no-cache -o o.onnx --json
quant small.onnx --static --calib calib.npy -o o.c
quant rates.onnx --static --calib x=rates.npy --calib rate=rate.npy --no-speed --float one -o o.onnx
quant rates.onnx --static --input rate=16000 --calib x=rates.npy -o o.c
run rates.onnx --input x=rates.npy --input rate=8000 --output-dir o
convert lstm.onnx -o o.c
quant --replay codes.onnx.manifest.json -o o.onnx
plan small.onnx --static --no-speed
convert small.onnx -o o.onnx
eval codes.onnx --against small.onnx --data calib.npy --nodes --json
+eval codes.onnx --against small.onnx --data calib.npy
bench m.gguf --prompt 8 --gen 2 --json
bench q4.gguf --prompt 8 --gen 2 --sequences 2
bench m.gguf --prompt 8 --gen 2 --cost-table o.json
quant m.gguf --type Q4_0 -o o.gguf {QUICK} --bench
"""
