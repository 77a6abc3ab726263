"""Chat templates: precis against jinja2 as transformers sets it up, on the templates of models that are here, of
llama-cpp-python, and on own ones that use what Qwen2.5's and Gemma's use.

usage: templates_peer.py PRECIS [--model SMOLLM2.gguf]
Templates of Llama 3, Phi-3.5, Mistral, Qwen and others come from the source package of llama-cpp-python, once, into the user's cache.
"""
import argparse, io, json, os, subprocess, sys, tarfile, tempfile, urllib.request
import gguf, llama_cpp.llama_chat_format as formats
from jinja2.sandbox import ImmutableSandboxedEnvironment

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("--model", default=""), p.add_argument("--vectors")
a = p.parse_args()
env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)


def refuse(text):
    raise ValueError(text)


env.globals["raise_exception"] = refuse
env.globals["strftime_now"] = lambda f: __import__("datetime").datetime.now().strftime(f)
env.filters["tojson"] = lambda x, indent=None, ensure_ascii=False, separators=None, sort_keys=False: json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
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
         [("user", "<b>&amp;</b>"), ("assistant", "{{ x }}"), ("user", "\t")], []]
bad = n = 0
for name, source in templates.items():
    for chat in chats:
        for add in (0, 1):
            try:
                want = env.from_string(source).render(messages=[{"role": r, "content": c} for r, c in chat], add_generation_prompt=bool(add), bos_token="<bos>", eos_token="<eos>")
            except Exception as e:
                want = None
            with tempfile.NamedTemporaryFile("w", delete=False) as f:
                f.write(source)
            r = subprocess.run([a.precis, "tokenize", "--render", f.name, *(["--generation"] if add else []), "--bos", "<bos>", "--eos", "<eos>", *[x for m in chat for x in ("--message", "=".join(m))]], capture_output=True)
            os.unlink(f.name)
            got = r.stdout.decode() if r.returncode == 0 else None
            n += 1
            if got != want:
                bad += 1
                print(name, chat, add, "\n  jinja2", repr(want), "\n  precis", repr(got), r.stderr.decode()[:200])
print(f"{len(templates)} templates, {n} renderings, {bad} differ")
sys.exit(bad != 0)
