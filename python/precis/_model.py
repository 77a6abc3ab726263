"""Models, and the rows of numbers in them."""
import ctypes

from . import _abi as abi
from ._core import (Object, blob, default_context, floats, library, new, numpy, options, path, plain, pointer, record,
                    rows, text, whole)

SHAPE = ctypes.c_int64 * abi.PRECIS_ARRAY_DIMS


class Model(Object):
    """A model file or folder (GGUF, safetensors, llama2.c), mapped and not copied.

    to_run: a packed file stays packed, for a Runner alone."""

    def __init__(self, file, *, context=None, to_run=False):
        self.path = path(file).decode(errors="surrogateescape")
        opener = library.precis_model_open_to_run if to_run else library.precis_model_open
        self._open(context or default_context(), opener, library.precis_model_close, path(file))

    def __repr__(self):
        return f"<precis.Model {self.path}>"

    # ---- what is in it -----------------------------------------------------------------------------------
    @property
    def info(self):
        """format, architecture, parameters, bytes, file_bytes, bits_per_weight, tensors, keys."""
        out = new(abi.precis_model_info)
        library.precis_model_get_info(self._pointer, ctypes.byref(out))
        return record(out)

    @property
    def keys(self):
        """Metadata as text; long arrays are shortened."""
        out, name, buffer = {}, ctypes.c_char_p(), ctypes.create_string_buffer(1 << 16)
        for i in range(self.info.keys):
            self.context.call(library.precis_model_get_key, self._pointer, i, ctypes.byref(name), buffer, len(buffer))
            out[plain(name.value)] = plain(buffer.value)
        return out

    @property
    def tensors(self):
        """name, type, shape (outermost dimension first), bytes, offset and file of each tensor."""
        return [self._tensor_info(i) for i in range(self.info.tensors)]

    def _tensor_info(self, i):
        out = new(abi.precis_tensor_info)
        self.context.call(library.precis_model_get_tensor, self._pointer, i, ctypes.byref(out))
        found, shape = record(out), SHAPE()
        del found.dims
        found.shape = tuple(shape[:library.precis_array_shape(self._pointer, i, shape)])
        return found

    def _index(self, tensor):
        if not isinstance(tensor, (str, bytes)):
            return whole(tensor, ctypes.c_size_t, "tensor")
        i = ctypes.c_size_t()
        self.context.call(library.precis_model_find_tensor, self._pointer, text(tensor), ctypes.byref(i))
        return i.value

    def tensor(self, name):
        """A tensor by name or number as an array of f32."""
        i = self._index(name)
        out = numpy().empty(self._tensor_info(i).shape, dtype="float32")
        self.context.call(library.precis_model_read_f32, self._pointer, i, 0, out.size, pointer(out))
        return out

    def export(self, name, file):
        """A tensor as little-endian f32 to a file."""
        self.context.call(library.precis_tensor_export, self._pointer, self._index(name), path(file))

    @property
    def chat_template(self):
        return plain(library.precis_model_chat_template(self._pointer))

    def sha256(self):
        """Of all tensors: names, types, shapes, contents."""
        out = ctypes.create_string_buffer(65)
        self.context.call(library.precis_model_sha256, self._pointer, out)
        return out.value.decode()

    def check(self):
        """An Error names the first weight that is NaN or infinite."""
        self.context.call(library.precis_model_check, self._pointer)

    def allow_nan(self, allow=True):
        library.precis_model_allow_nan(self._pointer, bool(allow))

    def add_adapter(self, file, scale=1.0, merge=False):
        """A low-rank adapter beside the weights, or merged into them."""
        self.context.call(library.precis_model_add_adapter, self.context._pointer, self._pointer, path(file),
                          float(scale), bool(merge))


def convert(model, file, *, format=None, exact=False, own=False):
    """Another container ("gguf", "safetensors", "gptq", "awq"); what each tensor lost, row by row."""
    o = options(abi.precis_convert_options, {"format": format, "exact": exact, "own": own})
    report = Object()
    report._open(model.context, library.precis_convert, library.precis_convert_report_close, model._pointer, path(file),
                 ctypes.byref(o), parents=(model,), out=4)
    with report:
        def get(i, row):
            model.context.call(library.precis_convert_report_get, report._pointer, i, row)
        return rows(library.precis_convert_report_size(report._pointer), get, abi.precis_convert_row)


# ---- arrays that are in no file --------------------------------------------------------------------------------------

def _matrix(shape):
    """Rows, and the length of each."""
    if not shape:
        raise ValueError("a number has no rows; an array of one dimension or more is wanted")
    rows = 1
    for n in shape[:-1]:
        rows *= n
    return rows, shape[-1]


def array_bytes(shape, type, *, context=None):
    """Bytes of an array of this shape in a format."""
    context = context or default_context()
    out = ctypes.c_uint64()
    rows, width = (whole(n, ctypes.c_uint64, "shape") for n in _matrix(tuple(shape)))
    context.call(library.precis_array_bytes, context._pointer, text(type), rows, width, ctypes.byref(out))
    return out.value


def quantize(array, type, *, method=None, importance=None, context=None):
    """An array's rows (its last dimension) as the bytes that a GGUF file has for them. method: "search" (the default),
    "rtn" or "hqq"; importance: a weight for each column of a row."""
    context = context or default_context()
    x = floats(array)
    rows, width = _matrix(x.shape)
    o = options(abi.precis_array_options, {"method": method})
    if importance is not None:
        weights = floats(importance, "importance")
        if weights.shape != (width,):
            raise ValueError(f"importance has the shape {weights.shape}, not ({width},)")
        o.importance = pointer(weights)
    out = ctypes.create_string_buffer(array_bytes(x.shape, type, context=context) or 1)
    context.call(library.precis_array_quantize, context._pointer, text(type), pointer(x), rows, width, ctypes.byref(o),
                 out, None)
    return out.raw[:array_bytes(x.shape, type, context=context)]


def dequantize(data, type, shape, *, context=None):
    """The way back: an array of f32."""
    context = context or default_context()
    shape = tuple(shape)
    rows, width = (whole(n, ctypes.c_uint64, "shape") for n in _matrix(shape))
    data = blob(data)
    out = numpy().empty(shape, dtype="float32")
    context.call(library.precis_array_dequantize, context._pointer, text(type), data, len(data), rows, width,
                 pointer(out))
    return out
