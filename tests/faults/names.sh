#!/bin/sh
# Names and texts of files: no bytes that are no text, and none that command a terminal, reach a terminal, JSON or another
# container; a string is read whole or refused. usage: names.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

cat >"$work/make.py" <<'E'
import struct, sys
# make.py OUT KEY TEXT TENSOR: one key and one tensor; arguments with escapes
def raw(s): return s.encode().decode("unicode_escape").encode("latin-1")
def text(b): return struct.pack("<Q", len(b)) + b
out, key, value, tensor = sys.argv[1], raw(sys.argv[2]), raw(sys.argv[3]), raw(sys.argv[4])
head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
head += text(b"general.architecture") + struct.pack("<I", 8) + text(b"none") + text(key) + struct.pack("<I", 8) + text(value)
head += text(tensor) + struct.pack("<IQQIQ", 2, 32, 1, 0, 0)
open(out, "wb").write(head + b"\0" * (-len(head) % 32) + b"\0" * 128)
E
make() { python3 "$work/make.py" "$work/m.gguf" "$@" || failed=1; }
clean() { # clean FILE: printable UTF-8 and newlines
    python3 -c "
import sys, unicodedata
t = open(sys.argv[1], 'rb').read().decode('utf-8')
assert not [c for c in t if c != '\n' and unicodedata.category(c) == 'Cc'], t" "$work/$1" 2>"$work/why" || { echo "$1 is not clean: $(tail -1 "$work/why")"; failed=1; }
}
refused() { # refused KEY TEXT TENSOR
    make "$@"
    for command in inspect "inspect --json --keys" "inspect --check"; do
        set -- $command
        verb=$1
        shift
        expect 3 "$precis" $verb "$work/m.gguf" "$@"
        clean err
        clean out
    done
}

make some.key 'a text' a.weight
expect 0 "$precis" inspect "$work/m.gguf" --json --keys
json "j['keys']['some.key'] == '\"a text\"' and j['tensors'][0]['name'] == 'a.weight'"
refused some.key text 'a\xff.weight'
refused some.key text 'a\x1b[31m.weight'
refused some.key text 'a\xc2\x9b31m.weight'
refused 'some\x80.key' text a.weight
refused 'some\x07.key' text a.weight
refused some.key 'cut\x00here' a.weight
has err "NUL"
# a value may be any bytes: they are shown as what they are
make some.key '\x1b]0;title\x07 \xff\xfe \xc3\xa9 end' a.weight
expect 0 "$precis" inspect "$work/m.gguf" --keys
clean out
has out 'x1b\]0;title.x07 .xff.xfe é end'
expect 0 "$precis" inspect "$work/m.gguf" --json --keys
clean out
json "'\\\\xff' in j['keys']['some.key'] and 'é' in j['keys']['some.key']"
# a long one is not cut within a character
make some.key '\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9x\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9' a.weight
expect 0 "$precis" inspect "$work/m.gguf" --json --keys
clean out

# safetensors' own library takes strings in __metadata__, each key once
st() { # st CODE HEADER
    python3 - "$work/m.safetensors" "$2" <<'E'
import struct, sys
h = sys.argv[2].encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(h)) + h + b"\0" * 8)
E
    expect "$1" "$precis" inspect "$work/m.safetensors"
}
t='"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}'
st 0 "{\"__metadata__\": {\"format\": \"pt\", \"x\": \"\"}, $t}"
st 0 "{\"__metadata__\": {}, $t}"
st 3 "{\"__metadata__\": {\"format\": 1}, $t}"
has err "__metadata__"
st 3 "{\"__metadata__\": {\"format\": null}, $t}"
st 3 "{\"__metadata__\": {\"format\": {\"a\": \"b\"}}, $t}"
st 3 "{\"__metadata__\": [\"format\"], $t}"
st 3 "{\"__metadata__\": {\"a\": \"1\"}, \"__metadata__\": {\"b\": \"2\"}, $t}"
has err "twice"
st 3 "{\"__metadata__\": {\"a\": \"1\", \"a\": \"2\"}, $t}"
st 3 "{\"a\\u001b[31m\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}"
clean err

# a path that is no UTF-8: JSON and manifests cannot hold it, and say so before work is done
bad=$(printf '%s/m\377.gguf' "$work")
python3 "$root/tests/faults/counts.py" "$work/plain.gguf" && cp "$work/plain.gguf" "$bad"
expect 0 "$precis" inspect "$bad"
expect 2 "$precis" quant "$bad" --type Q8_0 --no-calib --no-eval -o "$work/q.gguf"
has err "UTF-8"
clean err
[ -e "$work/q.gguf" ] && { echo "an output is left"; failed=1; }
expect 2 "$precis" convert "$work/plain.gguf" --json -o "$bad.gguf"
clean err
echo "$n commands"
exit $failed
