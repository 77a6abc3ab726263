#!/bin/sh
# Every public header compiles alone, as C11 and as C++, without a warning, and is short.
set -eu
root=$1
for header in "$root"/include/precis/*.h; do
    name=$(basename "$header")
    echo "#include \"precis/$name\"" | ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$root/include" -x c -fsyntax-only -
    echo "#include \"precis/$name\"" | ${CXX:-c++} -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$root/include" -x c++ -fsyntax-only -
    lines=$(wc -l <"$header")
    [ "$lines" -lt 200 ] || { echo "$name has $lines lines"; exit 1; }
done
echo "$(ls "$root"/include/precis/*.h | wc -l) headers"
