"""precis: neural networks in fewer bits.

    import precis
    with precis.Model("model.gguf") as model:
        result = precis.quant(model, "small.gguf", max_part=0.75)
        print(result.bytes, result.eval.kld_mean)
        with precis.Model("small.gguf") as small:
            print(precis.generate(small, "Once upon a time", 64, temperature=0).text)

The library's headers (include/precis) say what each option means; docs/python.md has the package on one page."""
from ._core import (Context, Error, PrecisWarning, Status, __version__, default_context, names)
from ._eval import evaluate, gate, nll
from ._graph import Graph, Program, Value
from ._law import VARIABLES, Law, laws
from ._model import Model, array_bytes, convert, dequantize, quantize
from ._more import Task, attest, bench, ladder, new_key, nodes, tasks, verify
from ._quant import Imatrix, Plan, Profile, plan, quant
from ._run import Chat, Runner, Session, Tokenizer, generate, together

__all__ = ["Chat", "Context", "Error", "Graph", "Imatrix", "Law", "Model", "Plan", "PrecisWarning", "Profile",
           "Program", "Runner", "Session", "Status", "Task", "Tokenizer", "VARIABLES", "Value", "__version__",
           "array_bytes", "attest", "bench", "convert", "default_context", "dequantize", "evaluate", "gate", "generate",
           "ladder", "laws", "names", "new_key", "nll", "nodes", "plan", "quant", "quantize", "tasks", "together",
           "verify"]
