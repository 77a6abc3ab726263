"""Negative log-likelihood of ids by llama.cpp, with a KV cache in F32 and F16, in one call and token by token. usage: llama_nll.py MODEL.gguf IDS"""
import json, sys
import gguf, numpy as np
from llama_cpp import Llama

# the keys are read for some architectures alone; the library's parameters serve all
yarn = {}
for key, f in gguf.GGUFReader(sys.argv[1]).fields.items():
    if key.endswith((".yarn_beta_fast", ".yarn_beta_slow")):
        yarn[key.rsplit(".", 1)[1]] = float(f.contents())
ids = [int(i) for i in sys.argv[2].split(",")]


def nll(x):
    x = np.array(x, dtype=np.float64)[:-1]
    m = x.max(axis=1)
    return (m + np.log(np.exp(x - m[:, None]).sum(axis=1)) - x[np.arange(len(ids) - 1), ids[1:]]).tolist()


def both(kind):
    llm = Llama(model_path=sys.argv[1], n_ctx=128, logits_all=True, verbose=False, n_threads=2, type_k=kind, type_v=kind, **yarn)
    llm.eval(ids)
    whole = nll(llm.scores[: len(ids)])
    llm.reset()
    for i in ids:
        llm.eval([i])
    return {"whole": whole, "steps": nll(llm.scores[: len(ids)])}


print(json.dumps({"f32": both(0), "f16": both(1)}))
