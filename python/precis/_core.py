"""The library, loaded; errors, the context, and what is common to all objects that are made from one."""
import ctypes
import enum
import itertools
import keyword
import operator
import os
import signal
import threading
import types
import warnings
import weakref

from . import _abi as abi

NAME = f"libprecis.so.{abi.PRECIS_VERSION_MAJOR}.{abi.PRECIS_VERSION_MINOR}"
# Functions that give bytes with their number, in which a NUL ends nothing.
COUNTED = ("precis_tokenizer_piece", "precis_eval_default_text", "precis_session_text")


def _load():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), NAME)
    try:
        library = ctypes.CDLL(path)
    except OSError as e:
        raise ImportError(f"{e}; the package needs the system libraries that docs/python.md names") from None
    for name, (result, arguments) in abi.FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = ctypes.c_void_p if name in COUNTED else result
        function.argtypes = arguments
    version = library.precis_version().decode()
    made_for = f"{abi.PRECIS_VERSION_MAJOR}.{abi.PRECIS_VERSION_MINOR}."
    if not version.startswith(made_for):  # before version 1 a minor version may change any struct
        raise ImportError(f"{path} is of version {version}; this package is made for {made_for}*")
    return library


library = _load()
__version__ = library.precis_version().decode()

Status = enum.IntEnum("Status", {k[len("PRECIS_"):]: v for k, v in vars(abi).items()
                                 if k == "PRECIS_OK" or k.startswith("PRECIS_E") and isinstance(v, int) and v < 0})


class Error(Exception):
    """What the library refused: `status`, its sentence as the text, and where in a file (`offset`, or None)."""

    def __init__(self, status, sentence, offset=None):
        super().__init__(sentence)
        self.status = Status(status)
        self.offset = offset

    def __reduce__(self):
        return Error, (self.status, str(self), self.offset)


class PrecisWarning(UserWarning):
    """What the library tells on the way: a substitution, a fallback, a second loss."""


# ---- values on their way into C --------------------------------------------------------------------------------------

def text(value):
    """Text as C has it. C ends it at a NUL, so that another text would go on."""
    out = value.encode() if isinstance(value, str) else bytes(value) if isinstance(value, (bytes, bytearray)) else None
    if out is None:
        raise TypeError(f"text is wanted, not {type(value).__name__}")
    if b"\0" in out:
        raise ValueError("text with a NUL byte")
    return out


def path(value):
    """A path as C has it."""
    out = os.fsencode(value)
    if b"\0" in out:
        raise ValueError("path with a NUL byte")
    return out


def blob(value):
    """Text of which its length is told."""
    return value.encode() if isinstance(value, str) else bytes(value)


def whole(value, kind, name="a number"):
    """A whole number that C's type holds: ctypes alone would cut it."""
    n = operator.index(value)
    bits, signed = 8 * ctypes.sizeof(kind), kind(-1).value < 0
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= n <= high:
        raise OverflowError(f"{name} is {n}; it lies between {low} and {high}")
    return n


def choice(value, names, name):
    """One of a few words, as its number."""
    if value not in names:
        raise ValueError(f"{name} is {value!r}; it is one of {', '.join(names)}")
    return names.index(value)


ARITHMETICS = [name.decode() for name in
               itertools.takewhile(bool, map(library.precis_arithmetic_name, itertools.count()))]
INTEGERS = {ctypes.c_int, ctypes.c_uint, ctypes.c_size_t, ctypes.c_int32, ctypes.c_uint32, ctypes.c_int64,
            ctypes.c_uint64}
SETTABLE = INTEGERS | {ctypes.c_char_p, ctypes.c_double, ctypes.c_float}
WORDS = {"arithmetic": ARITHMETICS, "pack": ["off", "load", "background"]}


def field(kind, name, value):
    if name in WORDS:
        return choice(value, WORDS[name], name)
    if kind is ctypes.c_char_p:
        return path(value) if hasattr(value, "__fspath__") else text(value)
    return whole(value, kind, name) if kind in INTEGERS else float(value)


def new(kind, defaults=True):
    """A struct with its size, and options with their defaults."""
    out = kind()
    for name, member in kind._fields_:
        if name == "size":
            out.size = ctypes.sizeof(kind)
        elif isinstance(member, type) and member in abi.INITIAL:
            setattr(out, name, new(member))
    for name, value in abi.INITIAL.get(kind, {}).items() if defaults else ():
        if not isinstance(value, dict):
            setattr(out, name, value)
    return out


