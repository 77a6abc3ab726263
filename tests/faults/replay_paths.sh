#!/bin/sh
# A manifest's paths are not followed: inputs lie beside it or are named, and their hashes decide.
. "$(dirname "$0")/../common.sh"

mkdir "$work/a" "$work/b"
"$precis" convert "$model" -o "$work/a/m.gguf" -q >/dev/null
head -c 4000 "$root/data/eval.txt" >"$work/a/one.txt"
tail -c 4000 "$root/data/eval.txt" >"$work/a/two.txt"
cd "$work" || exit 1
expect 0 "$precis" quant a/m.gguf --type Q4_0 --method rtn --calib a/one.txt --calib a/two.txt --no-eval -q -o a/q.gguf
# beside it: from elsewhere, and when the folder has moved
expect 0 "$precis" quant --replay a/q.gguf.manifest.json --no-eval -o r.gguf
has err "the same bytes"
mv a moved
expect 0 "$precis" quant --replay "$work/moved/q.gguf.manifest.json" --no-eval -o r.gguf
has err "the same bytes"
# elsewhere: only when it is named
cp moved/q.gguf.manifest.json b/
expect 3 "$precis" quant --replay b/q.gguf.manifest.json --no-eval -o r2.gguf
has err "a/one.txt.* does not lie beside the manifest.*--calib FILE"
expect 3 "$precis" quant --replay b/q.gguf.manifest.json --calib moved/one.txt --calib moved/two.txt --no-eval -o r2.gguf
has err "a/m.gguf.* does not lie beside the manifest.*precis quant MODEL --replay"
expect 0 "$precis" quant moved/m.gguf --replay b/q.gguf.manifest.json --calib moved/one.txt --calib moved/two.txt --no-eval -o r2.gguf
has err "the same bytes"
expect 1 "$precis" quant moved/m.gguf --replay b/q.gguf.manifest.json --calib moved/two.txt --calib moved/one.txt --no-eval -o r3.gguf
has err "moved/two.txt: it has changed since"
expect 2 "$precis" quant moved/m.gguf --replay b/q.gguf.manifest.json --calib moved/one.txt --calib moved/two.txt --calib moved/one.txt --no-eval -o r3.gguf
has err "the manifest has 2 --calib"
expect 2 "$precis" quant moved/m.gguf --replay moved/q.gguf.manifest.json --type Q8_0 -o r3.gguf
has err "type is the manifest's to say"
expect 2 "$precis" quant moved/m.gguf --type Q4_0 --calib - --no-eval -o r3.gguf
echo x >>moved/one.txt
expect 1 "$precis" quant --replay moved/q.gguf.manifest.json --no-eval -o r3.gguf
has err "it has changed since"
[ -e r3.gguf ] && { echo "a refused replay wrote"; failed=1; }

# what a stranger may write into it: other files of the machine, devices, arguments without a hash
echo secret >secret.txt
cat >make.py <<'P'
import json, sys
model, path, args = sys.argv[1:4]
m = {"precis": "manifest", "version": 1, "program": "0.1.0", "seed": 0, "arguments": json.loads(args), "model": {"path": model, "tensors_sha256": "00"}, "output": {"sha256": "00", "bytes": 1}}
m["inputs"] = [{"option": "--calib", "path": path, "sha256": "00"}] if path else []
json.dump(m, open("b/evil.json", "w"))
P
for path in /dev/zero /etc/passwd ../secret.txt "$work/secret.txt" .. . / "" /proc/self/environ; do
    python3 make.py m.gguf "$path" "[\"--type\", \"Q4_0\", \"--calib\", \"$path\"]"
    [ -n "$path" ] || python3 make.py m.gguf "" '["--type", "Q4_0", "--calib", ""]'
    expect 3 timeout -k 1 5 "$precis" quant --replay b/evil.json --no-eval -o r4.gguf
    lacks err "SHA-256"
    python3 make.py "$path" "" '["--type", "Q4_0"]'
    expect 3 timeout -k 1 5 "$precis" quant --replay b/evil.json --no-eval -o r4.gguf
    has err "does not lie beside the manifest"
done
python3 make.py m.gguf /dev/zero '["--type", "Q4_0"]' # an input of no argument
expect 3 timeout -k 1 5 "$precis" quant --replay b/evil.json --no-eval -o r4.gguf
mkfifo b/f
python3 make.py m.gguf f '["--type", "Q4_0", "--calib", "f"]'
expect 3 timeout -k 1 5 "$precis" quant --replay b/evil.json --no-eval -o r4.gguf
has err "a pipe (FIFO)"
python3 make.py m.gguf "" '["--type", "Q4_0", "--output", "secret.txt"]'
expect 3 "$precis" quant --replay b/evil.json --no-eval -o r4.gguf
[ "$(cat secret.txt)" = secret ] || failed=1
if [ -d "$cases/faults/replay_nonregular_hang" ]; then
    expect 3 timeout -k 1 5 "$precis" quant --replay "$cases/faults/replay_nonregular_hang/zero.json" -o r4.gguf
fi

echo "$n commands"
exit $failed
