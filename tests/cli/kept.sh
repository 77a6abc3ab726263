#!/bin/sh
# What was measured is kept by content: the second run takes it, with the same bytes; what is damaged, others' or of
# another text is not taken; the folder has an end; two runs at once do not meet; nobody's job fails for it.
# usage: kept.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
kept=$XDG_CACHE_HOME/precis/measured
# a net of one narrow layer, which is measured in a moment
python3 "$root/tests/cli/narrow.py" "$work/narrow"
model=$work/narrow

make() { # make OUT OPTION...: a file under a budget
    out=$1
    shift
    expect 0 "$precis" quant "$model" -o "$work/$out" --max-size 35% --types Q4_0,Q8_0 --no-eval "$@"
}
same() { # same A B
    cmp -s "$work/$1" "$work/$2" || { echo "$1 and $2 differ"; failed=1; }
}
size() { [ ! -d "$kept" ] && echo 0 && return; find "$kept" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'; }

make none.gguf --no-cache
lacks err "measured before"
[ "$(size)" = 0 ] || { echo "--no-cache kept something"; failed=1; }
make first.gguf
lacks err "measured before"
make second.gguf
has err "was measured before and is taken from $kept (--no-cache measures it again)"
[ "$(grep -c "measured before" "$work/err")" = 1 ] || { echo "said more than once"; failed=1; }
lacks err "calibrate"
same none.gguf first.gguf
same none.gguf second.gguf
# another budget needs nothing new; another text or seed does
expect 0 "$precis" quant "$model" --dry-run --bpw 7 --types Q4_0,Q8_0
has err "measured before"
expect 0 "$precis" quant "$model" --dry-run --bpw 7 --types Q4_0,Q8_0 --calib-tokens 1024
lacks err "measured before"
expect 0 "$precis" quant "$model" --dry-run --bpw 7 --types Q4_0,Q8_0 --seed 1
lacks err "measured before"

# levels of effort: best goes on from what normal measured and from where its coder rounds, and says whose codes are told
for level in fast normal best; do
    expect 0 "$precis" quant "$model" -o "$work/$level.gguf" --max-size 35% --types Q4_0,Q8_0 --no-eval --effort $level --json
    cp "$work/out" "$work/$level.json"
done
has err "measured before and is taken from"
python3 - "$work" <<'P' || failed=1
import json, sys
fast, normal, best = (json.load(open(f"{sys.argv[1]}/{level}.json")) for level in ("fast", "normal", "best"))
of = lambda j: {t["method"] for t in j["tensors"]} - {"copy"}
assert "predicted" not in fast and of(fast) == {"search"}, of(fast)
assert normal["predicted"]["coder"] is None and of(normal) == {"gptq"}, of(normal)
assert best["predicted"]["coder"] == "gptq" and best["predicted"]["kld"] == normal["predicted"]["kld"], best["predicted"]
assert of(best) == {"gptq", "round"} and best["bytes"] == normal["bytes"], of(best)
P
cmp -s "$work/normal.gguf" "$work/best.gguf" && { echo "best has the bytes of normal"; failed=1; }
# one figure for one model and one budget, whichever command is asked, and the plan's file has its bytes
for budget in "--max-size 30%" "--bpw 6" "--max-kld 0.05"; do
    # shellcheck disable=SC2086
    expect 0 "$precis" plan "$model" $budget -o "$work/plan.json" --json
    cp "$work/out" "$work/planned"
    # shellcheck disable=SC2086
    expect 0 "$precis" quant "$model" $budget --dry-run --json
    json "(lambda p, q: p['kld'] == q['predicted']['kld'] and p['kld_interval'] == q['predicted']['interval'] and p['bytes'] == q['bytes'] and [t['type'] for t in p['tensors']] == [t['to'] for t in q['tensors']])(json.load(open('$work/planned')), j)"
    json "{t['method'] for t in json.load(open('$work/planned'))['tensors']} == {'copy', 'gptq'}"
    expect 0 "$precis" quant "$model" --plan "$work/plan.json" -o "$work/planned.gguf" --json
    json "j['bytes'] == json.load(open('$work/planned'))['bytes']"
done
expect 0 "$precis" plan "$model" --bpw 6
has out "of codes by  *gptq"

# one bit that is wrong, a cut, a file that others can write, a link, another key's content: not believed, and made anew
damage() { # damage COMMAND...: done to each file
    for f in "$kept"/*.kept; do "$@" "$f"; done
    rm -f "$work/again.gguf"
    make again.gguf
    has err "damaged, or not this user's alone"
    lacks err "taken from"
    same none.gguf again.gguf
    make again.gguf
    has err "taken from"
}
flip() { python3 -c "import sys; p = sys.argv[1]; d = bytearray(open(p, 'rb').read()); d[-9] ^= 1; open(p, 'wb').write(d)" "$1"; }
cut() { truncate -s -1 "$1"; }
empty() { truncate -s 0 "$1"; }
swap() { cat "$work/first.kept" >"$1"; }
damage flip
damage cut
damage empty
damage chmod 666
cp "$(find "$kept" -name '*.kept' | sort | head -1)" "$work/first.kept"
for f in "$kept"/*.kept; do cmp -s "$f" "$work/first.kept" || swap "$f"; done
make again.gguf
has err "damaged"
same none.gguf again.gguf
for f in "$kept"/*.kept; do mv "$f" "$work/moved" && ln -s "$work/moved" "$f"; done
make again.gguf
lacks err "taken from"
same none.gguf again.gguf

# the folder has an end, and what is none of its files stays
rm -f "$kept"/*
for i in 1 2 3 4 5 6; do truncate -s 60M "$kept/$(printf '%064d' $i).kept"; done
echo mine >"$kept/notes"
make again.gguf
[ "$(size)" -le 268435456 ] || { echo "$(size) bytes are kept"; failed=1; }
[ -f "$kept/notes" ] || { echo "a file of somebody else's is gone"; failed=1; }
make again.gguf
has err "taken from"

# two at once
rm -f "$kept"/*.kept
for i in 1 2; do
    "$precis" quant "$model" -o "$work/twin$i.gguf" --max-size 35% --types Q4_0,Q8_0 --no-eval -q \
        >/dev/null 2>&1 &
done
wait
same none.gguf twin1.gguf
same none.gguf twin2.gguf
make again.gguf
has err "taken from"

# no place for it
rm -rf "$kept"
echo "no folder" >"$kept"
make again.gguf
same none.gguf again.gguf

echo "$n commands"
exit $failed
