"""Chat templates: precis against jinja2 as transformers sets it up, on the templates of models that are here, of
llama-cpp-python, and on own ones: those that use what Qwen2.5's and Gemma's use, and those of tests/unit/templates.inc, a feature each,
whose expected texts are checked, too.

usage: templates_peer.py PRECIS [--model SMOLLM2.gguf]
Templates of Llama 3, Phi-3.5, Mistral, Qwen and others come from the source package of llama-cpp-python, once, into the user's cache.
"""
import argparse, codecs, io, json, os, re, subprocess, sys, tarfile, tempfile, urllib.request
import gguf, llama_cpp.llama_chat_format as formats
from jinja2.sandbox import ImmutableSandboxedEnvironment

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("--model", default=""), p.add_argument("--vectors")
a = p.parse_args()
env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])


def refuse(text):
    raise ValueError(text)


env.globals["raise_exception"] = refuse
env.globals["strftime_now"] = lambda f: __import__("datetime").datetime.now().strftime(f)
env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
own = os.path.join(os.path.dirname(__file__), "templates")
templates = {n: open(os.path.join(own, n)).read() for n in sorted(os.listdir(own))}
templates.update({n: getattr(formats, n) for n in dir(formats) if n.endswith("_CHAT_TEMPLATE")})
NAMED = ["meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct", "meta-llama-Llama-3.3-70B-Instruct", "microsoft-Phi-3.5-mini-instruct", "mistralai-Mistral-Nemo-Instruct-2407",
         "Qwen-Qwen3-0.6B", "Qwen-Qwen2.5-7B-Instruct", "Qwen-QwQ-32B", "google-gemma-2-2b-it", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "Mistral-Small-3.2-24B-Instruct-2506", "HuggingFaceTB-SmolLM3-3B"]
cache = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "precis", "templates")
if not os.path.isdir(cache):
    try:
        files = json.load(urllib.request.urlopen("https://pypi.org/pypi/llama-cpp-python/0.3.36/json", timeout=60))["urls"]
        data = urllib.request.urlopen(next(f["url"] for f in files if f["packagetype"] == "sdist"), timeout=600).read()
        os.makedirs(cache + ".new", exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(data)) as t:
            for m in t:
                if "/models/templates/" in m.name and m.name.endswith(".jinja"):
                    open(os.path.join(cache + ".new", os.path.basename(m.name)), "wb").write(t.extractfile(m).read())
        os.rename(cache + ".new", cache)
    except OSError as e:
        print(f"skipped: templates of the source package: {e}")
for n in NAMED:
    path = os.path.join(cache, n + ".jinja")
    if os.path.exists(path):
        templates[n] = open(path).read()
if a.model:
    templates["SmolLM2"] = gguf.GGUFReader(a.model).fields["tokenizer.chat_template"].contents()
chats = [[("user", " Hello there ")], [("system", "Be brief."), ("user", "Hi a"), ("assistant", 'Yes? "q"'), ("user", "N\u00e9e\n2")], [("assistant", "x")],
         [("user", "<b>&amp;</b>"), ("assistant", "{{ x }}"), ("user", "\t")], [],
         [("system", "Be brief."), ("user", " Hi "), ("assistant", 'Yes? "q"'), ("user", "N\u00e9e")]]
bad = n = 0


def peer(source, chat, add):
    """None for an error. The marks of transformers' own extension leave the text alone."""
    try:
        source = re.sub(r"{% (end)?generation %}", "", source)
        return env.from_string(source).render(messages=[{"role": r, "content": c} for r, c in chat], tools=None, documents=None, add_generation_prompt=bool(add), bos_token="<s>", eos_token="</s>")
    except Exception:
        return None


def compare(name, source, chat, add, want):
    global bad, n
    with tempfile.NamedTemporaryFile("w", delete=False, newline="") as f:
        f.write(source)
    r = subprocess.run([a.precis, "tokenize", "--render", f.name, *(["--generation"] if add else []), "--bos", "<s>", "--eos", "</s>", *[x for m in chat for x in ("--message", "=".join(m))]], capture_output=True)
    os.unlink(f.name)
    got = r.stdout.decode() if r.returncode == 0 else None
    n += 1
    if got != want:
        bad += 1
        print(name, chat, add, "\n  jinja2", repr(want), "\n  precis", repr(got), r.stderr.decode()[:200])


def carried():
    """Rows of templates.inc: TEMPLATE("source", "text" or NULL), in C's strings."""
    text = open(os.path.join(os.path.dirname(__file__), "../unit/templates.inc")).read()
    strings = r'(?:"(?:[^"\\\n]|\\.)*"\s*)+'
    join = lambda s: codecs.escape_decode("".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', s)).encode())[0].decode()
    for source, want in re.findall(rf"TEMPLATE\(({strings}),\s*({strings}|NULL)\)", text):
        yield join(source), None if want == "NULL" else join(want)


for name, source in templates.items():
    for chat in chats:
        for add in (0, 1):
            compare(name, source, chat, add, peer(source, chat, add))
features = list(carried())
for source, want in features:
    if peer(source, chats[-1], 1) != want:
        bad += 1
        print("templates.inc", source, "\n  jinja2", repr(peer(source, chats[-1], 1)), "\n  carried", repr(want))
    compare("templates.inc", source, chats[-1], 1, want)
print(f"{len(templates)} templates and {len(features)} features, {n} renderings, {bad} differ")
sys.exit(bad != 0)
