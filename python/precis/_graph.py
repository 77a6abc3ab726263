"""Nets built by hand."""
import ctypes

from . import _abi as abi
from ._core import ARITHMETICS, Object, choice, default_context, floats, library, numpy, plain, pointer, text

DIMS = ctypes.c_int64 * abi.PRECIS_MAX_DIMS


def _attribute(name, value, keep):
    """An attribute of a node: a number, a list of whole numbers, a text or a Value."""
    out = abi.precis_attr(name=text(name))
    if isinstance(value, Value):
        out.kind, out.tensor = abi.PRECIS_ATTR_TENSOR, value.id
    elif isinstance(value, str):
        out.kind, out.text = abi.PRECIS_ATTR_TEXT, text(value)
    elif isinstance(value, float):
        out.kind, out.real = abi.PRECIS_ATTR_REAL, value
    elif hasattr(value, "__len__"):
        numbers = (ctypes.c_int64 * len(value))(*value)
        keep.append(numbers)
        out.kind, out.list, out.n = abi.PRECIS_ATTR_LIST, numbers, len(value)
    else:
        out.kind, out.integer = abi.PRECIS_ATTR_INT, int(value)
    return out


class Value:
    """A value of a graph."""

    def __init__(self, graph, number):
        self.graph, self.id = graph, number

    @property
    def name(self):
        return plain(library.precis_graph_value_name(self.graph._pointer, self.id))

    @property
    def op(self):
        """The op that makes it; "" for inputs and constants."""
        return plain(library.precis_graph_value_op(self.graph._pointer, self.id))

    @property
    def shape(self):
        """Outermost dimension first; negative ones are symbols."""
        out = DIMS()
        return tuple(out[:library.precis_graph_value_shape(self.graph._pointer, self.id, out)])


class Graph(Object):
    """A net, built in order: what a node takes is there before it. A mistake is an Error at once."""

    def __init__(self, *, context=None):
        self._open(context or default_context(), library.precis_graph_open, library.precis_graph_close)

    def _made(self, number):
        if number < 0:
            self.context.call(library.precis_graph_verify, self._pointer)
        return Value(self, number)

    def symbol(self, name, most=0):
        """A dimension whose size is given when the graph runs, for use in shapes."""
        return library.precis_graph_symbol(self._pointer, text(name), most)

    def input(self, name, shape):
        return self._made(library.precis_graph_input(self._pointer, text(name), len(shape), DIMS(*shape)))

    def constant(self, name, array):
        x = floats(array)
        return self._made(library.precis_graph_constant(self._pointer, text(name), x.ndim, DIMS(*x.shape), pointer(x)))

    def node(self, name, op, *inputs, **attributes):
        """graph.node("conv", "conv2d", x, weight, bias, stride=1, pad=1); ops: names("ops")."""
        keep = []
        made = [_attribute(k, v, keep) for k, v in attributes.items()]
        listed = (abi.precis_attr * (len(made) + 1))(*made)
        values = (ctypes.c_int32 * len(inputs))(*(v.id for v in inputs))
        return self._made(library.precis_graph_node(self._pointer, text(name), text(op), listed, len(inputs), values))

    def result(self, value, i):
        """Another result of the node that makes a value."""
        return self._made(library.precis_graph_result(self._pointer, value.id, i))

    def output(self, value):
        library.precis_graph_output(self._pointer, value.id)

    @property
    def values(self):
        return [Value(self, i) for i in range(library.precis_graph_values(self._pointer))]

    def apply(self, name):
        """A pass of names("passes"), in place."""
        self.context.call(library.precis_graph_pass, self._pointer, text(name))

    def quantize_static(self, ranges):
        """Static int8 by ranges: {value: (low, high)}."""
        listed = (abi.precis_range * len(ranges))(*((v.id, lo, hi) for v, (lo, hi) in ranges.items()))
        self.context.call(library.precis_graph_quantize_static, self._pointer, listed, len(ranges))


class Program(Object):
    """A graph, lowered to run; the graph stays as it is meanwhile."""

    def __init__(self, graph, arithmetic="weights-only"):
        self.graph = graph
        self._given = {}
        self._open(graph.context, library.precis_program_open, library.precis_program_close, graph._pointer,
                   choice(arithmetic, ARITHMETICS, "arithmetic"), parents=(graph,))

    def run(self, inputs, sizes=None):
        """inputs: {value: array}; sizes: {symbol: size}."""
        for symbol, size in (sizes or {}).items():
            self.context.call(library.precis_program_set_size, self._pointer, symbol, size)
        for value, array in inputs.items():
            x, shape = floats(array), value.shape
            wanted = tuple((sizes or {}).get(n, n) for n in shape)
            if x.shape != wanted:
                raise ValueError(f"{value.name} has the shape {wanted}, not {x.shape}")
            self._given[value.id] = x  # borrowed by the library until the run ends
            self.context.call(library.precis_program_set_input, self._pointer, value.id, pointer(x))
        self._sizes = {**getattr(self, "_sizes", {}), **(sizes or {})}
        self.context.call(library.precis_program_run, self._pointer)

    def __getitem__(self, value):
        """A value after a run."""
        data = library.precis_program_get(self._pointer, value.id)
        if not data:
            raise KeyError(f"{value.name} has no data after a run")
        shape = tuple(self._sizes.get(n, n) for n in value.shape)
        return numpy().ctypeslib.as_array(data, shape=shape).copy()
