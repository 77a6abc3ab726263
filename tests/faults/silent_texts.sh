#!/bin/sh
# A text that is none gives figures that look right: it is refused by what it is, with the remedy. What is dropped or odd is said.
. "$(dirname "$0")/../common.sh"

cd "$work" || exit 1
python3 - "$root/data/eval.txt" <<'P'
import bz2, gzip, lzma, sys, zipfile
text = open(sys.argv[1], encoding="utf-8").read()[:6000]
def put(name, data): open(name, "wb").write(data)
put("plain.txt", text.encode())
put("utf16.txt", text.encode("utf-16"))
put("utf16be.txt", b"\xfe\xff" + text.encode("utf-16-be"))
put("utf16le-bare.txt", text.encode("utf-16-le"))
put("utf16be-bare.txt", text.encode("utf-16-be"))
put("utf32.txt", text.encode("utf-32"))
put("latin1.txt", ("caf\xe9 " * 500).encode("latin-1"))
put("cut.txt", (text + "\u00e9").encode()[:-1])
put("late-nul.txt", text.encode() + b"\0" + text.encode())
put("surrogate.txt", text.encode() + b"\xed\xa0\x80")
put("overlong.txt", text.encode() + b"\xc0\xaf")
put("text.gz", gzip.compress(text.encode()))
put("text.bz2", bz2.compress(text.encode()))
put("text.xz", lzma.compress(text.encode()))
put("text.zst", b"\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00aa")
put("text.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + text.encode())
with zipfile.ZipFile("text.zip", "w") as z: z.writestr("a.txt", text)
put("bom.txt", b"\xef\xbb\xbf" + text.encode())
put("crlf.txt", text.replace("\n", "\r\n").encode())
put("bare-bom.txt", b"\xef\xbb\xbf")
P
refuse() { # refuse FILE WHAT: in each place that takes a text
    for as in "tokenize $model -f" "eval $model --ctx 64 --chunks 1 --text" "run $model -n 1 -f" "quant $model --type Q4_0 --no-eval -o q.gguf --calib" "quant $model --type Q4_0 -o q.gguf --text" \
        "profile $model -o p.gguf --calib" "plan $model --bpw 5 --no-profile --calib" "tokenize --render" "law advise --N 1e9 --D 1e10 --formats" "law fit"; do
        expect 3 "$precis" $as "$1"
        has err "$1: .*$2"
    done
}
refuse utf16.txt "UTF-16 text.*iconv -f UTF-16 "
refuse utf16be-bare.txt "UTF-16 text without a byte order mark.*iconv -f UTF-16BE"
refuse text.gz "compressed by gzip.*gzip -dc"
refuse latin1.txt "byte 3 (0xE9) is not UTF-8.*iconv -f WINDOWS-1252"
one() { # one FILE WHAT
    expect 3 "$precis" tokenize "$model" -f "$1"
    has err "$1: .*$2"
}
one utf16be.txt "UTF-16 text"
one utf16le-bare.txt "iconv -f UTF-16LE"
one utf32.txt "UTF-32 text"
one cut.txt "the last character is cut off"
one late-nul.txt "byte 60[0-9]* is 0"
one surrogate.txt "is not UTF-8"
one overlong.txt "is not UTF-8"
one text.bz2 "bzip2"
one text.xz "compressed by xz"
one text.zst "compressed by zstd"
one text.pdf "a PDF document"
one text.zip "a zip archive"
expect 3 sh -c "cat utf16.txt | '$precis' tokenize '$model' -f -"
has err "standard input: .*UTF-16"
# texts apart by NUL bytes stay texts
printf 'one\0two\0' >batch.txt
expect 0 "$precis" tokenize "$model" -f batch.txt --batch
[ "$(wc -l <out)" = 2 ] || { echo "a batch of two gave others"; failed=1; }
expect 3 "$precis" tokenize "$model" -f utf16.txt --batch

# a byte order mark is no text, CRLF is, and both are said
"$precis" tokenize "$model" -f plain.txt >plain.ids
expect 0 "$precis" tokenize "$model" -f bom.txt
has err "note: bom.txt: the byte order mark"
cmp -s out plain.ids || { echo "a byte order mark became tokens"; failed=1; }
expect 0 "$precis" tokenize "$model" -f bare-bom.txt
expect 0 "$precis" tokenize "$model" -f crlf.txt
has err "note: crlf.txt: [0-9]* lines end in CRLF.*tr -d"
expect 0 "$precis" tokenize "$model" -f plain.txt
[ -s err ] && { echo "a note for plain text"; failed=1; }
expect 0 "$precis" quant "$model" --type Q4_0 --calib bom.txt --no-eval -q -o q1.gguf
expect 0 "$precis" quant "$model" --type Q4_0 --calib plain.txt --no-eval -q -o q2.gguf
# tables may have both
printf '\357\273\277N,D,loss\r\n1e6,1e8,4.0\r\n' >table.csv
expect 2 "$precis" law fit table.csv
lacks err "loss\|CRLF"
# more texts than are read are refused, not left out
set --
for i in $(seq 65); do set -- "$@" --calib plain.txt; done
expect 2 "$precis" quant "$model" --type Q4_0 --no-eval -o q3.gguf "$@"
has err "calib may be given 64 times"

echo "$n commands"
exit $failed
