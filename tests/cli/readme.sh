#!/bin/sh
# Every command of README.md runs as it is printed, in order, in a folder that has what a clone has. Blocks that need a
# network are marked so in the page, and are skipped by name where there is none; `make`, which builds and tests this
# very tree, is asked for its targets instead of run. usage: readme.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

mkdir -p "$work/clone/build"
for part in models data examples docs tools Makefile README.md; do ln -s "$(cd "$root" && pwd)/$part" "$work/clone/$part"; done
ln -s "$(cd "$(dirname "$precis")" && pwd)/$(basename "$precis")" "$work/clone/build/precis"
python3 - "$root/README.md" >"$work/commands" <<'P'
import re, sys
text, rows = open(sys.argv[1], encoding="utf-8").read(), 0
assert text.index("```sh") < text.index("## Installing") < text.index("## What you can ask"), "the order of the first screen"
for block in re.finditer(r"^```(\w*) ?(\w*)\n(.*?)^```$|^\| [^\n|]* \| `(precis [^\n|]*)` \|$", text, re.M | re.S):
    if block.group(4):
        rows += 1
        print("run\t" + block.group(4))
    elif block.group(1) == "sh":
        for line in block.group(3).splitlines():
            print((block.group(2) or "run") + "\t" + re.sub(r"\s+# .*", "", line))
assert 4 <= rows <= 8, f"{rows} rows"
P
[ -s "$work/commands" ] || { echo "README.md has no commands"; failed=1; }
cd "$work/clone" || exit 1
while IFS="$(printf '\t')" read -r kind line; do
    n=$((n + 1))
    case $kind-$line in
    run-make*)
        # shellcheck disable=SC2086
        make -n -f Makefile ${line#make} >/dev/null 2>"$work/err" || { echo "no target: $line"; failed=1; } ;;
    run-export*) eval "$line" ;;
    run-*) # the first command stands before the installation: its program is the one that is tested
        PATH=$PWD/build:$PATH sh -c "$line" >"$work/out" 2>"$work/err" </dev/null || { echo "exit $?: $line"; head -3 "$work/err"; failed=1; }
        [ -s "$work/first" ] || cp "$work/out" "$work/first" ;;
    network-*)
        if [ -n "${PRECIS_NETWORK:-}" ]; then sh -c "$line" >"$work/out" 2>"$work/err" || { echo "exit $?: $line"; failed=1; }
        else echo "SKIP (network; PRECIS_NETWORK=1 runs it) $line"; fi ;;
    esac
done <"$work/commands"
# what the page shows below its first command is what that prints: the same bytes and figures on every machine
python3 - README.md "$work/first" <<'P' || failed=1
import re, sys
shown = re.search(r"^```sh\n.*?^```\n```\n(.*?)^```$", open(sys.argv[1], encoding="utf-8").read(), re.M | re.S).group(1).splitlines()
printed = open(sys.argv[2], encoding="utf-8").read().splitlines()
other = [line for line in shown if line not in printed]
if other or len(shown) < 10:
    sys.exit("README.md shows what is not printed:\n" + "\n".join(other))
P
for made in small.gguf q4.gguf lost.html plan.json plan.html; do [ -s $made ] || { echo "no $made was made"; failed=1; }; done
# the first screen shows a loss that nobody notices, and says the truth about it
"$PWD/build/precis" eval small.gguf --against models/gutenberg-7m --chunks 20 --json >"$work/out" 2>/dev/null
json "j['kld_mean'] < 0.003 and j['top1'] > 0.94"
[ "$(wc -c <small.gguf)" -lt 5200000 ] || { echo "small.gguf is not 35 %"; failed=1; }

echo "$n commands"
exit $failed
