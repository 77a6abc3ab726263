"""Importance, plans, and quantized files."""
import collections.abc
import ctypes

from . import _abi as abi
from ._core import Object, blob, library, new, numpy, options, path, record, rows, text, whole

# What is said of quantizing, as keywords of all functions here that quantize (precis/quant.h has their meaning).
QUANT = {name for name, _ in abi.precis_quant_options._fields_} - {"size", "imatrix", "profile"}


def _calibrate(texts, tokens):
    """Texts as C has them."""
    o = new(abi.precis_calibrate_options)
    if isinstance(texts, (str, bytes)):
        texts = [texts]
    if texts is not None:
        data = [blob(t) for t in texts]
        n = len(data)
        o.texts = (ctypes.c_char_p * n)(*data)
        o.lengths = (ctypes.c_size_t * n)(*map(len, data))
        o.n_texts = n
    o.tokens = whole(tokens, ctypes.c_uint32, "tokens")
    return o


def _split(values, known):
    """Keywords that are in a set, and the others."""
    return ({k: v for k, v in values.items() if k in known}, {k: v for k, v in values.items() if k not in known})


def _quant(values, imatrix=None, profile=None):
    o = options(abi.precis_quant_options, values)
    o.imatrix = None if imatrix is None else imatrix._pointer
    o.profile = None if profile is None else profile._pointer
    return o


class Imatrix(Object, collections.abc.Mapping):
    """An importance matrix: mean squares of the inputs of each matrix. Imatrix(context, file) reads one of either kind;
    Imatrix.of(model, texts) runs the model. A mapping from tensors to arrays."""

    def __init__(self, context, file):
        self._open(context, library.precis_imatrix_open, library.precis_imatrix_close, path(file))

    @classmethod
    def of(cls, model, texts=None, *, tokens=0):
        """Calibrate on texts; without any the model's own are sampled."""
        o = _calibrate(texts, tokens)
        self = cls.__new__(cls)
        self._open(model.context, library.precis_calibrate, library.precis_imatrix_close, model._pointer,
                   ctypes.byref(o))
        return self

    def check(self, model):
        """Is it of this model?"""
        self.context.call(library.precis_imatrix_check, self._pointer, model._pointer)

    def save(self, file):
        """As GGUF when the name ends in .gguf, else as the older kind."""
        self.context.call(library.precis_imatrix_save, self._pointer, path(file))

    def _entry(self, i):
        name, values = ctypes.c_char_p(), ctypes.POINTER(ctypes.c_float)()
        n, tokens = ctypes.c_size_t(), ctypes.c_uint64()
        self.context.call(library.precis_imatrix_get, self._pointer, i, *map(ctypes.byref, (name, values, n, tokens)))
        return name.value.decode(), values, n.value, tokens.value

    def __len__(self):
        return library.precis_imatrix_size(self._pointer)

    def __iter__(self):
        return (self._entry(i)[0] for i in range(len(self)))

    def __getitem__(self, tensor):
        for i in range(len(self)):
            name, values, n, _ = self._entry(i)
            if name == tensor:
                return numpy().ctypeslib.as_array(values, shape=(n,)).copy()
        raise KeyError(tensor)


class Profile(Object):
    """What quantizing each tensor alone costs. Profile(context, file) reads one, Profile.of(model) measures."""

    def __init__(self, context, file):
        self._open(context, library.precis_profile_open, library.precis_profile_close, path(file))

    @classmethod
    def of(cls, model, texts=None, *, tokens=0, imatrix=None, **settings):
        """settings: types, time_limit (seconds), cache (a file), method."""
        o = options(abi.precis_profile_options, settings)
        o.calibrate = _calibrate(texts, tokens)
        o.imatrix = None if imatrix is None else imatrix._pointer
        self = cls.__new__(cls)
        self._open(model.context, library.precis_profile_make, library.precis_profile_close, model._pointer,
                   ctypes.byref(o))
        return self

    @property
    def info(self):
        out = new(abi.precis_profile_info)
        library.precis_profile_get_info(self._pointer, ctypes.byref(out))
        return record(out)

    @property
    def probes(self):
        """tensor, type, error, kld and kld_se of each measurement."""
        found = []
        probe = new(abi.precis_probe)
        while not library.precis_profile_get(self._pointer, len(found), ctypes.byref(probe)):
            found.append(record(probe))
        return found

    def predict(self, total):
        """Divergence of a whole plan whose tensors' add up to this, and its 90 % interval."""
        interval = (ctypes.c_double * 2)()
        return library.precis_profile_predict(self._pointer, float(total), interval), tuple(interval)

    def save(self, file):
        self.context.call(library.precis_profile_save, self.context._pointer, self._pointer, path(file))


