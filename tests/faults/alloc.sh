#!/bin/sh
# Memory that cannot be had: exit 4 and a sentence, or the same bytes; a sample of what make test-alloc tries whole.
# usage: alloc.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"

if [ -n "${SANITIZE:-}" ]; then
    echo "skipped: a sanitizer has an allocator of its own (unit.alloc is for it)"
    exit 0
fi
${CC:-cc} -O1 -g -shared -fPIC -o "$work/shim.so" "$root/tests/alloc/shim.c" || exit 1
python3 "$root/tests/alloc/run.py" "$precis" "$work/shim.so" --short --most "${MOST:-150}" || failed=1
if [ -d "$cases/faults/malloc_once" ]; then
    (cd "$cases/faults/malloc_once" && P=$precis sh run.sh) >"$work/out" 2>&1
    lacks out "rc 0"
else echo "skipped: malloc_once"; fi
exit $failed
