"""precis law against the verified figures of reference/test_vectors.json. usage: vectors.py PRECIS VECTORS.json"""
import json, math, subprocess, sys

precis, vectors = sys.argv[1], json.load(open(sys.argv[2]))
checks = bad = 0


def law(*a):
    r = subprocess.run([precis, "law", *map(str, a), "--json", "-q"], capture_output=True, text=True)
    if r.returncode:
        raise SystemExit(f"{' '.join(map(str, a))}: exit {r.returncode}: {r.stderr}")
    return json.loads(r.stdout)


def same(what, got, want, rel):
    global checks, bad
    checks += 1
    if not (math.isfinite(got) and abs(got - want) <= rel * abs(want)):
        bad += 1
        print(f"{what}: {got!r}, not {want!r} within {rel}")


sets = {"epoch_published": "chinchilla:epoch", "epoch_csv_optimum": "chinchilla", "hoffmann_rounded": "chinchilla:hoffmann-rounded", "hoffmann_tex": "chinchilla:hoffmann"}
for name, spec in sets.items():
    for c, (n, d, ratio, loss) in vectors[f"chinchilla_opt_{name}"].items():
        tol = 1e-5 if name == "epoch_csv_optimum" else 1e-9  # the vectors are of the end of Epoch's own grid, which stopped a little early
        o = law("optimal", "--law", spec, "--compute", c)
        same(f"{spec} N at {c}", o["N"], n, max(tol, 1e-7)), same(f"{spec} D at {c}", o["D"], d, max(tol, 1e-7)), same(f"{spec} loss at {c}", o["loss"], loss, tol)
for kind, spec in (("offset", "kumar"), ("no_offset", "kumar:printed")):
    for bits, f in vectors["kumar_f"][kind].items():
        for part in ("w", "a", "kv"):
            same(f"f_{part} {bits} {kind}", law("predict", "--law", spec, "--bits", bits, "--show", f"f_{part}")["value"], f[part], 1e-12)
        same(f"f {bits} {kind}", law("predict", "--law", spec, "--bits", bits, "--N", 1e9, "--show", "n_eff")["value"] / 1e9, f["all"], 1e-12)
p = vectors["kumar_Pstar"]
same("P* with offsets", law("optimal", "--law", "kumar", "--compute", 1e21, "--continuous")["bits"], p["offset_all3"], 1e-6)
same("P* without", law("optimal", "--law", "kumar:printed", "--compute", 1e21, "--continuous")["bits"], p["no_offset_all3"], 1e-6)
gbar = ["--param", "g_w=1.9475", "--param", "g_a=1.9475", "--param", "g_kv=1.9475"]
same("P* of the mean gamma without offsets", law("optimal", "--law", "kumar:printed", *gbar, "--compute", 1e21, "--continuous")["bits"], p["cubed_gbar_no_offset"], 1e-6)
same("closed form by Lambert's W", law("optimal", "--law", "kumar:printed", *gbar, "--compute", 1e21, "--continuous")["bits"] / 1.9475, p["u_star(3u=e^u-1)"], 1e-6)
for c, (n, d, bits, loss) in vectors["kumar_joint_opt_C(6/16 NDP)"].items():
    o = law("optimal", "--law", "kumar", "--compute", c, "--continuous")
    same(f"kumar N at {c}", o["N"], n, 1e-6), same(f"kumar D at {c}", o["D"], d, 1e-6), same(f"kumar bits at {c}", o["bits"], bits, 1e-6), same(f"kumar loss at {c}", o["loss"], loss, 1e-9)
for c, bits in vectors["kumar_joint_opt_alpha.34_beta.28"].items():
    same(f"P* with other exponents at {c}", law("optimal", "--law", "kumar", "--param", "alpha=0.34", "--param", "beta=0.28", "--compute", c, "--continuous")["bits"], bits, 1e-6)
for key, bits in vectors["kumar_fixedN_Pstar"].items():
    n, ratio = float(key.split("N=")[1].split()[0]), float(key.rsplit("=", 1)[1])
    same(f"P* at {key}", law("optimal", "--law", "kumar", "--N", n, "--compute", 6 * n * n * ratio, "--continuous")["bits"], bits, 1e-6)
for key, d in vectors["kumar_Dcrit"].items():
    n, bits = float(key.split()[0][2:]), key.split("P=")[1]
    same(f"D_crit {key}", law("critical", "--law", "kumar", "--N", n, "--bits", bits)["D"], d["b=0"], 1e-9)
    same(f"D_crit {key} b", law("critical", "--law", "kumar:post-offset", "--N", n, "--bits", bits)["D"], d["b=+1.1277"], 1e-9)
for f, loss in vectors["sun_L(1e9,1e11,E,M,B=128)"].items():
    same(f"sun {f}", law("predict", "--law", "sun", "--N", 1e9, "--D", 1e11, "--block", 128, "--type", f)["loss"], loss, 1e-12)
for f, d in vectors["sun_Dcrit(1e9,B=128)"].items():
    same(f"sun D_crit {f}", law("critical", "--law", "sun", "--N", 1e9, "--block", 128, "--type", f)["D"], d, 1e-9)
for bits, em in vectors["sun_best_EM"].items():
    best = min(((law("predict", "--law", "sun", "--N", 1e9, "--D", 1e12, "--block", 128, "--type", f"E{e}M{int(bits) - 1 - e}")["loss"], e) for e in range(1, int(bits) - 1)))
    same(f"sun best exponent at {bits} bits", best[1], em[0], 0)
for key, q in vectors["ouyang_QiD"].items():
    n, d, bits = (x.split("=")[1] for x in key.split(","))
    same(f"ouyang {key}", law("predict", "--law", "ouyang", "--N", n, "--D", d, "--bits-post", bits)["ptq"], q, 1e-12)
for s, rows in vectors["chen_delta(595e6,1e11,G)"].items():
    for g, delta in rows.items():
        same(f"chen {s} {g}", law("predict", "--law", "chen" if s == "W4A4" else f"chen:{s}", "--N", 595e6, "--D", 1e11, "--block", g, "--show", "delta_loss")["value"], delta, 1e-12)
for key, loss in vectors["quartet_L"].items():
    n, ratio, en, ed = (float(x.split("=")[1]) for x in key.split(","))
    bits = ["--param", f"effN={en}", "--param", f"effD={ed}", "--bits-w", 4, "--bits-bwd", 4]
    same(f"quartet {key}", law("predict", "--law", "quartet", "--N", n, "--D", n * ratio, *bits)["loss"], loss, 1e-12)
s = vectors["sardana_30B_quality_Dinf1e13(Hoffmann rounded)"]
o = law("optimal", "--law", "sardana:hoffmann-rounded", "--loss", s["chinchilla"][2], "--tokens-inference", 1e13)
same("sardana N", o["N"], s["adjusted"][0], 1e-4), same("sardana D", o["D"], s["adjusted"][1], 1e-4), same("sardana cost", o["cost"], s["adjusted"][2], 1e-7)
same("sardana cost ratio", o["cost"] / s["chinchilla"][3], s["cost_ratio"], 1e-7)
print(f"{checks} checks, {bad} bad")
sys.exit(bad > 0 or not checks)
