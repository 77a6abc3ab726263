#!/bin/sh
# The shared library shows every function that include/precis declares, and no other name.
# usage: symbols.sh LIBRARY SOURCE_FOLDER
set -eu
library=$1
root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm -D --defined-only "$library" | awk '{ print $NF }' | sort >"$work/shown"
python3 - "$root/include/precis" <<'E' | sort -u >"$work/declared"
import glob, re, sys
for header in glob.glob(sys.argv[1] + "/*.h"):
    text = re.sub(r"/\*.*?\*/", "", open(header).read(), flags=re.S)
    for line in re.findall(r"^PRECIS_API[^;{]*?\b(precis_\w+)\s*\(", text, flags=re.M):
        print(line)
    for line in re.findall(r"^(?!PRECIS_API|typedef)[a-z][\w *]*?\b(precis_\w+)\s*\(", text, flags=re.M):
        sys.exit(f"{header}: {line} has no PRECIS_API")
E
[ -s "$work/declared" ] || { echo "no declarations found"; exit 1; }
diff "$work/declared" "$work/shown" || { echo "< declared, not shown; > shown, not declared"; exit 1; }
echo "$(wc -l <"$work/shown") functions"
