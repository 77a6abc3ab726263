#!/bin/sh
# The CNN example: each node's SQNR is there and that of an int8 net (20 to 70 dB).
set -eu
"$1" >cnn.out
cat cnn.out
for node in picture norm relu pool linear; do
    awk -v node=$node '$1 == node { db = $(NF - 1); found = 1 } END { if (!found || (db != "" && $NF == "dB" && (db < 20 || db > 70))) exit 1 }' cnn.out || { echo "node $node"; exit 1; }
done
grep -q "dB" cnn.out
