#!/bin/sh
# Pages of eval, plan and bench: one file each that needs nothing else, with the figures that the command prints.
# usage: pages.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

page() { # page FILE FIGURES: whole, well-formed, nothing fetched, letters as large as a telephone needs
    python3 - "$1" "$2" <<'P' || failed=1
import html, re, sys
import xml.etree.ElementTree as tree
text = open(sys.argv[1], encoding="utf-8").read()
assert text.startswith("<!doctype html>") and text.rstrip().endswith("</html>"), "not whole"
assert "width=device-width" in text and "<script" not in text
assert not re.search(r"(?:src|href)=|@import|url\((?!#)", text), "something is fetched"
# tables: as wide as the longest word of each column makes them, on a telephone
narrow = text.find("@media(max-width:30rem)") + 1
letter, padding = (16 * float(re.search(p, text[text.index(at, narrow):]).group(1)) for at, p in
                   (("table{", r"font-size:([.0-9]+)rem"), ("td,th{", r"padding:[.0-9]+rem ([.0-9]+)rem")))
for table in re.findall(r"<table.*?</table>", text, re.S):
    rows = [[max(map(len, html.unescape(re.sub("<[^>]*>", "", c)).split() or [""])) for c in re.findall(r"<t[dh].*?</t[dh]>", r, re.S)]
            for r in re.findall(r"<tr.*?</tr>", table, re.S)]
    width = sum(.58 * letter * max(column) + 2 * padding for column in zip(*rows))
    assert letter >= 12 and width <= 390 - 2 * 16, f"a table of {width:.0f} pixels, letters of {letter}"
figures = re.findall(r"<svg.*?</svg>", text, re.S)
assert len(figures) == int(sys.argv[2]), f"{len(figures)} figures"
for f in figures:
    root = tree.fromstring(f)
    width, height = map(float, root.get("viewBox").split()[2:])
    letters = float(root.get("font-size"))
    room = 390 - 2 * 16 - 2 # a telephone's, less the page's padding and the figure's border
    assert letters * min(1, room / width) >= 12, f"letters of {letters * room / width:.1f} pixels on a telephone"
    ns = "{http://www.w3.org/2000/svg}"
    frame = next(r for r in root.iter(ns + "rect") if r.get("fill") == "none" and r.get("stroke") == "#888")
    bottom = float(frame.get("y")) + float(frame.get("height"))
    texts = [(t.text, float(t.get("x")), float(t.get("y"))) for t in root.iter(ns + "text")]
    inside = [t for t in texts if float(frame.get("x")) < t[1] and float(frame.get("y")) < t[2] < bottom]
    assert not inside, f"a legend over curves: {inside}"
    assert all(0 <= t[1] <= width and 0 <= t[2] <= height for t in texts)
    begun = [t for t in root.iter(ns + "text") if t.get("text-anchor") is None]
    long = [t.text for t in begun if float(t.get("x")) + .53 * letters * len(t.text) > width]
    assert not long, f"longer than the figure: {long}"
    middle = [t for t in root.iter(ns + "text") if t.get("text-anchor") == "middle"]
    ticks, label = [t.text for t in middle if float(t.get("y")) < bottom + 20], middle[-1].text
    assert ticks and label not in ticks
    if label.split(",")[0] in ("run", "layer", "scored token", "threads"):
        assert all(float(t).is_integer() for t in ticks), f"there is no {label} {ticks}"
    numbers = [t for t in root.iter(ns + "text") if t.get("text-anchor") == "end"]
    cut = [t.text for t in numbers if float(t.get("x")) < 7 * len(t.text)]
    assert not cut and not any(re.search(r"e[+-]0", t.text) for t in numbers), f"numbers: {cut}"
    heights = sorted(float(t.get("y")) for t in numbers)
    assert all(b - a >= 12 for a, b in zip(heights, heights[1:])), f"numbers over one another: {heights}"
    assert re.search(r' d="M[0-9]', f) or "<circle" in f, "an empty figure"
P
}
expect 0 "$precis" quant "$model" --type Q3_K_S --no-calib --no-eval -o "$work/q.gguf" -q
expect 0 "$precis" eval "$work/q.gguf" --against "$model" --chunks 4 --ctx 256 --html "$work/e.html" --json
page "$work/e.html" 3
kld=$(python3 -c "import json; print('%.6f' % json.load(open('$work/out'))['kld_mean'])")
grep -q "$kld" "$work/e.html" || { echo "the page lacks the divergence $kld"; failed=1; }
expect 0 "$precis" eval "$model" --chunks 2 --html "$work/p.html"
page "$work/p.html" 1
expect 2 "$precis" eval "$model" --tasks copy --html "$work/x.html"
expect 0 "$precis" plan "$model" --no-profile --max-size 35% --calib "$root/data/eval.txt" --html "$work/l.html" --json -q
page "$work/l.html" 2
grep -q 'scale(1.8)' "$work/l.html" || { echo "the plan cannot be told from the mixes"; failed=1; }
for mix in Q2_K Q4_K_M Q5_K_M; do grep -q "mix $mix<" "$work/l.html" || { echo "the page lacks $mix"; failed=1; }; done
expect 0 "$precis" bench "$model" --prompt 16 --gen 4 --repeat 3 --html "$work/b.html"
grep -q "% of the limit" "$work/b.html" || { echo "no speed beside the limit"; failed=1; }
page "$work/b.html" "$(grep -c '<svg' "$work/b.html")"
expect 0 "$precis" bench "$model" --prompt 16 --gen 4 --html "$work/b.html" # one run
page "$work/b.html" "$(grep -c '<svg' "$work/b.html")"
expect 0 "$precis" law plot --law kumar -o "$work/k.html"
page "$work/k.html" 5
grep -q "weights 16, activations 16 and KV cache 16 bits in training" "$work/k.html" || { echo "precisions are not named"; failed=1; }
expect 0 "$precis" law plot --law chinchilla -o "$work/c.html"
page "$work/c.html" 2
# a page is no file that is read
expect 2 "$precis" eval "$work/q.gguf" --chunks 1 --html "$work/q.gguf"
expect 0 "$precis" inspect "$work/q.gguf" --check

echo "$n commands"
exit $failed
