#!/bin/sh
# eval of nets of arrays: figures as eval_nets.py computes them, every form of samples, and what is refused.
# usage: eval_nets.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
python3 "$root/tests/cli/eval_nets.py" make "$f" || exit 1
figures() { # figures NAME: the last output
    python3 "$root/tests/cli/eval_nets.py" want "$f" "$1" <"$work/out" || failed=1
}
eval_net() { # eval_net CODE NET ARGUMENTS
    code=$1 net=$2
    shift 2
    expect "$code" "$precis" eval "$f/$net.onnx" --json "$@"
}

# Every form of samples, any batch, any number of threads: the same figures.
eval_net 0 free --data "$f/x.npy" --labels "$f/y.npy"
figures net
cp "$work/out" "$work/first"
for batch in 1 5 64; do
    eval_net 0 free --data "$f/x.npy" --labels "$f/y.txt" --batch "$batch" --threads 2
    cmp "$work/out" "$work/first" || failed=1
done
for data in "$f/x.npz" "$f/npz" "x=$f/x.npy" "x=$f/npz"; do
    eval_net 0 free --data "$data" --labels "$f/y.npy"
    cmp "$work/out" "$work/first" || failed=1
done
for net in one five; do # a batch that is fixed
    eval_net 0 "$net" --data "$f/x.npy" --labels "$f/y.npy"
    cmp "$work/out" "$work/first" || failed=1
done
eval_net 0 free --data "$f/x.npy" --labels "$f/y.npy" --limit 5
json "j['n'] == 5"
eval_net 0 free --data "$f/x.npy"
json "j['accuracy'] is None and j['agree'] is None and j['sqnr_db'] is None and j['n'] == 37"
eval_net 0 two --data "a=$f/a.npy" --data "b=$f/b.npy" --labels "$f/ab.npy"
json "j['accuracy'] == .5" # (2, 4) is class 1; (3, 5) is class 1

# Two nets, and the gate: its exit code is the verdict.
eval_net 0 other --against "$f/free.onnx" --data "$f/x.npy" --labels "$f/y.npy"
figures pair
eval_net 0 free --against "$f/one.onnx" --data "$f/x.npy" --labels "$f/y.npy"
json "j['identical'] and j['agree'] == 1 and j['sqnr_db'] is None and j['to_wrong'] == j['to_right'] == 0"
eval_net 0 free --against "$f/free.onnx" --data "$f/x.npy" --labels "$f/y.npy" --gate --max-drop 0.2
json "j['gate']['verdict'] == 'ACCEPT'"
eval_net 5 other --against "$f/free.onnx" --data "$f/x.npy" --labels "$f/y.npy" --gate --max-drop 1%
json "j['gate']['verdict'] == 'UNDECIDED' and j['gate']['items_needed'] > 37"
eval_net 2 other --data "$f/x.npy" --labels "$f/y.npy" --gate --max-drop 1%
eval_net 2 other --against "$f/free.onnx" --data "$f/x.npy" --labels "$f/y.npy" --gate
eval_net 2 other --against "$f/free.onnx" --data "$f/x.npy" --gate --max-drop 1%

# Node by node: what each added, why, and what the remedy is predicted to bring.
for net in good narrow wide fine; do
    eval_net 0 $net --against "$f/deep.onnx" --data "$f/x.npy" --nodes --limit 37
    figures $net
