#!/usr/bin/env python3
"""check.py CASES RESULTS: compares what precis-vectors printed with what cases want, within their
tolerances; exit 1 if any differs."""

import json
import math
import sys


def numbers(value):
    data = value["data"] if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return [float(x) for x in data]


def differs(got, want, tol):
    got, want = numbers(got), numbers(want)
    if len(got) != len(want):
        return "%d numbers, not %d" % (len(got), len(want))
    for i, (x, y) in enumerate(zip(got, want)):
        if math.isnan(y) or math.isinf(y):
            if x != y and not (math.isnan(x) and math.isnan(y)):
                return "number %d is %g, not %g" % (i, x, y)
        elif not abs(x - y) <= tol["abs"] + tol["rel"] * abs(y):
            return "number %d is %.9g, not %.9g" % (i, x, y)
    return None


cases, results = json.load(open(sys.argv[1]))["cases"], json.load(open(sys.argv[2]))
failed = 0
for case in cases:
    for name, want in case["out"].items():
        got = results.get(case["id"], {}).get(name)
        why = "missing" if got is None else differs(got, want, case["tol"])
        if why:
            print("%s: %s: %s" % (case["id"], name, why))
            failed += 1
print("%d cases, %d results differ" % (len(cases), failed))
sys.exit(failed > 0)
