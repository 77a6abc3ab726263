#!/bin/sh
# tools/bootstrap on a machine that lacks everything, which a PATH of few programs is: what it installs is said before,
# with the reason; `core` wants no MPI and no SQLite; where nothing is missing it is silent. apt-get is one that only
# writes down what it was called with. usage: bootstrap.sh SOURCE_FOLDER
set -u
root=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
mkdir "$work/bin"
for name in sh env cat cut date dirname find grep mktemp rm stty tail; do ln -s "$(command -v $name)" "$work/bin/$name"; done
printf '#!/bin/sh\necho 0\n' >"$work/bin/id"
printf '#!/bin/sh\necho "$*" >>"%s/asked"\n[ ! -e "%s/fails" ]\n' "$work" "$work" >"$work/bin/apt-get"
chmod +x "$work/bin/id" "$work/bin/apt-get"
boot() { # boot CODE ARGUMENT...
    want=$1
    shift
    rm -f "$work/asked"
    PATH=$work/bin "$work/bin/sh" "$root/tools/bootstrap" "$@" >"$work/out" 2>"$work/err"
    got=$?
    [ $got = "$want" ] || { echo "exit $got, not $want: bootstrap $*"; cat "$work/err"; failed=1; }
}
has() { grep -q -e "$2" "$work/$1" || { echo "no \"$2\" in $1:"; cat "$work/$1"; failed=1; }; }
lacks() { ! grep -q -e "$2" "$work/$1" || { echo "\"$2\" in $1:"; cat "$work/$1"; failed=1; }; }

boot 0 core --dry-run
has out "these packages are missing"
has out "libjansson-dev  *JSON that is written"
lacks out "openmpi\|sqlite\|curl\|libedit"
[ ! -e "$work/asked" ] || { echo "--dry-run called apt-get"; failed=1; }
boot 0 core
# said, then asked for: the same packages, and no others
sed -n 's/^  \([a-z0-9.+-]*\)  *[A-Za-z].*/\1/p' "$work/out" | sort >"$work/said"
sed -n 's/^install -y --no-install-recommends //p' "$work/asked" | tr ' ' '\n' | sort >"$work/installed"
cmp -s "$work/said" "$work/installed" || { echo "what is said is not what is installed"; diff "$work/said" "$work/installed"; failed=1; }
head -1 "$work/out" | grep -q "these packages are missing" || { echo "not said first"; failed=1; }
boot 0
has out "openmpi-bin"
has out "make core needs fewer"
: >"$work/fails"
boot 1 core
has err "the installation failed"
rm "$work/bin/apt-get"
boot 1 core
has err "no apt-get here"
# what is there is not asked for again
for name in cc cmake make pkg-config; do printf '#!/bin/sh\nexit 0\n' >"$work/bin/$name"; chmod +x "$work/bin/$name"; done
if [ -e /usr/include/stdio.h ]; then
    boot 0 core
    [ ! -s "$work/out" ] || { echo "something is missing where nothing is:"; cat "$work/out"; failed=1; }
fi
exit $failed
