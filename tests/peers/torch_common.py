"""What the peers that run beside torch share: arguments, precis, the ids, and the count of failures."""
import argparse, json, os, subprocess, tempfile, warnings

warnings.filterwarnings("ignore")
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import numpy as np, torch
from transformers.utils import logging

logging.disable_progress_bar()
p = argparse.ArgumentParser()
p.add_argument("precis"), p.add_argument("--llama", default=""), p.add_argument("--model"), p.add_argument("--vectors")
a = p.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
made_here = tempfile.TemporaryDirectory()  # removed at the end
out, failures = made_here.name, []
IDS = np.random.default_rng(5).integers(3, 300, 48).tolist()
TEXT = ",".join(map(str, IDS))


def run(*args):
    return subprocess.run([a.precis, *args, "-q"], capture_output=True, text=True)


def precis(*args):
    r = run(*args, "--json")
    if r.returncode:
        raise RuntimeError(f"precis {' '.join(args)}: {r.stderr}")
    return json.loads(r.stdout)


def check(name, ok, text):
    if not ok:
        failures.append(name)
    print(f"{'ok  ' if ok else 'FAIL'} {name}: {text}", flush=True)


def nll_of(logits):
    """Of the ids after the first, in f64."""
    x = logits.double()
    return (torch.logsumexp(x, -1)[:-1] - x[torch.arange(len(IDS) - 1), torch.tensor(IDS[1:])]).numpy()