done
eval_net 0 one_scale --against "$f/outliers.onnx" --data "$f/x.npy" --nodes
figures one_scale
expect 0 "$precis" eval "$f/narrow.onnx" --against "$f/deep.onnx" --data "$f/x.npy" --nodes
has out "h: clipped"
for way in "static --static --calib $f/x.npy" "dynamic --dynamic" "weights --weight-only"; do
    expect 0 "$precis" quant "$f/folded.onnx" ${way#* } --no-speed -o "$f/folded_${way%% *}.onnx"
    eval_net 0 "folded_${way%% *}" --against "$f/folded.onnx" --data "$f/x.npy" --nodes
    figures "folded_${way%% *}"
done
# A result that is called as another node is matched with what its own node gives; an output's codes are its own.
expect 0 "$precis" quant "$f/crossed.onnx" --static --calib "$f/x.npy" --no-speed -o "$f/q_crossed.onnx"
eval_net 0 q_crossed --against "$f/crossed.onnx" --data "$f/x.npy" --nodes
json "len(j['nodes']) == 6 and all(n['added_db'] is None or n['added_db'] > 30 for n in j['nodes'])"
json "all(n['cause'] != 'weights' for n in j['nodes'] if n['name'] == 'b' and 'cause' in n)"
eval_net 2 good --data "$f/x.npy" --nodes
eval_net 2 good --against "$f/deep.onnx" --data "$f/x.npy" --labels "$f/y.npy" --nodes

# Places and boxes.
eval_net 0 noise --against "$f/seg.onnx" --data "$f/seg.npy" --labels "$f/segy.npy"
figures seg
eval_net 0 det --data "$f/det.npy" --labels "$f/det.json"
figures det
eval_net 0 yolo --data "$f/yolo.npy" --labels "$f/det.json" --detections yolov8
figures yolo
eval_net 2 det --data "$f/det.npy" --labels "$f/det.json" --detections parts
has err "is not of the form parts"
eval_net 3 det --data "$f/det.npy" --labels "$f/wrong.json"
has err "boxes"

eval_net 0 det --against "$f/det.onnx" --data "$f/det.npy" --detections xyxy --least 0.5
json "j['labels'] == 'reference' and j['map'] == j['map_reference'] == j['map50'] == 1 and j['drop'] == 0"

# Sequences: labels in three forms, both orders of an output; without labels, what the reference reads is right.
for labels in said.json said.txt said.npy; do
    for net in read times; do
        eval_net 0 $net --data "$f/read.npy" --labels "$f/$labels" --sequence ctc
        figures read
    done
done
eval_net 0 misread --data "$f/read.npy" --labels "$f/said.json" --sequence ctc --batch 1
figures misread
eval_net 0 read --data "$f/read.npy" --labels "$f/said.json" --sequence ctc --blank -1
figures last
eval_net 0 misread --against "$f/read.onnx" --data "$f/read.npy" --sequence ctc
figures float
json "j['to_wrong'] > 0 and j['to_right'] == 0 and j['mcnemar_p'] <= 1"
eval_net 1 misread --against "$f/read.onnx" --data "$f/read.npy" --sequence ctc --gate --max-drop 1%
json "j['gate']['verdict'] == 'REJECT'"
eval_net 2 read --data "$f/read.npy" --labels "$f/said.json"
has err "has sequences: say how they lie"
eval_net 2 read --data "$f/read.npy" --labels "$f/said.json" --sequence beam
has err 'sequences of the form "beam"'
eval_net 2 read --data "$f/read.npy" --labels "$f/det.json" --sequence ctc
eval_net 3 read --data "$f/read.npy" --labels "$f/ragged.json" --sequence ctc
has err "sequences"

# Scores of pairs, of tokens under a mask, of samples.
for labels in pairs.npy pairs.txt; do
    for batch in 16 1 7; do
        eval_net 0 rows --data "$f/even.npy" --labels "$f/$labels" --batch $batch
        figures rows
    done
done
eval_net 0 tokens --data "x=$f/tokens.npy" --data "attention_mask=$f/mask.npy" --labels "$f/pairs.npy"
figures tokens
eval_net 2 tokens --data "x=$f/tokens.npy" --data "attention_mask=$f/mask.npy" --labels "$f/pairs.npy" --mask none
has err "no input"
eval_net 0 number --data "$f/x.npy" --labels "$f/number.npy"
figures number
eval_net 2 rows --data "$f/x.npy" --labels "$f/pairs.npy"
has err "each pair has a score"
eval_net 0 rows --against "$f/rows.onnx" --data "$f/even.npy" --labels "$f/pairs.npy" --gate --max-drop 1%
json "j['gate']['verdict'] == 'ACCEPT' and j['drop'] == 0"

# Images: classes by their folders; a net that needs one size says so.
if "$precis" eval "$f/mean.onnx" --data "$f/images" --resize 4x4 >/dev/null 2>"$work/err"; then
    eval_net 2 mean --data "$f/images" --resize 4x4 --labels "$f/y.npy"
    has err "has 37 labels, there are 4 samples"
    eval_net 0 mean --data "$f/images" --resize 4 --crop 4 --mean 0.5 --std 0.25,0.5,1
    json "j['n'] == 4 and j['accuracy'] is not None" # cat and dog are labels
    for way in alpha deep gamma key; do # colors as they stand: none of these changes one
        eval_net 0 handed --against "$f/picture.onnx" --data "$f/as_$way"
        json "j['identical']"
    done
    eval_net 2 mean --data "$f/images"
    has err "images/cat/0.png is F32 \[3, 4, 6\], the net takes F32 \[?, 3, 4, 4\]"
    eval_net 2 mean --data "$f/images" --crop 5
    has err "0.png: is 6 x 4 pixels, less than"
    mkdir "$work/bad"
    cp "$f/broken.png" "$work/bad"
    eval_net 3 mean --data "$work/bad" --resize 4x4
    has err "broken.png: is no sound PNG"
    rm "$work/bad/broken.png"
    cp "$f/bomb.png" "$work/bad"
    eval_net 3 mean --data "$work/bad" --resize 4x4
    has err "bomb.png: claims 16000 x 16000 pixels in"
    rm "$work/bad/bomb.png"
    printf '\377\330\377\340garbage' >"$work/bad/x.jpg"
    eval_net 3 mean --data "$work/bad" --resize 4x4
    has err "x.jpg"
else
    has err "cannot read PNG"
    echo "SKIP images: this build reads none"
fi

# What is not the net's, or no number, is said by name.
eval_net 3 log --data "$f/positive.npy"
has err "output y of the net is NaN (element 2 of sample 5 of .*positive.npy)"
eval_net 2 free --data "$f/f8.npy"
has err "input x: sample 0 of .*f8.npy is F64 \[4\], the net takes F32 \[?, 4\]"
eval_net 2 free --data "$f/x.npy" --labels "$f/ab.npy"
has err "has 2 labels, there are 37 samples"
eval_net 2 free --data "$f/x.npy" --labels "$f/high.npy"
has err "the label of sample 0 is 3; output y has classes 0 to 2"
eval_net 3 free --data "$f/x.npy" --labels "$f/bad.txt"
has err "bad.txt: line 2 is no number"
eval_net 2 two --data "a=$f/a.npy"
has err "input b of the net has no samples"
eval_net 2 two --data "$f/a.npy"
has err "for which of the net's inputs"
eval_net 2 two --data "a=$f/a.npy" --data "b=$f/x.npy"
has err "x.npy has 37 samples, others have 2"
eval_net 2 two --data "a=$f/a.npy" --data "a=$f/b.npy" --data "b=$f/b.npy"
has err "b.npy has 2 samples, others have 4"
eval_net 0 two --data "a=$f/a.npy" --data "b=$f/b.npy" --data "a=$f/a.npy" --data "b=$f/b.npy" --against "$f/two.onnx" --json
json "j['n'] == 4 and j['agree'] == 1"
eval_net 2 free --data "$f/x.npy" --against "$f/two.onnx"
eval_net 2 free --data "$f/x.npy" --text "$f/y.txt"
has err "is for language models"
eval_net 2 free
has err "give its samples"
expect 3 "$precis" eval "$f/free.onnx" --data "$f/none.npy"
expect 2 "$precis" eval "$model" --labels "$f/y.npy"
has err "is for nets of arrays"

# Damaged archives of arrays.
python3 - "$f" "$work" <<'EOF' || exit 1
import sys, zipfile
f, work = sys.argv[1:]
data = open(f + "/x.npz", "rb").read()
open(work + "/cut.npz", "wb").write(data[:-10])
open(work + "/bits.npz", "wb").write(data[:60] + bytes(b ^ 255 for b in data[60:64]) + data[64:])
at = data.rindex(b"PK\1\2") + 24 # the size in the central directory
open(work + "/claims.npz", "wb").write(data[:at] + b"\xf0\xff\xff\x7f" + data[at + 4:])
z = zipfile.ZipFile(work + "/text.npz", "w")
z.writestr("x.txt", "no array")
z.close()
z = zipfile.ZipFile(work + "/other.npz", "w")
z.writestr("z.npy", open(f + "/x.npy", "rb").read())
z.close()
EOF
for bad in cut bits claims text; do
    eval_net 3 free --data "$work/$bad.npz"
    has err "$bad.npz"
    expect 3 "$precis" run "$f/free.onnx" --input "$work/$bad.npz"
done
eval_net 2 free --data "$work/other.npz"
has err "has no array x"

# run takes an archive, too, and gives what it gives for .npy.
expect 0 "$precis" run "$f/free.onnx" --input "$f/x.npz" --output-dir "$work/a"
expect 0 "$precis" run "$f/free.onnx" --input "x=$f/x.npy" --output-dir "$work/b"
cmp "$work/a/y.npy" "$work/b/y.npy" || failed=1
[ $failed = 0 ] && echo "$n commands"
exit $failed
