#!/bin/sh
# usage: carried.sh PRECIS SOURCE_FOLDER. The models of models/books-7m are those that SOURCE.txt names, and lose what
# it says.
. "$2/tests/common.sh"

books=$root/models/books-7m
sed -n 's/^\([0-9a-f]\{64\}  [^ ]*\).*/\1/p' "$books/SOURCE.txt" >"$work/sums"
[ "$(wc -l <"$work/sums")" = "$(ls "$books"/*.gguf | wc -l)" ] || { echo "SOURCE.txt does not name every model"; failed=1; }
(cd "$books" && sha256sum -c --quiet "$work/sums") || failed=1

# said NAME FIELD: of a model's line; 4 is the perplexity of data/eval.txt, 5 that of valid.txt, where it is at hand
said() { awk -v name="$1" -v at="$2" '$2 == name { print $at }' "$books/SOURCE.txt"; }
same() { # same NAME TEXT FIELD
    expect 0 "$precis" eval "$books/$1" --text "$2" --ctx 256 --weights-only --json -q
    json "abs(j['ppl'] / $(said "$1" "$3") - 1) < 0.002"
}
for file in "$books"/*.gguf; do
    name=$(basename "$file")
    same "$name" "$root/data/eval.txt" 4
    [ ! -f "$root/../shared/data/gutenberg-7m/valid.txt" ] || same "$name" "$root/../shared/data/gutenberg-7m/valid.txt" 5
    expect 0 "$precis" run "$file" -p "It was a dark" -n 8 --seed 1 -q
    [ -s "$work/out" ] || { echo "$name says nothing"; failed=1; }
done
echo "$n commands"
exit $failed
