#!/bin/sh
# What is no regular file is refused by what it is, at once, wherever a file can be named; and one function opens all of them.
. "$(dirname "$0")/../common.sh"

cd "$work" || exit 1
mkfifo fifo
mkdir folder
ln -s loop loop
python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('socket')"

refuse() { # refuse FILE WHAT COMMAND...: within two seconds, by a sentence that names the file and says what it is
    file=$1
    what=$2
    shift 2
    expect 3 timeout -k 1 2 "$@"
    has err "$file"
    has err "$what"
}
each() { # each FILE WHAT: as every input that there is
    refuse "$1" "$2" "$precis" inspect "$1"
    refuse "$1" "$2" "$precis" tokenize "$model" -f "$1"
    refuse "$1" "$2" "$precis" tokenize --render "$1"
    refuse "$1" "$2" "$precis" run "$model" -f "$1" -n 1
    refuse "$1" "$2" "$precis" eval "$model" --text "$1"
    refuse "$1" "$2" "$precis" eval "$model" --sts "$1"
    refuse "$1" "$2" "$precis" eval "$model" --against "$model" --text "$1" --gate --max-kld 1 --results none
    refuse "$1" "$2" "$precis" eval --history --results "$1"
    refuse "$1" "$2" "$precis" quant "$model" --type Q4_0 -o q.gguf --calib "$1"
    refuse "$1" "$2" "$precis" quant "$model" --type Q4_0 -o q.gguf --text "$1"
    refuse "$1" "$2" "$precis" quant "$model" --type Q4_0 -o q.gguf --imatrix "$1"
    refuse "$1" "$2" "$precis" quant "$model" --bpw 4 -o q.gguf --profile "$1"
    refuse "$1" "$2" "$precis" quant "$model" -o q.gguf --plan "$1"
    refuse "$1" "$2" "$precis" quant --replay "$1" -o q.gguf
    refuse "$1" "$2" "$precis" plan "$model" --bpw 4 --cost-table "$1"
    refuse "$1" "$2" "$precis" law advise --N 1e9 --D 1e11 --formats "$1"
    refuse "$1" "$2" "$precis" law fit "$1"
    refuse "$1" "$2" "$precis" law predict --law "./$1" --N 1e9 --D 1e11
    refuse "$1" "$2" "$precis" report "$1" --verify "$1"
}
each fifo "a pipe (FIFO)"
each socket "a socket"
for x in folder:"a folder" loop:"symbolic links"; do
    refuse "${x%%:*}" "${x#*:}" "$precis" tokenize "$model" -f "${x%%:*}"
    refuse "${x%%:*}" "${x#*:}" "$precis" quant --replay "${x%%:*}" -o q.gguf
    refuse "${x%%:*}" "${x#*:}" "$precis" eval --history --results "${x%%:*}"
done
for x in /dev/zero /dev/full /dev/random /dev/stdin; do
    refuse "$x" "a character device" "$precis" tokenize "$model" -f "$x"
    refuse "$x" "a character device" "$precis" quant --replay "$x" -o q.gguf
    refuse "$x" "a character device" "$precis" inspect "$x"
done
# within folders of models and of sets
mkdir -p m sets
for f in "$model"/*; do ln -s "$f" m/; done
for f in config.json tokenizer.json model.safetensors; do
    [ -e "m/$f" ] || continue
    rm "m/$f"
    mkfifo "m/$f"
    refuse "m/$f" "a pipe (FIFO)" "$precis" tokenize m -p hi
    rm "m/$f"
    ln -s "$model/$f" m/
done
mkfifo sets/udhr.zip sets/own.jsonl
refuse sets/udhr.zip "a pipe (FIFO)" "$precis" eval "$model" --domains --data sets --chunks 1
refuse sets/own.jsonl "a pipe (FIFO)" "$precis" eval "$model" --tasks sets/own.jsonl
# standard input where a command takes it: text, whatever gives it; what is none ends at once
echo "hello there" | timeout 5 "$precis" tokenize "$model" -f - >out 2>&1 || { echo "no text from a pipe"; failed=1; }
expect 3 timeout 5 sh -c "'$precis' tokenize '$model' -f - </dev/zero"
has err "standard input: byte 0 is 0"
expect 3 timeout 5 sh -c "'$precis' tokenize '$model' -f - <."
has err "standard input"
expect 3 timeout 5 sh -c "'$precis' tokenize '$model' -f - <&-"

# a signal ends the reading of a file that is long, and the wait for one that does not come
truncate -s 200G long.txt
cat >stop.py <<'P'
import signal, subprocess, sys, time
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
time.sleep(0.5)
began = time.time()
p.send_signal(signal.SIGTERM)
try:
    code = p.wait(5)
except subprocess.TimeoutExpired:
    p.kill()
    code = "none: it had to be killed"
if code != 130: sys.exit(f"exit {code} after SIGTERM: {sys.argv[1:]}")
P
python3 - >long.manifest.json <<'P'
import json
print(json.dumps({"precis": "manifest", "version": 1, "program": "0.1.0", "seed": 0, "arguments": ["--type", "Q4_0", "--calib", "long.txt"],
                  "inputs": [{"option": "--calib", "path": "long.txt", "sha256": "00"}], "model": {"path": "m", "tensors_sha256": "00"}, "output": {"sha256": "00", "bytes": 1}}))
P
python3 stop.py "$precis" quant --replay long.manifest.json -o q.gguf || failed=1
python3 stop.py "$precis" tokenize "$model" -f - || failed=1
python3 - "$root/data/eval.txt" <<'P'
import sys
text = open(sys.argv[1]).read()
open("large.txt", "w").write(text * (96000000 // len(text)))
open("large.csv", "w").write("N,D,loss\n" + "".join(f"{1e6 + i},{1e8 + i},{4 - 1e-7 * i}\n" for i in range(600000)))
P
python3 stop.py "$precis" tokenize "$model" -f large.txt || failed=1
python3 stop.py "$precis" law fit large.csv || failed=1
rm large.txt large.csv
refuse long.txt "more than the limit" "$precis" tokenize "$model" -f long.txt
rm long.txt

# one way in: others that open files write them, read files of the system's own, or go down folders without following links
allowed="base/file.c base/pool.c base/spill.c measure/energy.c measure/machine.c job/memory.c write/out.c write/place.c write/apart.c read/hf_text.c read/hf_weights.c base/inside.c report/attest.c eval/task/mmlu.c suite.c main.c mappings.c hub.c pull.c read/listing.c read/source_npz_folder.c job/kept.c"
for file in $(cd "$root" && grep -lE '(^|[^a-z_>.])(fopen|freopen|open|openat|fdopen|opendir|zip_open|gzopen|BIO_new_file|json_load_file)\(' $(find src cli -name '*.[ch]')); do
    case " $allowed " in *" ${file#*/} "*) ;; *) echo "$file opens a file by itself: pcs_open_regular (base/file.h) and precis_input_read (precis/input.h) do"; failed=1 ;; esac
done

echo "$n commands"
exit $failed
