"""GGUFs that precis makes of transformers folders, loaded in llama.cpp; and folders that it exports, in transformers.

usage: folders_peer.py PRECIS [--torch PYTHON]
One tiny random folder for each architecture, each kind of tokenizer and each oddity of tests/folders.py that is no error. The file must
load, with one token for each row of the embedding and an end of text of its own; the negative log-likelihood of some tokens is within
1e-3 of llama.cpp's (where there is a GELU 2e-2, which llama.cpp takes from a table in half precision: 2^-11 of each; the rows of an encoder within 1e-4 and 1e-3). With --torch each folder that precis exports from the GGUF is opened by transformers, too.
"""
import argparse, json, os, re, subprocess, sys, tempfile
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import folders

p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("--torch", default=""), p.add_argument("--model"), p.add_argument("--vectors")
a = p.parse_args()
made_here = tempfile.TemporaryDirectory()  # removed at the end
top, failed = made_here.name, 0


def check(name, ok, text):
    global failed
    failed += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {name}: {text}", flush=True)


def precis(*args):
    r = subprocess.run([a.precis, *args], capture_output=True, text=True)
    return r.returncode, r.stdout, r.stderr


def nll(logits, ids):
    x = np.array(logits, dtype=np.float64)[:-1]
    m = x.max(axis=1)
    return m + np.log(np.exp(x - m[:, None]).sum(axis=1)) - x[np.arange(len(ids) - 1), ids[1:]]


# ---- every architecture that precis runs has a folder here -----------------------------------------------------------------
listed = set(re.findall(r"ARCH\((\w+)\)", open(os.path.join(os.path.dirname(__file__), "../../src/graph/archs.def")).read()))
covered = {n.replace("qwen3_moe", "qwen3moe") for n in folders.BASES}
check("architectures", listed <= covered, f"{len(listed)}, without a folder here: {sorted(listed - covered) or 'none'}")

ODD = "padded padded-spm padded-unigram spm unigram short eos-list eos-named buffers heads gemma-tied no-tokenizer".split()
IDS = [256, 101, 32, 7, 99, 200, 41, 63, 12, 11, 180, 2]
ENDS = {"eos-list": {256, 257, 11}, "eos-named": {257}, "padded": {257}}


def gelu(name):
    """Does its config.json say some GELU?"""
    config = folders.BASES.get(name.split("-")[0], folders.BASES["llama"])[0]
    return any(v.startswith("gelu") for k, v in config.items() if "act" in k and isinstance(v, str))


def against_llama(name, path, rows):
    from llama_cpp import Llama
    import llama_cpp

    encoder = name == "bert"
    try:
        llm = Llama(model_path=path, n_ctx=64, logits_all=not encoder, embedding=encoder, verbose=False, n_threads=2, type_k=0, type_v=0)
    except Exception as e:
        return check(name, False, f"llama.cpp refuses it: {e}")
    vocab = llama_cpp.llama_model_get_vocab(llm.model)
    tokens = llama_cpp.llama_vocab_n_tokens(vocab)
    ends = {i for i in range(tokens) if llama_cpp.llama_vocab_is_eog(vocab, i)}
    ok, text = tokens == rows, f"{tokens} tokens for {rows} rows"
    if name in ENDS:
        ok, text = ok and ENDS[name] <= ends, f"{text}, ends {sorted(ends)}"
    if encoder:
        got = json.loads(precis("run", path, "--embed", "-p", "the word, and", "--json", "-q")[1])
        got = np.array(got.get("embedding", got.get("embeddings", [[]])), dtype=np.float64).reshape(-1)
        want = np.array(llm.embed("the word, and", normalize=True), dtype=np.float64).reshape(-1)
        got /= np.linalg.norm(got)
        worst, limit = np.abs(got - want).max() if got.shape == want.shape else np.inf, 1e-3 if gelu(name) else 1e-4
    else:
        llm.eval(IDS)
        want = nll(llm.scores[: len(IDS)], IDS)
        code, out, err = precis("eval", path, "--ids", ",".join(map(str, IDS)), "--weights-only", "--json", "-q")
        worst, limit = (np.abs(np.array(json.loads(out)["nll"]) - want).max(), 2e-2 if gelu(name) else 1e-3) if not code else (np.inf, 0)
    check(name, ok and worst < limit, f"{text}, largest difference {worst:.2g}")
    del llm


TORCH = """
import sys, json, transformers as t, torch
d = sys.argv[1]
m = t.AutoModel.from_pretrained(d, torch_dtype=torch.float32) if sys.argv[3] == 'bert' else t.AutoModelForCausalLM.from_pretrained(d, torch_dtype=torch.float32, output_loading_info=False)
try:
    k = t.AutoTokenizer.from_pretrained(d)
    words = len(k)
except Exception as e:
    words = -1
ids = torch.tensor([json.loads(sys.argv[2])])
with torch.no_grad():
    y = m(ids)
x = y.last_hidden_state if sys.argv[3] == 'bert' else y.logits
n = [] if sys.argv[3] == 'bert' else (torch.logsumexp(x[0, :-1].double(), -1) - x[0, :-1].double().gather(1, ids[0, 1:, None])[:, 0]).tolist()
print(json.dumps({'nll': n, 'words': words, 'eos': m.config.eos_token_id, 'ends': m.generation_config.eos_token_id if getattr(m, 'generation_config', None) else None}))
"""


def against_transformers(name, source, folder):
    env = dict(os.environ, HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
    kind = "bert" if name == "bert" else ""
    r = subprocess.run([a.torch, "-c", TORCH, folder, json.dumps(IDS), kind], capture_output=True, text=True, env=env)
    if r.returncode:
        return check(f"{name} exported", False, r.stderr.strip().splitlines()[-1][:200])
    got = json.loads(r.stdout.strip().splitlines()[-1])
    if kind:
        return check(f"{name} exported", got["words"] > 0, f"{got['words']} words")
    code, out, err = precis("eval", source, "--ids", ",".join(map(str, IDS)), "--weights-only", "--json", "-q")
    worst = np.abs(np.array(json.loads(out)["nll"]) - np.array(got["nll"])).max()
    ok = worst < 1e-3 and (name != "eos-list" or got["eos"] == [257, 11, 256, 12]) and (not name.startswith("padded") or got["words"] in (264, 265))
    check(f"{name} exported", ok, f"{got['words']} words, end {got['eos']}, largest difference {worst:.2g}")


for name in [*folders.BASES, *ODD]:
    source, file, exported = (os.path.join(top, name + end) for end in ("", ".gguf", "-out"))
    folders.make(source, name)
    code, out, err = precis("convert", source, "-o", file)
    if code:
        check(name, False, f"convert: {err.strip()}")
        continue
    against_llama(name, file, folders.gguf(file)[1]["token_embd.weight"][1])
    code, out, err = precis("quant", source, "--type", "Q8_0", "--no-calib", "--no-eval", "-o", file[:-5] + "-q.gguf")
    check(f"{name} Q8_0", not code, err.strip().splitlines()[-1][:100] if code else "written")
    if a.torch:
        code, out, err = precis("convert", file, "-o", exported, "--format", "safetensors", "--exact")
        if code:
            check(f"{name} exported", False, err.strip())
        else:
            against_transformers(name, source, exported)
sys.exit(failed != 0)
