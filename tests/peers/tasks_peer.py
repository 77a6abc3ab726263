"""Log-likelihoods of tasks against transformers: each choice of each item, computed anew in torch from its text, by lm-evaluation-harness's rule for splitting it into tokens;
accuracies then follow. usage: tests/peers/run BUILD tasks   (needs ../shared/data)"""
from torch_common import *
from transformers import AutoModelForCausalLM, AutoTokenizer

DATA = os.path.join(here, "../../../shared/data")
MODEL = os.path.join(here, "../../models/gutenberg-7m")
tok = AutoTokenizer.from_pretrained(MODEL)
net = AutoModelForCausalLM.from_pretrained(MODEL, torch_dtype=torch.float32).eval()
bos = tok.bos_token_id if tok("", add_special_tokens=True).input_ids else None
LIMIT = 12


def loglik(context, choice):
    stripped = context.rstrip()
    choice = context[len(stripped):] + choice
    ids = ([bos] if bos is not None else []) + tok(stripped + choice, add_special_tokens=False).input_ids
    k = (bos is not None) + len(tok(stripped, add_special_tokens=False).input_ids)
    n, longest = len(ids), net.config.max_position_embeddings
    if n > longest + 1:
        cut = n - longest - 1
        ids, k = ids[cut:], k - cut
    with torch.no_grad():
        x = net(torch.tensor([ids[:-1]])).logits[0].double()
    lp = torch.log_softmax(x, -1)
    return sum(lp[i - 1, ids[i]].item() for i in range(k, len(ids)))


def right(task, s, ll):
    if task == "lambada":
        return None
    best = lambda v: max(range(len(v)), key=lambda i: v[i])
    norm = [l / max(1, len(c[1:] if c.startswith(" ") else c)) for l, c in zip(ll, s["choices"])]
    return best(norm if task in ("arc_challenge", "openbookqa", "piqa", "hellaswag") else ll) == s["answer"]


tasks = "arithmetic,transitive,copy,brackets,lookup,pairs"
if os.path.isdir(DATA + "/multichoice"):
    tasks += ",arc_easy,arc_challenge,openbookqa,piqa,winogrande,boolq,hellaswag,lambada"
else:
    print("SKIP the sets of shared/data: not here")
samples = os.path.join(out, "samples")
j = precis("eval", MODEL, "--tasks", tasks, "--data", DATA, "--limit", str(LIMIT), "--samples", samples, "--weights-only", "--cache-k", "f32", "--cache-v", "f32")
worst, wrong, count = {}, {}, {}
for line in open(samples):
    s = json.loads(line)
    if count.get(s["task"], 0) >= 60:
        continue
    count[s["task"]] = count.get(s["task"], 0) + 1
    contexts = s.get("contexts") or [s["context"]] * len(s["choices"])
    ll = [loglik(c, a) for c, a in zip(contexts, s["choices"])]
    worst[s["task"]] = max(worst.get(s["task"], 0), max(abs(a - b) for a, b in zip(ll, s["logliks"])))
    r = right(s["task"], s, ll)
    wrong[s["task"]] = wrong.get(s["task"], 0) + (r is not None and r != s["right"])
for t in tasks.split(","):
    check(t, worst[t] < 1e-3 and wrong[t] == 0, f"{count[t]} items, log-likelihoods within {worst[t]:.1e}, {wrong[t]} judged otherwise")
sys_exit = 1 if failures else 0
raise SystemExit(sys_exit)
