"""Mutated folders, GGUFs, importance matrices, profiles, plans and manifests through commands: what a command may not do is end by a
signal, run for a minute, fail without a word or for want of resources, leave something behind, or write what cannot be read or computes
otherwise than what it was made of. usage: mutate.py PRECIS SECONDS SEED WORK_FOLDER    (what is found is kept in WORK_FOLDER/found)"""
import copy, json, math, os, random, shutil, signal, struct, subprocess, sys, time
precis, seconds, seed, work = os.path.abspath(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rng = random.Random(seed)
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
os.makedirs(work, exist_ok=True)
base = work + "/base"
if not os.path.exists(base):
    os.makedirs(base)
    subprocess.run([sys.executable, root + "/tests/faults/tiny_models.py", base], check=True)
    open(base + "/text", "w").write(open(root + "/data/eval.txt").read()[:1500])
    sys.path.insert(0, root + "/tests")
    import folders
    for k in folders.BASES:
        try:
            folders.write(base + "/f_" + k, *folders.base(k))
        except Exception as e:
            print("base", k, e)
    env = dict(os.environ)
    m = base + "/m.gguf"
    subprocess.run([precis, "report", "--new-key", base + "/key", "-q"], check=True)
    for c in (["quant", m, "--type", "Q4_0", "--calib", base + "/text", "--no-eval", "-o", base + "/q.gguf", "--ctx", "32"],
              ["profile", m, "--calib", base + "/text", "--tokens", "64", "-o", base + "/profile.json"],
              ["plan", m, "--max-size", "60%", "-o", base + "/plan.json"],
              ["profile", m, "--calib", base + "/text", "--tokens", "64", "-o", base + "/i.gguf"]):
        r = subprocess.run([precis, *c, "-q"], capture_output=True)
        print(c[0], r.returncode, r.stderr[-200:])
srcs = [base + "/hf"] + [base + "/" + n for n in sorted(os.listdir(base)) if n.startswith("f_")]
ODD = [0, -1, 1, 2, 3, 7, 1 << 31, -(1 << 31), 1 << 63, (1 << 64) - 1, 1e308, 1e-320, 0.5, -0.0, True, False, None, "", "x", "1", [], {}, [0], [1, 2, 3], {"a": 1}, "\u0000", "é" * 300, [[[[]]]], 1e999]
def walk(j, path=()):
    yield path, j
    if isinstance(j, dict):
        for k in list(j)[:60]: yield from walk(j[k], path + (k,))
    elif isinstance(j, list):
        for i in list(range(min(len(j), 8))): yield from walk(j[i], path + (i,))
def put(j, path, v):
    for p in path[:-1]: j = j[p]
    j[path[-1]] = v
def drop(j, path):
    for p in path[:-1]: j = j[p]
    del j[path[-1]]
def mutate_json(j):
    j = copy.deepcopy(j)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        spots = [(p, v) for p, v in walk(j) if p]
        if not spots: return j
        p, v = rng.choice(spots)
        w = rng.random()
        try:
            if w < 0.2: drop(j, p)
            elif w < 0.3 and isinstance(v, (int, float)) and not isinstance(v, bool): put(j, p, v * rng.choice([2, 3, -1, 0, 1.5]) + rng.choice([0, 1, -1]))
            elif w < 0.4:
                q, u = rng.choice(spots); put(j, p, copy.deepcopy(u))
            elif w < 0.5 and isinstance(v, list) and v: v.append(copy.deepcopy(rng.choice(v)))
            elif w < 0.55 and isinstance(v, list): v.clear()
            elif w < 0.62 and isinstance(v, str) and v:
                i = rng.randrange(len(v)); put(j, p, v[:i] + rng.choice(["", "\\", "{{", "%}", "\x00", "\ud7ff", "é", "A" * 400]) + v[i + rng.choice([0, 1, 5]):])
            else: put(j, p, rng.choice(ODD))
        except Exception: pass
    return j
def dump(j): return json.dumps(j).encode()
def mutate_bytes(b):
    b = bytearray(b)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        if not b: break
        w, i = rng.random(), rng.randrange(len(b))
        if w < 0.5: b[i] = rng.choice([0, 255, 127, 128, rng.randrange(256)])
        elif w < 0.7: b[i:i + 8] = struct.pack("<Q", rng.choice([0, 1, 1 << 63, (1 << 64) - 1, 1 << 32, len(b)]))
        elif w < 0.8: del b[i:i + rng.choice([1, 4, 100])]
        elif w < 0.9: b[i:i] = b[rng.randrange(len(b)):][:rng.choice([1, 8, 64])]
        else: b = b[:i]
    return bytes(b)
def mutate_tensors(b):
    n = struct.unpack("<Q", b[:8])[0]
    h = json.loads(b[8:8 + n])
    if rng.random() < 0.15: return mutate_bytes(b)
    k = rng.choice(list(h))
    w = rng.random()
    if w < 0.3: h = mutate_json(h)
    elif w < 0.5 and "shape" in h[k]:
        s = h[k]["shape"]
        h[k]["shape"] = rng.choice([s[::-1], s + [1], [1] + s, [math.prod(s)], [2] + s, s[:-1], [0] + s, [s[0] // 2, 2 * (s[1] if len(s) > 1 else 1)]])
    elif w < 0.7 and "dtype" in h[k]: h[k]["dtype"] = rng.choice(["F16", "BF16", "F64", "I8", "U8", "I32", "I64", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "U16", "C64", "x"])
    elif w < 0.8: h[rng.choice(["lm_head.weight", "model.layers.9.self_attn.q_proj.weight", "model.layers.0.self_attn.q_proj.bias", "x", "model.layers.0.mlp.gate_proj.weight_scale", "model.embed_tokens.weight"])] = copy.deepcopy(h[k])
    elif w < 0.9: h.pop(k)
    else: h[k + rng.choice(["2", ".weight", ""])] = h.pop(k)
    t = dump(h); t += b" " * (-len(t) % 8)
    d = bytearray(b[8 + n:])
    if rng.random() < 0.15 and len(d) > 8:
        for _ in range(3):
            i = rng.randrange(len(d) // 4) * 4
            d[i:i + 4] = struct.pack("<f", rng.choice([math.nan, math.inf, -math.inf, 3.4e38, 1e-42, 65504.0, 1e30]))
    return struct.pack("<Q", len(t)) + t + bytes(d)
JINJA = ["{% for m in messages %}{{ m.content }}{% endfor %}", "{{ messages[0]['content'] * 99999 }}", "{% macro a(x) %}{{ a(x) }}{% endmacro %}{{ a(1) }}", "{{ ('a' * 10000) in ('a' * 100000) }}", "{% set x = namespace(y=1) %}{% for i in range(1000000) %}{% set x.y = x.y + x.y %}{% endfor %}{{ x.y }}",
 "{{ messages | tojson(indent=4) }}", "{{ messages | map(attribute='content') | join(',') }}", "{{ raise_exception('x') }}", "{{ 1 / 0 }}", "{{ 'é'[0:1] }}{{ 'abc'[::-1] }}", "{% if true %}", "{{ [[1]] == [[1]] }}", "{{ messages|sort|length }}", "{{ 9223372036854775807 + 1 }}", "{{ '%s' % 1 }}", "{{ x.y.z }}", "{% for a in b recursive %}{% endfor %}"]
def folder(d):
    src = rng.choice(srcs)
    shutil.rmtree(d, ignore_errors=True); shutil.copytree(src, d)
    for _ in range(rng.choice([1, 1, 2])):
        names = [n for n in os.listdir(d) if not os.path.isdir(d + "/" + n)]
        n = rng.choice(names); p = d + "/" + n
        b = open(p, "rb").read()
        if n.endswith(".safetensors"): b = mutate_tensors(b)
        elif n.endswith(".json"):
            try: b = dump(mutate_json(json.loads(b))) if rng.random() < 0.9 else mutate_bytes(b)
            except Exception: b = mutate_bytes(b)
        else: b = mutate_bytes(b)
        open(p, "wb").write(b)
    if rng.random() < 0.15: open(d + "/chat_template.jinja", "w").write(rng.choice(JINJA))
    if rng.random() < 0.1: open(d + "/generation_config.json", "w").write(json.dumps({"eos_token_id": rng.choice(ODD), "bos_token_id": rng.choice(ODD)}))
    if rng.random() < 0.1: open(d + "/added_tokens.json", "w").write(json.dumps({rng.choice(["<a>", "", "a" * 2000]): rng.choice(ODD)}))
    return d
def gguf(p):
    b = open(base + "/m.gguf", "rb").read() if rng.random() < 0.6 else open(base + "/q.gguf", "rb").read()
    cut = rng.random() < 0.9
    head = bytearray(b)
    lim = len(b) if not cut else min(len(b), 9000)
    for _ in range(rng.choice([1, 1, 2, 4])):
        i = rng.randrange(lim)
        w = rng.random()
        if w < 0.6: head[i] = rng.choice([0, 1, 255, 127, 128, rng.randrange(256), head[i] ^ (1 << rng.randrange(8))])
        elif w < 0.8: head[i:i + 4] = struct.pack("<I", rng.choice([0, 1, 2, 1 << 31, 0xffffffff, 8, 9, 12]))
        else: head[i:i + 8] = struct.pack("<Q", rng.choice([0, 1, 1 << 63, (1 << 64) - 1, 1 << 32, 5]))
    open(p, "wb").write(head)
    return p
W = work + "/w%d" % seed
def commands():
    out = W + "/o"
    k = rng.random()
    t = base + "/text"
    if k < 0.75:
        m = folder(W + "/f") if rng.random() < 0.8 else gguf(W + "/m.gguf")
        return rng.choice([
            ["convert", m, "-o", out + ".gguf"], ["convert", m, "-o", out + ".gguf"], ["convert", m, "-o", out, "--format", "safetensors"], ["convert", m, "-o", out + ".packed.gguf", "--format", "packed"],
            ["run", m, "-p", "ab", "-n", "3", "--temp", "0"], ["run", m, "-c", "-p", "hi", "-n", "2", "--temp", "0"], ["run", m, "-c", "-p", "hi", "-n", "2", "--temp", "0"],
            ["eval", m, "--text", t, "--ctx", "32", "--chunks", "1"], ["eval", m, "--ids", "3,4,5,6"],
            ["profile", m, "--calib", t, "--tokens", "64"], ["quant", m, "--type", rng.choice(["Q4_0", "Q4_K", "Q8_0", "INT4_G32", "NF4", "FP8_E4M3", "MXFP4", "IQ4_NL"]), "--no-eval", "--no-calib", "-o", out + ".gguf"],
            ["quant", m, "--type", "Q4_0", "--calib", t, "--ctx", "32", "--no-eval", "-o", out + ".gguf"], ["quant", m, "--max-size", rng.choice(["50%", "70%"]), "--no-calib", "--no-eval", "-o", out + ".gguf"],
            ["plan", m, "--max-size", "50%"], ["plan", m, "--target-ram", "400k", "--ctx", "32"], ["inspect", m], ["inspect", m, "--keys"], ["inspect", m, "--check"], ["inspect", m, "--overflow"], ["tokenize", m, "--text", "It's the 12 cat\n"]]), m
    which = rng.choice(["i", "profile", "plan", "manifest", "attest"])
    m = base + "/m.gguf"
    if which == "i":
        p = W + "/i.gguf"; open(p, "wb").write(mutate_bytes(open(base + "/i.gguf", "rb").read()))
        return ["quant", m, "--type", "Q4_K", "--imatrix", p, "--no-eval", "-o", out + ".gguf"], p
    if which in ("profile", "plan"):
        p = W + "/%s.json" % which
        b = open(base + "/%s.json" % which, "rb").read()
        open(p, "wb").write(dump(mutate_json(json.loads(b))) if rng.random() < 0.85 else mutate_bytes(b))
        if which == "profile": return ["plan", m, "--profile", p, "--max-size", "60%"], p
        return ["quant", m, "--plan", p, "--no-calib", "--no-eval", "-o", out + ".gguf"], p
    p = W + "/q.gguf.manifest.json"
    b = open(base + "/q.gguf.manifest.json", "rb").read()
    open(p, "wb").write(dump(mutate_json(json.loads(b))) if rng.random() < 0.85 else mutate_bytes(b))
    if which == "manifest": return ["quant", m, "--replay", p, "-o", out + ".gguf"], p
    return ["report", p, "--attest", base + "/key"], p
end, n, codes, bad = time.time() + seconds, 0, {}, 0
env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1", "UBSAN_OPTIONS": "halt_on_error=1", "XDG_STATE_HOME": work + "/st%d" % seed, "XDG_CACHE_HOME": work + "/st%d" % seed}
def report(why, c, m, r, more=""):
    global bad
    bad += 1
    keep = work + "/found/%d-%d" % (seed, bad)
    os.makedirs(work + "/found", exist_ok=True)
    if os.path.isdir(m): shutil.copytree(m, keep)
    else: shutil.copy(m, keep)
    print("%s: %s\n  kept %s\n  exit %s %s %s" % (why, " ".join(c), keep, r and r.returncode, (r and r.stderr.decode(errors="replace")[-600:]), more), flush=True)
while time.time() < end:
    shutil.rmtree(W, ignore_errors=True); os.makedirs(W)
    try: c, m = commands()
    except Exception as e: continue
    n += 1
    try: r = subprocess.run([precis, *c, "-q", "-t", "2"], capture_output=True, timeout=60, env=env, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        report("HANG", c, m, None); continue
    codes[(c[0], r.returncode)] = codes.get((c[0], r.returncode), 0) + 1
    err = r.stderr.decode(errors="replace")
    if r.returncode not in (0, 1, 2, 3, 4, 5): report("SIGNAL", c, m, r)
    elif r.returncode and not err.strip() and not r.stdout.strip(): report("SILENT", c, m, r)
    elif r.returncode == 4: report("RESOURCES", c, m, r)
    elif r.returncode == 0 and "-o" in c:
        o = c[c.index("-o") + 1]
        q = subprocess.run([precis, "inspect", o, "--check", "-q"], capture_output=True, timeout=60, env=env)
        if q.returncode: report("UNREADABLE", c, m, r, q.stderr.decode()[-300:] + q.stdout.decode()[-300:])
        elif c[0] == "convert" or "quant" in c[0]:
            a = subprocess.run([precis, "eval", m if os.path.exists(m) and c[1] == m else c[1], "--ids", "3,4,5,6", "--json", "-q", "--weights-only"], capture_output=True, timeout=60, env=env)
            b = subprocess.run([precis, "eval", o, "--ids", "3,4,5,6", "--json", "-q", "--weights-only"], capture_output=True, timeout=60, env=env)
            if a.returncode != b.returncode: report("EVAL DIFFERS", c, m, r, "in %d out %d %s %s" % (a.returncode, b.returncode, a.stderr.decode()[-300:], b.stderr.decode()[-300:]))
            elif c[0] == "convert" and a.returncode == 0 and abs(json.loads(a.stdout)["mean"] - json.loads(b.stdout)["mean"]) > 2e-3: report("NUMBERS DIFFER", c, m, r, a.stdout.decode()[:200] + b.stdout.decode()[:200])
    elif any(f.endswith(".part") for f in os.listdir(W)) or (r.returncode > 1 and [f for f in os.listdir(W) if f.startswith("o.") or f == "o"]): report("LEFT", c, m, r, str(os.listdir(W)))
print(n, "runs,", bad, "reported; exit codes:", " ".join(f"{c} {r}: {k}," for (c, r), k in sorted(codes.items())))
sys.exit(bad > 0)
