"""Scaling laws for precision."""
import ctypes
import math
import types

from . import _abi as abi
from ._core import Object, default_context, library, new, numpy, options, path, plain, record, text


def _variables():
    out, parts = [], [ctypes.c_char_p() for _ in range(4)]
    while library.precis_law_variable_get(len(out), *map(ctypes.byref, parts)):
        out.append(types.SimpleNamespace(name=plain(parts[0].value), unit=plain(parts[2].value),
                                         what=plain(parts[3].value)))
    return out


VARIABLES = _variables()
NAMES = [v.name for v in VARIABLES]
VALUES = [name for name, kind in abi.precis_law_value._fields_ if kind is ctypes.c_double]


def laws():
    """Names of the laws that are built in."""
    out = []
    while (name := library.precis_law_name(len(out))) is not None:
        out.append(name.decode())
    return out


def _point(values):
    """A point from keywords; "bits" is all of bits_w, bits_a and bits_kv."""
    p = abi.precis_law_point()
    library.precis_law_point_init(ctypes.byref(p))
    values = dict(values)
    if (bits := values.pop("bits", None)) is not None:
        values = {"bits_w": bits, "bits_a": bits, "bits_kv": bits, **values}
    for name, value in values.items():
        if name not in NAMES:
            raise TypeError(f"there is no variable {name}; they are {', '.join(NAMES)} (and bits for three of them)")
        if value is not None:
            p.v[NAMES.index(name)] = float(value)
    return p


def _arrays(values):
    """Is one of them an array (or a list)?"""
    return any(hasattr(v, "__len__") for v in values.values())


class Law(Object):
    """A law: Law("kumar"), one of its sets of constants ("kumar:printed"), or a file. Points are given by keywords: N,
    D, bits, bits_w, bits_a, bits_kv, bits_post, ... (VARIABLES); each may be a number or an array."""

    def __init__(self, name, *, context=None):
        self._open(context or default_context(), library.precis_law_open, library.precis_law_close,
                   path(name) if hasattr(name, "__fspath__") else text(name))

    @property
    def info(self):
        out = new(abi.precis_law_info)
        library.precis_law_get_info(self._pointer, ctypes.byref(out))
        return record(out)

    @property
    def parameters(self):
        """Values by name; NaN: not published."""
        out, row = {}, new(abi.precis_law_param)
        for i in range(self.info.params):
            self.context.call(library.precis_law_get_param, self._pointer, i, ctypes.byref(row))
            out[row.name.decode()] = row.value
        return out

    def set(self, **values):
        """Other values of its parameters."""
        for name, value in values.items():
            self.context.call(library.precis_law_set_param, self._pointer, text(name), float(value))
        return self

    def domain(self, variable):
        """The range that a variable had where the law was fitted ("ratio": D / N); None: nothing is said."""
        low, high = ctypes.c_double(), ctypes.c_double()
        found = library.precis_law_domain(self._pointer, text(variable), ctypes.byref(low), ctypes.byref(high))
        return (low.value, high.value) if found else None

    def lacks(self, output="loss"):
        """Constants that an output lacks; None: there is no such output."""
        found = library.precis_law_lacks(self._pointer, text(output))
        return None if found is None else [x for x in found.decode().split(",") if x]

    def _each(self, values, one):
        """one(point) for each point of arrays that are broadcast together."""
        np = numpy()
        names = list(values)
        given = np.broadcast_arrays(*(np.asarray(values[n], dtype="float64") for n in names))
        found = [one(dict(zip(names, row))) for row in zip(*(a.ravel() for a in given))]
        return found, given[0].shape

    def predict(self, **values):
        """loss, base, ptq, added, n_eff, d_eff, loss16, low, high, outside, where; of arrays, arrays."""
        if not _arrays(values):
            return self._predict(values)
        found, shape = self._each(values, self._predict)
        np = numpy()
        out = types.SimpleNamespace(**{n: np.array([getattr(f, n) for f in found]).reshape(shape) for n in VALUES})
        out.outside = np.array([bool(f.outside) for f in found]).reshape(shape)
        return out

    def _predict(self, values):
        out = new(abi.precis_law_value)
        self.context.call(library.precis_law_predict, self._pointer, ctypes.byref(_point(values)), ctypes.byref(out))
        return record(out)

    def output(self, name, **values):
        """One output by name ("n_eff", "qat_fraction", "loss")."""
        def one(point):
            out = ctypes.c_double()
            self.context.call(library.precis_law_output, self._pointer, text(name), ctypes.byref(_point(point)),
                              ctypes.byref(out))
            return out.value
        if not _arrays(values):
            return one(values)
        found, shape = self._each(values, one)
        return numpy().array(found).reshape(shape)

    def optimal(self, *, compute=0, inference_tokens=0, memory=0, loss=0, N=0, D=0, continuous=False, post=False,
                **point):
        """The best for each format under budgets, best first."""
        b = options(abi.precis_law_budget, {"compute": compute, "inference_tokens": inference_tokens, "memory": memory,
                                            "loss": loss, "N": N, "D": D, "continuous": continuous, "post": post})
        b.size, b.point = ctypes.sizeof(b), _point(point)
        found, n = (abi.precis_law_choice * 64)(), ctypes.c_size_t(64)
        for row in found:
            row.size = ctypes.sizeof(row)
        self.context.call(library.precis_law_optimal, self._pointer, ctypes.byref(b), found, ctypes.byref(n))
        return [record(row) for row in found[:n.value]]

    def critical(self, *, added=0, **values):
        """Tokens at which more of them make the quantized model worse; with added, at which quantization adds this."""
        out = ctypes.c_double()
        self.context.call(library.precis_law_critical, self._pointer, ctypes.byref(_point(values)), float(added),
                          ctypes.byref(out))
        return out.value

    def isoloss(self, loss, N, **values):
        """D for each N at which the loss is this; NaN: there is none."""
        N = [float(x) for x in N]
        out = (ctypes.c_double * len(N))()
        self.context.call(library.precis_law_isoloss, self._pointer, ctypes.byref(_point(values)), float(loss),
                          (ctypes.c_double * len(N))(*N), len(N), out)
        return numpy().array(out)

    def fit(self, table, save=None, **settings):
        """The law's constants from a table of runs (CSV). Options: columns, where, fix, cluster, objective, starts,
        delta, drop_highest, bootstrap, profile, holdout. save: a file that Law() reads."""
        o, out = options(abi.precis_law_fit_options, settings), new(abi.precis_law_fit)
        try:
            self.context.call(library.precis_law_fit_run, self.context._pointer, ctypes.byref(out), self._pointer,
                              path(table), ctypes.byref(o))
            if save is not None:
                self.context.call(library.precis_law_fit_save, self.context._pointer, ctypes.byref(out), path(save))
            found, names = record(out), list(self.parameters)
            for name in ("values", "se", "low", "high"):
                column = getattr(out, name)
                setattr(found, name, dict(zip(names, column[:out.params])) if column else None)
            found.values = {k: v for k, v in found.values.items() if not math.isnan(v)}
            found.warnings = [plain(out.warnings[i]) for i in range(out.n_warnings)]
            found.holdouts = [record(out.holdouts[i]) for i in range(out.n_holdouts)]
            return found
        finally:
            library.precis_law_fit_close(ctypes.byref(out))
