"""Questions with right answers, many schemes side by side, nodes, speed, and signatures."""
import ctypes
import time

from . import _abi as abi
from ._core import Object, default_context, guarded_by, library, new, options, path, plain, record, text, whole
from ._quant import _calibrate, _job_options


def tasks():
    """Names of the known tasks, and what each is."""
    out, summary, generated = {}, ctypes.c_char_p(), ctypes.c_int()
    while (name := library.precis_task_name(len(out), *map(ctypes.byref, (summary, generated)))) is not None:
        out[name.decode()] = plain(summary.value)
    return out


class Task(Object):
    """Questions: Task("arithmetic"), or a .jsonl file. Options: folder (of evaluation sets), limit, shots, seed."""

    def __init__(self, name, *, context=None, **settings):
        if "folder" in settings and settings["folder"] is not None:
            settings["folder"] = path(settings["folder"])
        o = options(abi.precis_task_options, settings)
        self._open(context or default_context(), library.precis_task_open, library.precis_task_close,
                   path(name) if hasattr(name, "__fspath__") else text(name), ctypes.byref(o))

    @property
    def info(self):
        out = new(abi.precis_task_info)
        library.precis_task_get_info(self._pointer, ctypes.byref(out))
        return record(out)

    def __len__(self):
        return self.info.items

    def __getitem__(self, i):
        """context (or contexts), choices, right, answer, group of an item."""
        if not 0 <= i < len(self):
            raise IndexError(i)
        item = new(abi.precis_task_item)
        self.context.call(library.precis_task_get, self.context._pointer, self._pointer, i, ctypes.byref(item))
        found = record(item)
        for name in ("contexts", "choices"):
            listed = getattr(item, name)
            setattr(found, name, [plain(s) for s in listed[:item.n_choices]] if listed else None)
        return found

    def answers(self, model, **settings):
        """What a model answers; settings are those of evaluate()."""
        o, found = options(abi.precis_eval_options, settings), (abi.precis_answer * len(self))()
        self.context.call(library.precis_eval_task, self.context._pointer, model._pointer, self._pointer,
                          ctypes.byref(o), found, None)
        return found

    def summary(self, answers, reference=None, group=None):
        """accuracy, flips and more of answers(), of all items or of a group's; reference: another model's answers."""
        for given in (answers, reference):
            if given is not None and len(given) != len(self):
                raise ValueError(f"there are {len(given)} answers to {len(self)} questions")
        out = new(abi.precis_task_result)
        library.precis_task_summarize(self._pointer, None if group is None else text(group), answers, reference,
                                      ctypes.byref(out))
        return record(out)


def _listed(context, kind, function, *arguments):
    """Rows that a function hands to a callback, which comes last but for its user."""
    found = []
    take = kind(guarded_by(context._hooks, lambda user, row: found.append(record(row[0])), nothing=True))
    context.call(function, context._pointer, *arguments, take, None)
    return found


def ladder(model, schemes, *, folder=None, evaluation=None, **settings):
    """A model in each scheme of a list ("W8A8,FP8,W4A16,NVFP4"), made, compared and removed; settings as in quant()."""
    o = _job_options(settings, evaluation=evaluation)
    return _listed(model.context, abi.precis_ladder_fn, library.precis_ladder, model._pointer, text(schemes),
                   None if folder is None else path(folder), ctypes.byref(o))


def nodes(model, reference=None, texts=None, *, tokens=0):
    """What each node of the net puts out over a text, and how near it is to a reference's."""
    o = _calibrate(texts, tokens)
    return _listed(model.context, abi.precis_node_fn, library.precis_profile_nodes, model._pointer,
                   None if reference is None else reference._pointer, ctypes.byref(o))


def bench(file, *, context=None, **settings):
    """Speed and memory of a model beside this machine's limits. Options: prompt, generate, arithmetic, k_type, v_type,
    pack, sequences."""
    context = context or default_context()
    o, out = options(abi.precis_bench_options, settings), new(abi.precis_bench_result)
    context.call(library.precis_bench, context._pointer, path(file), ctypes.byref(o), ctypes.byref(out))
    return record(out)


def new_key(file, *, context=None):
    """An Ed25519 key pair: FILE and FILE.pub."""
    context = context or default_context()
    context.call(library.precis_attest_new_key, context._pointer, path(file))


def attest(manifest, key, file, *, when=None, context=None):
    """Sign a manifest of `precis quant`; when: seconds since 1970, now where it is not given."""
    context = context or default_context()
    context.call(library.precis_attest, context._pointer, path(manifest), path(key), path(file),
                 int(time.time()) if when is None else whole(when, ctypes.c_int64, "when"))


def verify(file, public_key, *, context=None):
    """valid, created, key, checked, absent, changed and why of a signed file."""
    context = context or default_context()
    out = new(abi.precis_attestation)
    context.call(library.precis_attest_verify, context._pointer, path(file), path(public_key), ctypes.byref(out))
    return record(out)
