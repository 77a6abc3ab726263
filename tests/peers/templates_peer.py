"""Chat templates: precis against jinja2 as transformers sets it up, on the templates of models that are here, of
llama-cpp-python, and on own ones that use what Qwen2.5's and Gemma's use.

usage: templates_peer.py PRECIS [--model SMOLLM2.gguf]
"""
import argparse, os, subprocess, sys, tempfile
import gguf, llama_cpp.llama_chat_format as formats
from jinja2.sandbox import ImmutableSandboxedEnvironment

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("--model", default=""), p.add_argument("--vectors")
a = p.parse_args()
env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)


def refuse(text):
    raise ValueError(text)


env.globals["raise_exception"] = refuse
own = os.path.join(os.path.dirname(__file__), "templates")
templates = {n: open(os.path.join(own, n)).read() for n in sorted(os.listdir(own))}
templates.update({n: getattr(formats, n) for n in dir(formats) if n.endswith("_CHAT_TEMPLATE")})
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
