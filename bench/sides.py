"""Both sides of a bench: precis's commands, and llama.cpp's through llama-cpp-python (tests/peers/environment), each in a process of its own."""
import json, math, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))


def precis(program, *a):
    """What a command of precis prints with --json; ends the bench with the command's message when it fails."""
    r = subprocess.run([program, *map(str, a), "--json", "-q"], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"{' '.join(map(str, (program, *a)))}: {r.stderr}")
    return json.loads(r.stdout)


def level(program):
    """The instruction set that precis uses here."""
    return precis(program, "bench", os.path.join(HERE, "..", "models", "gutenberg-7m"), "--prompt", 1, "--gen", 1)["cpu"]


def llama_speed(model, threads, prompt, gen, kv="", python=sys.executable):
    """Tokens per second of a prompt and of what is generated behind it; NaN where llama.cpp does not run the model. kv: f16, q8_0 or q4_0, the cache's type."""
    r = subprocess.run([python, os.path.join(HERE, "peer_speed.py"), model, str(threads), str(prompt), str(gen), *([kv] if kv else [])], capture_output=True, text=True)
    return tuple(map(float, r.stdout.split()[-2:])) if r.returncode == 0 else (math.nan, math.nan)


def llama_quantize(source, out, kind, threads=os.cpu_count(), *more):
    """Seconds of llama.cpp's quantizer. "Q4_K" is its mix Q4_K_M; "pure" behind it: every matrix in the type."""
    r = subprocess.run([sys.executable, os.path.join(HERE, "peer_quantize.py"), source, out, kind, str(threads), *more], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"llama.cpp's quantizer: {r.stderr}")
    return float(r.stdout.split()[-1])
