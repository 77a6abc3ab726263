"""The 4,500-start Chinchilla fit in SciPy, for the time of `precis law fit` beside it. usage: law.py PRECIS EPOCH.csv [STARTS]   (needs scipy: tests/peers/environment)

SciPy gets the analytic gradient, the objective times 1,000 and tight tolerances: what it needs to end at the optimum. STARTS (default 4500) takes that many of the grid,
evenly; the time is then of those.
"""
import csv, itertools, json, os, subprocess, sys, time

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
from scipy.optimize import minimize

precis, path = sys.argv[1:3]
rows = [(float(r["Model Size"]), float(r["Training FLOP"]), float(r["loss"])) for r in csv.DictReader(open(path))]
rows = sorted(rows, key=lambda r: r[2])[:-5]
N, C, L = (np.array(x) for x in zip(*rows))
n, d, y, delta = np.log(N), np.log(C / (6 * N)), np.log(L), 1e-3


def objective(p):
    t = np.stack([p[0] - p[3] * n, p[1] - p[4] * d, np.full_like(n, p[2])])
    top = t.max(0)
    e = np.exp(t - top)
    s = e.sum(0)
    r = top + np.log(s) - y
    c = np.clip(r, -delta, delta)
    w = e / s * c
    return 1e3 * (c * (r - c / 2)).sum(), 1e3 * np.array([w[0].sum(), w[1].sum(), w[2].sum(), -(w[0] * n).sum(), -(w[1] * d).sum()])


grid = list(itertools.product([0, 5, 10, 15, 20, 25], [0, 5, 10, 15, 20, 25], [-1, -0.5, 0, 0.5, 1], [0, 0.5, 1, 1.5, 2], [0, 0.5, 1, 1.5, 2]))
count = int(sys.argv[3]) if len(sys.argv) > 3 else len(grid)
some = [grid[i * len(grid) // count] for i in range(count)]
t0 = time.monotonic()
found = [minimize(objective, x0, jac=True, method="L-BFGS-B", options={"maxiter": 15000, "maxfun": 15000, "ftol": 1e-15, "gtol": 1e-12}).fun / 1e3 for x0 in some]
scipy_s = (time.monotonic() - t0) * len(grid) / count
times = []
for _ in range(5):
    t0 = time.monotonic()
    out = json.loads(subprocess.run([precis, "law", "fit", path, "--drop-highest", "5", "--json", "-q"], capture_output=True, text=True, check=True).stdout)
    times.append(time.monotonic() - t0)
ours = sorted(times)[2]
best = min(found)
print(f"SciPy, {count} of {len(grid)} starts: {scipy_s:.1f} s for all, best {best:.15g}, {100 * sum(f < best * (1 + 1e-6) for f in found) / count:.1f} % of starts at it")
print(f"precis, {out['starts']} starts: {ours:.3f} s (median of 5), objective {out['objective']:.15g}, {100 * out['starts_at_optimum'] / out['starts']:.1f} % at it")
print(f"ratio {scipy_s / ours:.0f}")
