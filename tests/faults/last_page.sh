#!/bin/sh
# An input that is cut short within its last page while it is mapped reads as zeros, without a signal: no command takes that
# for a result. usage: last_page.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

[ -z "${SANITIZE:-}" ] || { echo "skipped: a sanitizer must be the first library"; exit 0; }
cc -shared -fPIC -O1 "$root/tests/faults/calls.c" -o "$work/calls.so" -ldl || exit 1
"$precis" convert "$model" -o "$work/whole.gguf" -q >/dev/null
head -c 3000 "$root/data/eval.txt" >"$work/text"

# cut COMMAND...: m.gguf is whole when it is opened, and 50 bytes shorter once it is mapped
cut() {
    cp "$work/whole.gguf" "$work/m.gguf"
    rm -rf "$work/o.gguf" "$work/folder"
    expect 3 env LD_PRELOAD="$work/calls.so" CUT="$work/m.gguf" BYTES=50 "$precis" "$@" -q
    has err "m.gguf"
    for f in o.gguf folder; do [ ! -e "$work/$f" ] || { echo "$1 made $f of a file that was cut"; failed=1; }; done
}
cut run "$work/m.gguf" -p hello -n 2 --temp 0
cut eval "$work/m.gguf" --text "$work/text" --ctx 128
cut eval "$work/m.gguf" --ids 3,4,5
cut profile "$work/m.gguf" --calib "$work/text" --tokens 200
cut inspect "$work/m.gguf"
cut inspect "$work/m.gguf" --check
cut tokenize "$work/m.gguf" -p hello
cut plan "$work/m.gguf" --max-size 40%
cut quant "$work/m.gguf" --type Q4_0 --no-calib --no-eval -o "$work/o.gguf"
cut convert "$work/m.gguf" -o "$work/o.gguf"
cut convert "$work/m.gguf" -o "$work/folder" --format safetensors
# a file that is left alone is none of it
cp "$work/whole.gguf" "$work/m.gguf"
expect 0 "$precis" eval "$work/m.gguf" --ids 3,4,5
echo "$n commands"
exit $failed
