#!/bin/sh
# `make install`, then what users do with it: pkg-config, find_package, man pages, completion.
# usage: install.sh BUILD_FOLDER SOURCE_FOLDER
set -eu
build=$1
root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >/dev/null
"$work/usr/bin/precis" --version
# pkg-config
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name precis.pc)")
export PKG_CONFIG_PATH
${CC:-cc} -std=c11 "$root/examples/quantize.c" $(pkg-config --static --cflags --libs precis) -o "$work/quantize" ${SANITIZE:+-fsanitize=$SANITIZE}
code=0
"$work/quantize" 2>/dev/null || code=$?
[ $code = 2 ] || { echo "the example gave $code"; exit 1; }
# CMake
mkdir "$work/app"
cat >"$work/app/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(app C)
find_package(precis 0.1 REQUIRED)
add_executable(app ${SOURCE})
target_link_libraries(app PRIVATE precis::precis)
CMAKE
cmake -S "$work/app" -B "$work/app/build" -DCMAKE_PREFIX_PATH="$work/usr" -DSOURCE="$root/examples/quantize.c" ${SANITIZE:+-DCMAKE_EXE_LINKER_FLAGS=-fsanitize=$SANITIZE} >/dev/null
cmake --build "$work/app/build" >/dev/null
# a page for every command, and no page that roff complains about
for verb in inspect tokenize profile plan quant eval run bench report list; do
    page="$work/usr/share/man/man1/precis-$verb.1"
    grep -q '^.SH EXAMPLES' "$page"
    if command -v groff >/dev/null; then
        [ -z "$(groff -man -Tascii -ww "$page" 2>&1 >/dev/null)" ] || { echo "groff complains about $page"; groff -man -Tascii -ww "$page" 2>&1 >/dev/null | head -3; exit 1; }
    fi
done
# completion completes
if command -v bash >/dev/null; then
    got=$(bash -c '. "$1"; COMP_WORDS=(precis quant --max); COMP_CWORD=2; _precis; echo "${COMPREPLY[@]}"' x "$work/usr/share/bash-completion/completions/precis")
    [ "$got" = "--max-size" ] || { echo "completion gave \"$got\""; exit 1; }
fi
echo "installed: $(find "$work/usr" -type f | wc -l) files"
