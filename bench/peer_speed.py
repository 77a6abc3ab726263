"""Prints llama-cpp-python's tokens per second: of a prompt of PROMPT tokens, and of GEN tokens behind it one by one (tests/peers/environment).

usage: peer_speed.py MODEL.gguf THREADS PROMPT GEN
"""
import sys, time
from llama_cpp import Llama

path, threads, prompt, gen = sys.argv[1], *map(int, sys.argv[2:])
llm = Llama(model_path=path, n_ctx=prompt + gen + 64, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False)
ids = [i * 91 % 4000 + 3 for i in range(prompt)]
llm.eval(ids)
llm.reset()
t = time.perf_counter()
llm.eval(ids)
prefill = prompt / (time.perf_counter() - t)
t = time.perf_counter()
for i in range(gen):
    llm.eval([i * 37 % 4000 + 3])
print(prefill, gen / (time.perf_counter() - t))
