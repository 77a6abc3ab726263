#!/bin/sh
# A convolution of codes with the range of a run is one node in integers (codes_conv), with the bits of the four nodes that
# it was, at every level and for any number of threads.
# usage: dynamic_convs.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
f=$work/f
mkdir "$f"
forms=$(python3 "$root/tests/cli/dynamic_convs.py" make "$f") || exit 1
for name in $forms; do
    set -- --input "x=$f/$name.npy" --input "zero=$f/zero.npy"
    expect 0 "$precis" run "$f/$name.sums.onnx" "$@" --output-dir "$f/sums" --threads 1
    threads=2
    for level in "" scalar avx2; do
        rm -rf "$f/out"
        PRECIS_CPU=$level
        [ "$level" ] && export PRECIS_CPU || unset PRECIS_CPU
        expect 0 "$precis" run "$f/$name.onnx" "$@" --output-dir "$f/out" --threads $threads
        threads=1
        unset PRECIS_CPU
        python3 "$root/tests/cli/dynamic_convs.py" check "$f" "$name" || failed=1
    done
    case $name in plain | depthwise | line | cube) ;; *) continue ;; esac
    expect 0 "$precis" bench "$f/$name.onnx" "$@" --nodes --seconds 1 --threads 1 --json
    if [ "$name" = cube ]; then lacks out '"codes_conv"'; else has out '"codes_conv"'; fi
done
[ $failed = 0 ] && echo "$n commands"
exit $failed
