"""The kernels of prompts alone (`precis bench --kernels`), medians of ROUNDS: what part of the multipliers' peak they
reach, and, where there are tiles, of the tiles' in the arithmetic bf16; and that none reads faster than the read limit
that was measured beside it, which would then be no limit.

usage: kernels.py PRECIS [ROUNDS [THREADS]]     (PRECIS_CPU masks instruction sets)
"""
import os, statistics, sys
import goals, sides

precis, rounds, threads = sys.argv[1], int((sys.argv[2:] + [5])[0]), int((sys.argv[3:] + [1])[0])
runs = [sides.precis(precis, "bench", "--kernels", "-t", threads) for _ in range(rounds)]
level, named = runs[0]["cpu"], os.environ.get("PRECIS_CPU", "")
print(f"{level}, {threads} threads, medians of {rounds}: billions of multiplications per second, part of the peak")
for i, row in enumerate(runs[0]["kernels"]):
    got = [r["kernels"][i] for r in runs]
    line = f"{row['type']:8s}"
    for what, key in (("multiply_s", "gemm"), ("tiles_s", "tiles")):
        if not row[what]:
            line += f"{'-':>8s}{'':9s}"
            continue
        share = 100 * statistics.median(k[what] / k["limit"][what] for k in got)
        line += f"{statistics.median(k[what] for k in got) / 1e9:8.1f}{share:7.0f} %"
        if threads == 1:
            goals.record(f"{key} {row['type']}" + (f" {named}" if named else ""), share)
    if row["multiply_s"] or row["tiles_s"]:
        print(line)
reads = {r["type"]: statistics.median(k["kernels"][i]["memory_bytes_s"] / k["kernels"][i]["limit"]["memory_bytes_s"] for k in runs)
         for i, r in enumerate(runs[0]["kernels"])}
fastest = max(reads, key=reads.get)
print(f"{fastest} reads fastest: {100 * reads[fastest]:.0f} % of the read limit")
if threads == 1:
    goals.record("read" + (f" {named}" if named else ""), 100 * reads[fastest])