def options(kind, values, **renamed):
    """Options from keywords; None is the default. What is no option is a TypeError. renamed: option="keyword"."""
    out = new(kind)
    known = dict(kind._fields_)
    back = {word: name for name, word in renamed.items()}
    for given, value in values.items():
        name = back.get(given, given)
        if known.get(name) not in SETTABLE or name == "size" or given in renamed:
            raise TypeError(f"there is no option {given}")
        if value is not None:
            setattr(out, name, field(known[name], given, value))
    return out


# ---- values on their way out -----------------------------------------------------------------------------------------

def plain(value):
    """What a struct's member is in Python."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, ctypes.Structure):
        return record(value)
    if isinstance(value, ctypes.Array):
        return tuple(plain(v) for v in value)
    return value


def record(struct):
    """A struct's members by name ("from" is from_); pointers to what the library owns are left out."""
    out = types.SimpleNamespace()
    for name, kind in struct._fields_:
        if name != "size" and kind is not ctypes.c_void_p and not issubclass(kind, (ctypes._Pointer, ctypes._CFuncPtr)):
            setattr(out, name + "_" * keyword.iskeyword(name), plain(getattr(struct, name)))
    return out


def rows(size, get, kind):
    """All rows of a report."""
    out = []
    for i in range(size):
        row = new(kind)
        get(i, ctypes.byref(row))
        out.append(record(row))
    return out


def names(table=None):
    """The rows of a table of the library ("types", "methods", "ops", ...); without one, the tables' names."""
    out = []
    table = None if table is None else text(table)
    while (name := library.precis_list(table, len(out))) is not None:
        out.append(name.decode())
    if not out and table is not None:
        raise ValueError(f"there is no table {table.decode()}; tables are {', '.join(names())}")
    return out


def numpy():
    """NumPy, where arrays are wanted."""
    try:
        import numpy as np
    except ImportError:
        raise ImportError("arrays need NumPy (pip install numpy)") from None
    return np


def floats(values, name="an array"):
    """Numbers as a C array of f32."""
    np = numpy()
    out = np.asarray(values)
    if out.dtype.kind not in "fiub":
        raise TypeError(f"{name} is of {out.dtype}, which is no number")
    return np.ascontiguousarray(out, dtype=np.float32)


def pointer(array, kind=ctypes.c_float):
    return array.ctypes.data_as(ctypes.POINTER(kind))


# ---- interrupts ------------------------------------------------------------------------------------------------------

class _Interrupts:
    """While the library works, Ctrl-C stops it by its own flag: raised in a callback, an exception would be lost. What
    the handler would have done is done when the library has returned."""

    def __init__(self, flag):
        self.flag, self.handler, self.got = flag, None, None

    def note(self, number, frame):
        self.got = number, frame
        self.flag.value = 1

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self.handler = handler
                signal.signal(signal.SIGINT, self.note)
        return self

    def __exit__(self, *_):
        if self.handler is not None:
            signal.signal(signal.SIGINT, self.handler)

    def deliver(self):
        if self.got:
            self.handler(*self.got)


class _Hooks:
    """What the library calls back. It knows no context, so that a context that nobody has is gone at once."""

    def __init__(self, progress, warn):
        self.progress, self.warn = progress, warn
        self.cancel, self.raised = ctypes.c_int(0), None
        self.on_progress = abi.precis_progress_fn(self._progress_of())
        self.on_warn = abi.precis_warn_fn(self._warn_of())

    def stop(self, exception):
        self.raised = self.raised or exception
        self.cancel.value = 1

    def _progress_of(self):
        hook, cancel = self.progress, self.cancel

        def progress(user, stage, done, total):
            stopped = hook is not None and hook(stage.decode(), done, total)
            return 1 if stopped or cancel.value else 0
        return guarded_by(self, progress)

    def _warn_of(self):
        hook = self.warn

        def warn(user, line):
            hook(line.decode(errors="replace"))
        return guarded_by(self, warn, nothing=True)


def guarded_by(hooks, function, nothing=False):
    """A callback whose exception stops the library, and goes on when it has returned. It does not hold the hooks, which
    may hold what ctypes makes of it."""
    weak = weakref.ref(hooks)

    def guarded(*arguments):
        try:
            out = function(*arguments)
            return None if nothing else out
        except BaseException as e:  # noqa: B902 - it goes on in Context.call
            weak().stop(e)
            return None if nothing else 1
    return guarded


def _warn(line):
    warnings.warn(line, PrecisWarning, stacklevel=6)


# ---- objects ---------------------------------------------------------------------------------------------------------

