"""The node tests of the onnx package, all in one process of build/onnx_nodes. usage: onnx_nodes.py BUILD_FOLDER [--list VERDICT]

Counted are the folders that are inference on tensors: not those of sequences, optionals and strings, of training and of random
numbers, and of ai.onnx.ml. Fails when a result is wrong, when something fails otherwise than by a refusal that names it, or when
fewer pass than did."""
import collections, os, re, subprocess, sys

import onnx

LEAST = 1578  # of inference on tensors
# Inverse transforms: the package's own expectation is of an f32 transform, 2e-7 where the number is 0; ours is of f64.
ABSOLUTE = {"test_dft_inverse": 1e-6, "test_dft_inverse_opset19": 1e-6}
folder = os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/node")
NOT = re.compile(r"sequence|optional|string|strnorm|tfidf|regex|label_encoder|ai_onnx_ml|adagrad|adam|momentum|gradient|training|bernoulli|random|image_decoder|equal_string|identity_opt|loop13|loop16|if_opt|if_seq|split_to")
QUANT = re.compile(r"quantize|qlinear|matmulinteger|convinteger|dynamicquant")



def main():
    build = sys.argv[1]
    names = sorted(os.listdir(folder))
    lines = subprocess.run([os.path.join(build, "onnx_nodes")], input="".join(f"{folder}/{n}\t{ABSOLUTE.get(n, 1e-7)}\n" for n in names), capture_output=True, text=True)
    verdicts = [l.split("\t") for l in lines.stdout.splitlines()]
    if lines.returncode or len(verdicts) != len(names):
        print(f"onnx_nodes ended with {lines.returncode} after {len(verdicts)} of {len(names)}: {lines.stderr[-500:]}")
        return 1
    counts, by_op, quant = collections.Counter(), collections.defaultdict(collections.Counter), collections.Counter()
    for verdict, path, why in verdicts:
        name = os.path.basename(path)
        if NOT.search(name) or verdict == "other":
            counts["left out"] += 1
            continue
        counts[verdict] += 1
        op = re.search(r"op ([\w.:]*\w+) of opset", why)
        by_op[op.group(1) if op else why.split(": ")[-1] if verdict != "passed" else ""][verdict] += 1
        if QUANT.search(name):
            quant[verdict] += 1
        if verdict in ("wrong", "failed") or ("--list" in sys.argv and verdict == sys.argv[-1]):
            print(f"{verdict}: {name}: {why}")
    print(f"onnx {onnx.__version__}: {dict(counts)}; of quantization {dict(quant)}")
    for op, c in sorted(by_op.items()):
        if op:
            print(f"  {op}: {dict(c)}")
    return 1 if counts["wrong"] or counts["failed"] or counts["passed"] < LEAST or quant["passed"] != sum(quant.values()) else 0


sys.exit(main())
