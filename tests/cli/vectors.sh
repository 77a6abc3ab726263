#!/bin/sh
# Training against torch: the cases kept here, those beside the checkout where they are, the same bytes for any number of
# threads, and refusals by name of what a case must not ask for. usage: vectors.sh PRECIS_VECTORS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
own=$root/tests/vectors/cases.json
given=$root/../shared/reference/train

expect 0 "$precis" "$own"
cp "$work/out" "$work/one"
expect 0 python3 "$root/tests/vectors/check.py" "$own" "$work/one"
[ $failed = 0 ] || grep -v ' cases, ' "$work/out"
for threads in 1 3 7; do
    expect 0 "$precis" "$own" "" $threads
    cmp -s "$work/out" "$work/one" || { echo "other bytes with $threads threads"; failed=1; }
done

if [ -f "$given/vectors.json" ]; then
    expect 0 "$precis" "$given/vectors.json"
    cp "$work/out" "$work/given"
    expect 0 python3 "$given/check_vectors.py" "$given/vectors.json" "$work/given"
    has out '^[0-9]* passed, 0 failed, 0 missing$'
else echo "skipped: shared/reference/train/vectors.json"; fi

# What is not known is named, and the case has no result; others have theirs.
python3 - "$own" "$work" <<'E2'
import copy, json, sys
cases = json.load(open(sys.argv[1]))["cases"]
first = next(c for c in cases if c["family"] == "optimizer")
def write(name, change):
    c = copy.deepcopy(first)
    change(c)
    json.dump({"cases": [c, next(x for x in cases if x["family"] == "muon")]}, open(sys.argv[2] + "/" + name, "w"))
write("family", lambda c: c.update(family="mystery"))
write("attribute", lambda c: c["attr"].update(amsgrad=True))
write("input", lambda c: c["in"].update(q=c["in"]["p0"]))
write("name", lambda c: c["attr"].update(name="lion"))
write("lacking", lambda c: c["attr"].pop("lr"))
E2
for kind in family attribute input name lacking; do
    expect 1 "$precis" "$work/$kind"
    json 'list(j) == ["own-muon-1"]'
    case $kind in
    family) has err 'the family mystery is not known' ;;
    attribute) has err 'attribute amsgrad is not known' ;;
    input) has err 'input q is not known' ;;
    name) has err 'the optimizer lion is not known' ;;
    lacking) has err 'attribute lr is missing' ;;
    esac
done
echo '{"cases": 3}' >"$work/none"
expect 3 "$precis" "$work/none"
exit $failed
