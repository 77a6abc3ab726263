#!/bin/sh
# Files are written in src/write alone; what is no output says so where it is opened. usage: one_road.sh PRECIS
# SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
cd "$root" || exit 1
grep -rnE 'fopen\([^;]*"[rwa]b?\+|fopen\([^;]*"[wa]|fdopen|freopen|json_dump_file|creat\(|O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|mk(o?s)temps?\(|tmpfile\(|sqlite3_open|[^a-z_](rename|renameat2?|link|linkat|symlink|truncate)\(' \
    src cli mpi --include='*.c' --include='*.h' | grep -v '^src/write/\(out\|place\)\.c:' |
    grep -v '^[^:]*:[0-9]*: *\(/\*\| \*\)' >"$work/found"
# Each with why: a log, a table without a name, a database, a name that is reserved, streams that the caller closed, a
# download that goes on.
allowed='src/quant/resume.c src/base/spill.c src/record/history.c src/job/temporary.c cli/main.c cli/hub.c'
while IFS=: read -r file line text; do
    case " $allowed " in
    *" $file "*) ;;
    *)
        echo "$file:$line: a file is written past src/write/out.c: $text"
        failed=1
        ;;
    esac
done <"$work/found"
for file in $allowed; do grep -qi 'road of \(all \)\?outputs' "$file" || { echo "$file does not say why it takes another road"; failed=1; }; done
if grep -rn 'getenv("TMPDIR")' src cli | grep -v '^src/base/spill.c:'; then
    echo "pcs_temporary_folder reads TMPDIR"
    failed=1
fi
exit $failed
