#!/bin/sh
# `make install`, then what users do with it: pkg-config, find_package, man pages, completion.
# usage: install.sh BUILD_FOLDER SOURCE_FOLDER
set -eu
build=$1
root=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >/dev/null
"$work/usr/bin/precis" --version
lib=$(dirname "$(find "$work/usr" -name libprecis.a)")
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}
runs() { # runs PROGRAM: the example starts, and says how it is used
    code=0
    LD_LIBRARY_PATH=$lib "$1" 2>/dev/null || code=$?
    [ $code = 2 ] || { echo "$1 gave $code"; exit 1; }
}
needs() { # needs PROGRAM: does it load the shared library?
    LD_LIBRARY_PATH=$lib ldd "$1" | grep -q libprecis
}
# The examples' own lines: shared by pkg-config as it stands in them, and with --static without any libprecis.so.
PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_PATH
for example in quantize cnn modules; do
    line=$(sed -n 's/^ \*   \(cc .*\)$/\1/p' "$root/examples/$example.c")
    case $line in
        "cc $example.c "*) ;;
        *) echo "examples/$example.c does not say how it is built"; exit 1 ;;
    esac
    (cd "$root/examples" && eval "${line%% -o *} -o $work/$example $sanitize")
    needs "$work/$example" || { echo "$line does not use the shared library"; exit 1; }
    mkdir -p "$work/static"
    cp "$lib/libprecis.a" "$work/static/"
    ${CC:-cc} -std=c11 "$root/examples/$example.c" $(pkg-config --cflags precis) -L"$work/static" \
        $(pkg-config --static --libs precis | sed "s#-L[^ ]*/pkgconfig/[^ ]*##; s#-lprecis#-l:libprecis.a#") -o "$work/$example-static" $sanitize
    ! needs "$work/$example-static" || { echo "--static still needs libprecis.so"; exit 1; }
done
runs "$work/quantize"
runs "$work/quantize-static"
# CMake: the shared library without anything else, the static one as a component.
mkdir "$work/app"
cat >"$work/app/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(app C)
find_package(precis 0.1 REQUIRED COMPONENTS static)
add_executable(shared ${SOURCE})
target_link_libraries(shared PRIVATE precis::precis)
add_executable(static ${SOURCE})
target_link_libraries(static PRIVATE precis::static)
CMAKE
cmake -S "$work/app" -B "$work/app/build" -DCMAKE_PREFIX_PATH="$work/usr" -DSOURCE="$root/examples/quantize.c" ${sanitize:+-DCMAKE_C_FLAGS=$sanitize} >/dev/null
cmake --build "$work/app/build" >/dev/null
needs "$work/app/build/shared" && ! needs "$work/app/build/static" || { echo "find_package links the wrong library"; exit 1; }
runs "$work/app/build/shared"
runs "$work/app/build/static"
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
    got=$(bash -c '. "$1"; COMP_WORDS=(precis quant --max-s); COMP_CWORD=2; _precis; echo "${COMPREPLY[@]}"' x "$work/usr/share/bash-completion/completions/precis")
    [ "$got" = "--max-size" ] || { echo "completion gave \"$got\""; exit 1; }
fi
echo "installed: $(find "$work/usr" -type f | wc -l) files"