class Plan(Object):
    """A type for each tensor: Plan(model, "Q4_K_M"), or a list as "*attn_v*=Q6_K,*=Q4_K"; Plan.within(model, bytes)
    chooses."""

    def __init__(self, model, types, *, strict=False):
        self.model, self.solution = model, None
        self._open(model.context, library.precis_plan_types, library.precis_plan_close, model._pointer, text(types),
                   bool(strict), parents=(model,))

    @classmethod
    def within(cls, model, max_bytes, *, imatrix=None, profile=None, **settings):
        """The plan of least measured loss whose file has at most so many bytes."""
        o, solution = _quant(settings, imatrix, profile), new(abi.precis_solution)
        self = cls.__new__(cls)
        self.model = model
        self._open(model.context, library.precis_quant_plan, library.precis_plan_close, model._pointer,
                   whole(max_bytes, ctypes.c_uint64, "max_bytes"), ctypes.byref(o), ctypes.byref(solution),
                   parents=(model,))
        self.solution = record(solution)
        return self

    def __len__(self):
        return library.precis_plan_size(self._pointer)

    @property
    def bytes(self):
        """Of all tensors."""
        return library.precis_plan_bytes(self._pointer)

    @property
    def rows(self):
        """tensor, from_, to, wanted, bytes, loss of each tensor."""
        def get(i, row):
            self.context.call(library.precis_plan_get, self._pointer, i, row)
        return rows(len(self), get, abi.precis_plan_row)

    def write(self, file, *, imatrix=None, profile=None, **settings):
        """The quantized model; tensor, from_, to, method, error, tokens of each tensor."""
        o, report = _quant(settings, imatrix, profile), Object()
        report._open(self.context, library.precis_quantize, library.precis_quant_report_close, self.model._pointer,
                     self._pointer, path(file), ctypes.byref(o), parents=(self,), out=5)
        with report:
            return _report(self.context, report._pointer)


def _report(context, report):
    def get(i, row):
        context.call(library.precis_quant_report_get, report, i, row)
    return rows(library.precis_quant_report_size(report), get, abi.precis_quant_row)


def plan(model, file=None, *, imatrix=None, profile=None, **settings):
    """The least predicted loss under budgets: max_bytes, max_part, bpw, max_kld (needs a profile), target_ram, context.
    What `precis plan` says of it; with file, what `precis quant --plan` takes."""
    quant, budgets = _split(settings, QUANT)
    o, out = options(abi.precis_planning_options, budgets), abi.precis_planning()
    o.quant = _quant(quant, imatrix, profile)
    try:
        model.context.call(library.precis_job_plan, model.context._pointer, model._pointer, ctypes.byref(o),
                           ctypes.byref(out))
        if file is not None:
            model.context.call(library.precis_planning_save, model.context._pointer, ctypes.byref(out), ctypes.byref(o),
                               path(file))
        found = record(out)
        found.kv = ctypes.string_at(out.kv).decode() if out.kv else None
        found.rows = _plan_rows(model.context, out.plan)
        return found
    finally:
        library.precis_planning_close(ctypes.byref(out))


def _plan_rows(context, made):
    def get(i, row):
        context.call(library.precis_plan_get, made, i, row)
    return rows(library.precis_plan_size(made), get, abi.precis_plan_row)


def _job_options(settings, calibration=None, calibration_tokens=0, evaluate=True, eval_text=None, evaluation=None,
                 profile=None):
    own, budget = _split(settings, QUANT)
    o = options(abi.precis_job_options, budget)
    o.calibrate, o.quant = _calibrate(calibration, calibration_tokens), _quant(own, None, profile)
    o.no_eval = not evaluate
    if evaluation:
        o.eval = options(abi.precis_eval_options, evaluation)
    if eval_text is not None:
        o.text = data = blob(eval_text)
        o.text_len = len(data)
    return o


def quant(model, file, *, calibration=None, calibration_tokens=0, evaluate=True, eval_text=None, evaluation=None,
          profile=None, **settings):
    """The main job, as `precis quant` does it: calibrate, plan, quantize to a file, read it back, compare.

    One budget of type ("Q4_K_M", ...), max_bytes, max_part (0.75), bpw, max_kld. Further: imatrix (a file), dry_run,
    no_calibration, and what precis/quant.h has: method, types, pins, strict, fallback, ... evaluation: options of
    evaluate() as a dict. Gives rows, bytes, bits_per_weight, sha256, solution, eval (None when there was none),
    calibration, predicted with its interval, and memory."""
    o = _job_options(settings, calibration, calibration_tokens, evaluate, eval_text, evaluation, profile)
    job = abi.precis_job()
    try:
        model.context.call(library.precis_job_quantize, model.context._pointer, model._pointer, path(file),
                           ctypes.byref(o), ctypes.byref(job))
        found = record(job)
        found.eval = found.eval if job.evaluated else None
        found.rows = _report(model.context, job.report) if job.report else _plan_rows(model.context, job.plan)
        found.sha256 = library.precis_quant_report_sha256(job.report).decode() if job.report else None
        return found
    finally:
        library.precis_job_close(ctypes.byref(job))


__all__ = ["Imatrix", "Plan", "Profile", "plan", "quant"]
