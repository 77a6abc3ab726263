"""precis against torch on archives of torch.export: nets of the usual kinds (export and core form), and every op alone.
usage: pt2_peer.py PRECIS [--only PART ...] [--keep FOLDER] (in an environment with torch and NumPy)."""
import argparse, logging, os, subprocess, sys, tempfile, warnings

warnings.filterwarnings("ignore")
logging.disable(logging.ERROR)
import numpy as np, torch, torch.nn as nn, torch.utils._pytree as pytree
import pt2_nets, pt2_ops

arguments = argparse.ArgumentParser()
arguments.add_argument("precis"), arguments.add_argument("--only", nargs="*", default=[""]), arguments.add_argument("--keep")
arguments.add_argument("--llama"), arguments.add_argument("--model"), arguments.add_argument("--vectors")
arguments = arguments.parse_args()
made = tempfile.TemporaryDirectory()
folder = arguments.keep or made.name
os.makedirs(folder, exist_ok=True)
passed, failures = 0, []


class Call(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *a):
        return self.f(*a)


def arrays(t):
    """As precis writes it: bf16 as raw codes."""
    return t.detach().contiguous().view(torch.uint16).numpy() if t.dtype == torch.bfloat16 else t.detach().numpy()


def differs(have, want):
    if have.shape != want.shape or have.dtype != want.dtype:
        return f"{have.dtype} {have.shape}, torch {want.dtype} {want.shape}"
    if not want.size:
        return ""
    a, b = have.astype(np.float64), want.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    error = np.where(same, 0, np.abs(a - b))
    finite = np.abs(b[np.isfinite(b)])
    limit = (1e-5 if want.dtype in (np.float32, np.float64) else 2e-3 if want.dtype == np.float16 else 0) * (finite.max() if finite.size else 1)
    return "" if np.nanmax(error) <= limit and not np.isnan(error).any() else f"off by {np.nanmax(error):.3g} of {finite.max():.3g}"


def compare(name, program, inputs, expected):
    """The archive run by precis; '' or what is wrong."""
    path = f"{folder}/{name}.pt2"
    torch.export.save(program, path)
    out = tempfile.mkdtemp(dir=made.name)
    args = [arguments.precis, "run", path, "-q", "--output-dir", out]
    names = [s.arg.name for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
    for n, t in zip(names, inputs):
        np.save(f"{out}/in_{n}.npy", arrays(t))
        args += ["--input", f"{n}={out}/in_{n}.npy"]
    r = subprocess.run(args, capture_output=True, text=True)
    if r.returncode:
        return f"exit {r.returncode}: {r.stderr.strip()[:300]}"
    specs = [s for s in program.graph_signature.output_specs if s.kind.name == "USER_OUTPUT"]
    seen, place = {}, 0
    for spec, want in zip(specs, expected):
        own = getattr(spec.arg, "name", None) if isinstance(want, torch.Tensor) or type(spec.arg).__name__.startswith("Sym") else f"output_{place}"
        place += 1
        if want is None:
            continue
        seen[own] = seen.get(own, 0) + 1
        file = f"{out}/{own}.npy" if seen[own] == 1 else f"{out}/{own}.{seen[own]}.npy"
        if not os.path.exists(file):
            return f"no {os.path.basename(file)}"
        wrong = differs(np.load(file), arrays(want) if isinstance(want, torch.Tensor) else np.array(want))
        if wrong:
            return f"{own}: {wrong}"
    return ""


def case(name, net, inputs, dynamic=None, others=()):
    global passed
    net = (net if isinstance(net, nn.Module) else Call(net)).eval()
    fresh = lambda a: tuple(t.clone() for t in a)
    with torch.no_grad():
        try:
            program = torch.export.export(net, fresh(inputs), dynamic_shapes=dynamic)
        except Exception as e:
            failures.append(name)
            print(f"FAIL {name}: torch does not export it: {str(e)[:200]}", flush=True)
            return
        for form, p in (("", program), (".core", program.run_decompositions())):
            for k, given in enumerate((inputs, *others)):
                state = {n: b.clone() for n, b in net.named_buffers()}
                want = pytree.tree_leaves(net(*fresh(given)), is_leaf=lambda v: v is None)
                for n, b in net.named_buffers():
                    b.copy_(state[n])
                wrong = compare(name.replace(".", "_") + form, p, fresh(given), want)
                if wrong:
                    failures.append(name + form)
                    print(f"FAIL {name}{form}{f' (shapes {k})' if k else ''}: {wrong}", flush=True)
                else:
                    passed += 1


torch.manual_seed(0)
for name, net, inputs, dynamic in pt2_nets.all_nets():
    if any(part in f"nets.{name}" for part in arguments.only):
        others = [(torch.randn(7, 64),)] if name == "mlp" else [(torch.randint(0, 97, (3, 29)),)] if name == "gpt" else []
        case(f"nets.{name}", pt2_nets.settle(net), inputs, dynamic, others)
for name, fn, inputs in pt2_ops.all_ops():
    if any(part in name for part in arguments.only):
        case(name, fn, inputs)
print(f"pt2: {passed} archives give torch's outputs, {len(failures)} do not")
sys.exit(bool(failures))
