"""The kernels of prompts alone (`precis bench --kernels`), one thread, medians of ROUNDS: what part of the multipliers' peak they reach.

usage: kernels.py PRECIS [ROUNDS]     (PRECIS_CPU masks instruction sets)
"""
import os, statistics, sys
import goals, sides

precis, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
runs = [sides.precis(precis, "bench", "--kernels", "-t", 1) for _ in range(rounds)]
level, named = runs[0]["cpu"], os.environ.get("PRECIS_CPU", "")
print(f"{level}, 1 thread, medians of {rounds}: billions of multiplications per second, part of the peak")
for i, row in enumerate(runs[0]["kernels"]):
    got = [r["kernels"][i] for r in runs]
    if not row["multiply_s"]:
        continue
    share = 100 * statistics.median(k["multiply_s"] / k["limit"]["multiply_s"] for k in got)
    print(f"{row['type']:8s}{statistics.median(k['multiply_s'] for k in got) / 1e9:8.1f}{share:7.0f} %")
    goals.record(f"gemm {row['type']}" + (f" {named}" if named else ""), share)
