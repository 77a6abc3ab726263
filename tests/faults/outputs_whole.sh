#!/bin/sh
# Outputs are there whole, with the manifest of the same run, or not at all: limits, full disks, signals, links in the
# way, several writers at once, shapes that a container cannot hold.
# usage: outputs_whole.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
cd "$work" || exit 1
python3 "$root/tests/faults/tiny_models.py" . || exit 1
quant() { expect "$1" "$precis" quant m.gguf --type Q4_0 --no-calib --no-eval -q -t 1 -o "$2"; }
none() { # none FOLDER [NAME...]: nothing else is in it
    folder=$1
    shift
    [ "$(ls -A "$folder" | tr '\n' ' ')" = "$*${*:+ }" ] || { echo "in $folder: $(ls -A "$folder" | tr '\n' ' '), not $*"; failed=1; }
}

history=1
touch empty.sqlite
if "$precis" eval --history --results empty.sqlite 2>&1 | grep -q "without SQLite"; then
    history=0
    echo "SKIP results on a full disk: this build has no SQLite"
fi

# A limit on files is a full disk, not a signal that kills.
mkdir limit
(
    ulimit -f 16
    quant 4 limit/q.gguf
    expect 4 "$precis" convert m.gguf --format safetensors -o limit/folder
    expect 4 "$precis" convert hf --format gguf -o limit/m.gguf
    expect 4 "$precis" inspect m.gguf --tensor output.weight -o limit/raw
    expect 4 "$precis" eval m.gguf --against m.gguf --text calib.txt --ctx 32 --chunks 2 --logits limit/l.gguf
    exit $failed
) || failed=1
none limit
(
    ulimit -f 1
    if [ "$history" = 1 ]; then expect 4 "$precis" eval m.gguf --tasks tasks.jsonl --results limit/r.sqlite; fi
    expect 4 "$precis" profile m.gguf -o limit/im.gguf --calib calib.txt --tokens 64
    exit $failed
) || failed=1
rm -f limit/r.sqlite

# A full disk, where one can be made.
mkdir full
if mount -t tmpfs -o size=24k tmpfs full 2>/dev/null; then
    quant 4 full/q.gguf
    none full
    expect 4 "$precis" convert m.gguf --format safetensors -o full/folder
    none full
    umount full
fi

# A link in the way of a temporary name is not followed, and the outputs' own older files are replaced, not written
# through.
mkdir links
echo keep >links/victim
for name in q.gguf.manifest.json.part q.gguf.part .q.gguf.part; do ln -s victim links/$name; done
ln links/victim links/q.gguf.manifest.json
quant 0 links/q.gguf
[ "$(cat links/victim)" = keep ] || { echo "a link was written through"; failed=1; }

# Three writers of one name: model and manifest are of one run.
mkdir race
for turn in 1 2 3 4 5 6 7 8; do
    for type in Q4_0 Q8_0 Q5_0; do "$precis" quant m.gguf --type $type --no-calib --no-eval -q -t 1 -o race/o.gguf >/dev/null 2>&1 & done
    wait
    grep -q "$(sha256sum <race/o.gguf | cut -c1-64)" race/o.gguf.manifest.json || { echo "turn $turn: the manifest is of another file"; failed=1; }
done
none race o.gguf o.gguf.manifest.json

# Signals: a folder is whole or not there, and its name's empty folder stays; so for files.
mkdir signal
# On a busy machine a program is not yet begun after a pause: what it does about signals is waited for, of which the last
# is to ignore SIGXFSZ, bit 24 of SigIgn.
handles() { # handles PID
    while ignored=$(sed -n 's/^SigIgn:.*\(.\)......$/\1/p' "/proc/$1/status" 2>/dev/null) && [ -n "$ignored" ]; do
        case $ignored in [13579bdf]) return ;; esac
        sleep 0.01
    done
}
for signal in INT TERM HUP XFSZ PIPE; do
    for pause in 0.005 0.05; do
        mkdir signal/folder
        setsid "$precis" convert "$model" --format safetensors -o signal/folder -q -t 1 >/dev/null 2>&1 &
        job=$!
        handles $job
        sleep $pause
        kill -$signal $job 2>/dev/null
        wait $job 2>/dev/null
        code=$?
        none signal folder
        case $code in 0) [ -s signal/folder/model.safetensors ] && [ -s signal/folder/config.json ] || { echo "$signal: exit 0 and no whole folder"; failed=1; } ;;
        130) none signal/folder ;;
        *) echo "$signal: exit $code"; failed=1 ;;
        esac
        rm -r signal/folder
    done
