"""Runs the quantizer of llama-cpp-python and prints the seconds of its call (tests/peers/environment). "Q4_K" is its mix Q4_K_M.

usage: peer_quantize.py SRC.gguf DST.gguf TYPE THREADS [pure]     pure: every matrix in TYPE, where its mixes keep some in more bits
"""
import ctypes, sys, time
import llama_cpp
from llama_cpp import llama_cpp as low

src, dst, kind, threads = sys.argv[1:5]
quiet = low.llama_log_callback(lambda *a: None)  # kept: the library calls it later
low.llama_log_set(quiet, None)
p = low.llama_model_quantize_default_params()
p.ftype, p.nthread, p.pure = getattr(llama_cpp, "LLAMA_FTYPE_MOSTLY_" + {"Q4_K": "Q4_K_M"}.get(kind, kind)), int(threads), "pure" in sys.argv[5:]
start = time.perf_counter()
if low.llama_model_quantize(src.encode(), dst.encode(), ctypes.byref(p)):
    sys.exit(f"llama.cpp does not quantize {src} to {kind}")
print(time.perf_counter() - start)
