"""Prints llama-cpp-python's tokens per second: of a prompt of PROMPT tokens, and of GEN tokens behind it one by one (tests/peers/environment).

usage: peer_speed.py MODEL.gguf THREADS PROMPT GEN [KV]     KV: the cache's type, f16, q8_0 or q4_0; the prompt is not run before it is timed, then
"""
import sys, time
import llama_cpp
from llama_cpp import Llama

path, threads, prompt, gen = sys.argv[1], *map(int, sys.argv[2:5])
kv = sys.argv[5] if len(sys.argv) > 5 else ""
t = {"": None, "f16": llama_cpp.GGML_TYPE_F16, "q8_0": llama_cpp.GGML_TYPE_Q8_0, "q4_0": llama_cpp.GGML_TYPE_Q4_0}[kv]
llm = Llama(model_path=path, n_ctx=prompt + gen + 64, n_batch=512, n_threads=threads, n_threads_batch=threads, type_k=t, type_v=t, flash_attn=kv[:1] == "q", verbose=False)
ids = [i * 91 % 4000 + 3 for i in range(prompt)]
if not kv:
    llm.eval(ids)
    llm.reset()
start = time.perf_counter()
llm.eval(ids)
prefill = prompt / (time.perf_counter() - start)
start = time.perf_counter()
for i in range(gen):
    llm.eval([i * 37 % 4000 + 3])
print(prefill, gen / (time.perf_counter() - start))