class Handle:
    """A pointer of the library, and those made from it, which must be closed before it."""

    def __init__(self, pointer, closer, parents):
        self.pointer, self.closer, self.parents, self.children = pointer, closer, parents, set()
        for parent in parents:
            parent.children.add(self)

    def close(self):
        for child in list(self.children):
            child.close()
        for parent in self.parents:
            parent.children.discard(self)
        self.parents = ()
        if self.pointer:
            self.closer(ctypes.byref(self.pointer))
            self.pointer = None


class Object:
    """Something of the library's: closed by close(), at the end of a `with`, or when nobody has it any more. What was
    made from it is closed before it."""

    _handle = None

    def _open(self, context, opener, closer, *arguments, parents=(), out=1):
        """Call opener(ctx, &pointer, arguments...); out: where the pointer's place is."""
        handle = ctypes.c_void_p()
        passed = [context._pointer, *arguments]
        passed.insert(out, ctypes.byref(handle))
        try:
            context.call(opener, *passed)
        except BaseException:
            if handle:
                closer(ctypes.byref(handle))
            raise
        self.context = context
        self._parents = parents  # they live as long
        self._handle = Handle(handle, closer, [p._handle for p in (context, *parents)])

    @property
    def _pointer(self):
        if self._handle is None or self._handle.pointer is None:
            raise ValueError(f"the {type(self).__name__} is closed")
        return self._handle.pointer

    def close(self):
        if self._handle is not None:
            with self.context._lock:
                self._handle.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


class Context(Object):
    """Threads, seed, memory and what is called on the way. progress(stage, done, total) stops the work by returning
    True; warn(line) is warnings.warn where it is not given. memory_limit: bytes of private memory of the process.
    One thread at a time works with it; others wait."""

    def __init__(self, threads=0, seed=0, *, progress=None, warn=_warn, memory_limit=0, memory_folder=None):
        self._lock, self._busy = threading.RLock(), False
        self._hooks = hooks = _Hooks(progress, warn)
        o = options(abi.precis_ctx_options, {"threads": threads, "seed": seed})
        o.progress = hooks.on_progress
        if warn is not None:
            o.warn = hooks.on_warn
        o.cancel = ctypes.pointer(hooks.cancel)
        self.seed = o.seed
        handle = ctypes.c_void_p()
        status = library.precis_ctx_open(ctypes.byref(handle), ctypes.byref(o))
        if status:
            raise Error(status, f"no context with {threads} threads: {library.precis_status_name(status).decode()}")
        self._handle = Handle(handle, library.precis_ctx_close, [])
        if memory_limit:
            folder = None if memory_folder is None else path(memory_folder)
            self.call(library.precis_ctx_set_memory_limit, handle, whole(memory_limit, ctypes.c_uint64), folder)

    @property
    def context(self):
        return self

    @property
    def threads(self):
        return library.precis_ctx_threads(self._pointer)

    @property
    def cpu(self):
        return library.precis_ctx_cpu(self._pointer).decode()

    @property
    def memory_peak(self):
        return library.precis_ctx_memory_peak(self._pointer)

    def sha256(self, file):
        """SHA-256 of a file, in hex."""
        out = ctypes.create_string_buffer(65)
        self.call(library.precis_sha256_file, self._pointer, path(file), out)
        return out.value.decode()

    def cancel(self):
        """Stop what runs now, from another thread: it ends in Error with Status.ECANCELED."""
        self._hooks.cancel.value = 1

    def call(self, function, *arguments):
        """Call a function that returns a status; what it refuses is an Error, and so is what a callback raised."""
        hooks = self._hooks
        with self._lock:
            if self._busy:  # only the same thread comes here: from what the library called
                raise RuntimeError("a callback uses the context that called it")
            self._busy, hooks.raised, hooks.cancel.value = True, None, 0
            with _Interrupts(hooks.cancel) as interrupts:
                status = function(*arguments)
            error = self._error(status) if status else None
            raised, hooks.raised, self._busy = hooks.raised, None, False
        interrupts.deliver()
        if raised is not None:
            raise raised
        if error is not None:
            raise error

    def _error(self, status):
        sentence = library.precis_ctx_message(self._pointer).decode(errors="replace")
        offset = library.precis_ctx_offset(self._pointer)
        known = offset != 2**64 - 1
        return Error(status, sentence or library.precis_status_name(status).decode(), offset if known else None)


_default = None
_default_lock = threading.Lock()


def default_context():
    """The context of whatever is made without one."""
    global _default
    with _default_lock:
        if _default is None or _default._handle.pointer is None:
            _default = Context()
        return _default