done

# A folder with something in it stays as it is.
mkdir used
echo keep >used/file
expect 2 "$precis" convert m.gguf --format safetensors -o used
none used file
ln -s nowhere dangling
expect 2 "$precis" convert m.gguf --format safetensors -o dangling
mkdir empty
expect 0 "$precis" convert m.gguf --format safetensors -o empty/
expect 0 "$precis" inspect empty --check

# Shapes: what cannot be held is refused before work starts; what is written can be read.
for command in "quant unknown5 --type Q8_0 --no-calib --no-eval" "convert unknown5 --format gguf" \
    "convert unknown5 --format packed" "quant unknown5 --type Q8_0 --dry-run"; do
    # shellcheck disable=SC2086 # words of a command
    expect 3 "$precis" $command -o five.gguf
    has err "has [58] dimensions, and a GGUF holds at most 4"
    [ ! -e five.gguf ] || { echo "$command: left a file"; failed=1; }
done
# What is no part of a known net is left out of a GGUF, which says so, and kept by a folder.
expect 0 "$precis" convert five --format gguf -o five.gguf
has err "left out of GGUF files: visual"
expect 0 "$precis" inspect five.gguf --check
expect 0 "$precis" convert five --format safetensors -o five.hf
grep -q '"visual.patch_embed.proj.weight":{[^}]*\[4,3,2,2,2\]' five.hf/model.safetensors || { echo "five dimensions are lost"; failed=1; }
grep -q '"visual.norm":{[^}]*\[32,1,1,1,1,1,1,1\]' five.hf/model.safetensors || { echo "eight dimensions are lost"; failed=1; }
expect 0 "$precis" inspect five.hf --check
# A part of the net has the shape that the net needs.
expect 3 "$precis" convert hf8 --format safetensors -o hf8.hf
has err "blk.0.ffn_norm.weight is F32"
[ ! -e hf8.hf ] || { echo "a folder of a wrong shape"; failed=1; }
for command in "quant scalar --type Q8_0 --no-calib --no-eval -q" "quant scalar --type Q8_0 --format packed --no-calib --no-eval -q" "convert scalar --format gguf" "convert scalar --format packed"; do
    case $command in *packed*) out=scalar.packed.gguf ;; *) out=scalar.gguf ;; esac
    # shellcheck disable=SC2086 # words of a command
    expect 0 "$precis" $command -o $out
    expect 0 "$precis" inspect $out --json
    json "any(t['name'].endswith('k_scale') and t['shape'] == [1] for t in j['tensors'])"
done
if [ -d "$cases/faults" ]; then
    expect 3 "$precis" quant "$cases/faults/quant_writes_5d_gguf/m.safetensors" --type Q8_0 -o x.gguf --no-calib --no-eval
    expect 3 "$precis" convert "$cases/faults/convert_8d_wrong_shape/hf" -o OUT --format safetensors
fi

# Temporary files are where TMPDIR says, and gone afterwards.
mkdir tmp
TMPDIR=$work/tmp expect 0 "$precis" eval m.gguf --ladder Q8_0 --text calib.txt --ctx 32 --chunks 1 --calib calib.txt
none tmp
TMPDIR=$work/none expect 3 "$precis" eval m.gguf --ladder Q8_0 --text calib.txt --ctx 32 --chunks 1 --calib calib.txt
has err "$work/none"
exit $failed
