"""What was lost."""
import ctypes

from . import _abi as abi
from ._core import blob, default_context, guarded_by, library, new, numpy, options, record, whole

VERDICTS = [library.precis_verdict_name(i).decode() for i in range(3)]


def evaluate(model, reference=None, text=None, *, each=None, **settings):
    """Perplexity, and beside a reference KL divergence, probability differences and agreement, with standard errors.

    text: a text of about 43 kB where none is given. each(kld, nll, ref_nll, same) is called for each scored token.
    Options: arithmetic, window, windows, k_type, v_type, logits (a file of the reference's)."""
    context = model.context
    o, out = options(abi.precis_eval_options, settings), new(abi.precis_eval_result)
    if each is not None:
        def token(user, t):
            each(t[0].kld, t[0].nll, t[0].ref_nll, bool(t[0].same))
        o.each = dict(abi.precis_eval_options._fields_)["each"](guarded_by(context._hooks, token, nothing=True))
    if text is None:
        n = ctypes.c_size_t()
        data = ctypes.string_at(library.precis_eval_default_text(ctypes.byref(n)), n.value)
    else:
        data = blob(text)
    context.call(library.precis_eval_text, context._pointer, model._pointer,
                 None if reference is None else reference._pointer, data, len(data), ctypes.byref(o), ctypes.byref(out))
    return record(out)


def nll(model, ids, **settings):
    """Negative log-likelihood in nats of each id after the first, given those before it."""
    np = numpy()
    ids = [whole(i, ctypes.c_int32, "id") for i in ids]
    out = np.empty(max(len(ids) - 1, 0), dtype="float64")
    o = options(abi.precis_eval_options, settings)
    model.context.call(library.precis_eval_ids, model.context._pointer, model._pointer,
                       (ctypes.c_int32 * len(ids))(*ids), len(ids), ctypes.byref(o),
                       out.ctypes.data_as(ctypes.POINTER(ctypes.c_double)))
    return out


def gate(values, margin, *, block=64, context=None):
    """Is the mean of values (divergences in order, say) below the margin? verdict: "ACCEPT", "REJECT", "UNDECIDED"."""
    context = context or default_context()
    values = [float(v) for v in values]
    out = new(abi.precis_gate_result)
    context.call(library.precis_gate, context._pointer, (ctypes.c_double * len(values))(*values), len(values),
                 whole(block, ctypes.c_size_t, "block"), float(margin), ctypes.byref(out))
    found = record(out)
    found.verdict = VERDICTS[out.verdict]
    return found
