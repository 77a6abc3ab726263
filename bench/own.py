"""Four bits as precis would take them (IQ4_XS under a head of Q6_K, by search) beside llama.cpp's Q4_0, each quantizer's own file of one model of 1.1B: tokens per second one
after the other, medians of ROUNDS, one thread; bytes; and the KL divergence from the F16 model, also that of gutenberg-7m. Neither has an importance matrix.

usage: own.py PRECIS RANDOM_1.1B.gguf [ROUNDS]     (needs llama-cpp-python: tests/peers/environment)
"""
import os, statistics, sys, tempfile
import goals, sides

precis, model = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5


def divergence(path, reference, *more):
    return sides.precis(precis, "eval", path, "--against", reference, "--ctx", 256, *more)["kld_mean"]


with tempfile.TemporaryDirectory(dir=os.path.dirname(model)) as folder:
    name = lambda s: os.path.join(folder, s + ".gguf")
    sides.precis(precis, "convert", "models/gutenberg-7m", "-o", name("small"))
    for source, what, head in ((model, "1.1b", "output"), (name("small"), "gutenberg-7m", "token_embd")):  # the small one's head is its embeddings
        sides.precis(precis, "quant", source, "--type", f"{head}.weight=Q6_K,*=IQ4_XS", "--no-calib", "--no-eval", "-o", name("ours " + what))
        sides.llama_quantize(source, name("peer " + what), "Q4_0")
    speed, peer = [], []
    for _ in range(rounds):
        speed.append(sides.precis(precis, "bench", name("ours 1.1b"), "--prompt", 128, "--gen", 48, "-t", 1)["decode_tok_s"])
        peer.append(sides.llama_speed(name("peer 1.1b"), 1, 128, 48)[1])
    ratio = statistics.median(speed) / statistics.median(peer)
    print(f"decode of 1.1B: {statistics.median(speed):.1f} tokens/s, llama.cpp's Q4_0 {statistics.median(peer):.1f}: {ratio:.2f}")
    goals.record("own peer", ratio)
    for source, what, chunks in ((model, "1.1b", 2), (name("small"), "gutenberg-7m", 24)):
        a, b = (divergence(name(f"{who} {what}"), source, "--chunks", chunks) for who in ("ours", "peer"))
        sizes = [os.path.getsize(name(f"{who} {what}")) for who in ("ours", "peer")]
        print(f"{what}: KL {a:.6f} in {sizes[0]} bytes, llama.cpp's Q4_0 {b:.6f} in {sizes[1]}: {a / b:.3f}, {sizes[0] / sizes[1]:.3f}")
        goals.record(f"own kl {what}", a / b)
