"""Text and tokens, and running language models."""
import contextlib
import ctypes
import types

from . import _abi as abi
from ._core import Object, blob, guarded_by, library, new, numpy, options, record, text, whole


class Tokenizer(Object):
    """The tokenizer that a model carries."""

    def __init__(self, model):
        self.model = model
        self._open(model.context, library.precis_tokenizer_open, library.precis_tokenizer_close, model._pointer,
                   parents=(model,))

    def __len__(self):
        return library.precis_tokenizer_size(self._pointer)

    @property
    def bos(self):
        return self._or_none(library.precis_tokenizer_bos(self._pointer))

    @property
    def eos(self):
        return self._or_none(library.precis_tokenizer_eos(self._pointer))

    @staticmethod
    def _or_none(token):
        return token if token >= 0 else None

    def ends(self, token):
        """Does it end a turn or a text?"""
        return bool(library.precis_tokenizer_ends(self._pointer, whole(token, ctypes.c_int32, "token")))

    def encode(self, text, *, add=True, parse=False):
        """Ids of a text. add: with what the model wants at its beginning and end; parse: special tokens that are
        written in the text become tokens."""
        text, flags = blob(text), (abi.PRECIS_TEXT_ADD if add else 0) | (abi.PRECIS_TEXT_PARSE if parse else 0)
        ids, n = ctypes.POINTER(ctypes.c_int32)(), ctypes.c_size_t()
        try:
            self.context.call(library.precis_tokenizer_encode, self._pointer, text, len(text), flags, ctypes.byref(ids),
                              ctypes.byref(n))
            return ids[:n.value]
        finally:
            if ids:
                library.precis_ids_free(self._pointer, ids)

    def piece(self, token, *, special=False):
        """Bytes of one token."""
        n = ctypes.c_size_t()
        at = library.precis_tokenizer_piece(self._pointer, whole(token, ctypes.c_int32, "token"), special,
                                            ctypes.byref(n))
        return ctypes.string_at(at, n.value) if at else b""

    def decode(self, ids, *, special=False):
        return b"".join(self.piece(i, special=special) for i in ids).decode(errors="replace")


class Chat(Object):
    """Messages, and the template that makes a text of them: the model's own, or one in Jinja. Special tokens come from
    the template alone: those that stand in a message are read as text."""

    def __init__(self, tokenizer, template=None):
        template = template or tokenizer.model.chat_template
        self._open(tokenizer.context, library.precis_chat_open, library.precis_chat_close, tokenizer._pointer,
                   None if template is None else text(template), parents=(tokenizer,))

    def say(self, content, role="user"):
        self.context.call(library.precis_chat_say, self._pointer, text(role), text(content))
        return self

    def unsay(self):
        """The last message is taken back, one that was not answered."""
        self.context.call(library.precis_chat_unsay, self._pointer)

    def __len__(self):
        return library.precis_chat_length(self._pointer)


class Runner(Object):
    """A model with its KV caches.

    Options: arithmetic ("fast", "weights-only", "emulated", "bf16", "mixed", "int8"), context_size (tokens of a sequence), sequences, batch,
    outputs (logit rows of one call), k_type, v_type, pack ("off", "load", "background"), pages."""

    def __init__(self, model, **settings):
        self.model = model
        o = options(abi.precis_runner_options, settings, context="context_size")
        self._open(model.context, library.precis_runner_open, library.precis_runner_close, model._pointer,
                   ctypes.byref(o), parents=(model,))
        self._outputs = o.outputs or 1

    @property
    def info(self):
        out = new(abi.precis_runner_info)
        library.precis_runner_get_info(self._pointer, ctypes.byref(out))
        return record(out)

    def length(self, sequence=0):
        """Tokens in a sequence."""
        return library.precis_runner_length(self._pointer, whole(sequence, ctypes.c_uint32, "sequence"))

    def drop(self, length=0, sequence=0):
        """The sequence keeps its first tokens."""
        self.context.call(library.precis_runner_drop, self._pointer, whole(sequence, ctypes.c_uint32, "sequence"),
                          whole(length, ctypes.c_uint32, "length"))

    def copy(self, source, target, length=None):
        """The first tokens of one sequence become another's, without any work."""
        length = self.length(source) if length is None else length
        self.context.call(library.precis_runner_copy, self._pointer,
                          *(whole(x, ctypes.c_uint32, "sequence") for x in (source, target, length)))

    def check(self):
        """Are all weights finite? (With pack="background" they are looked at beside the first tokens.)"""
        self.context.call(library.precis_runner_check, self._pointer)

    def _call(self, tokens, position, sequence, every):
        """One call; where its logits are."""
        made = (abi.precis_row * len(tokens))()
        for i, (row, token) in enumerate(zip(made, tokens)):
            row.token, row.position = whole(token, ctypes.c_int32, "token"), position + i
            row.sequence, row.want = sequence, every or i + 1 == len(tokens)
        out = ctypes.POINTER(ctypes.c_float)()
        self.context.call(library.precis_runner_decode, self._pointer, made, len(tokens), ctypes.byref(out))
        return out

    def _pieces(self, tokens, every):
        tokens = list(tokens)
        if not tokens:
            raise ValueError("there are no tokens")
        info = self.info
        most = min(info.batch, self._outputs) if every else info.batch
        return [tokens[i:i + most] for i in range(0, len(tokens), most)], info

    def decode(self, tokens, *, sequence=0, position=None, every=False):
        """Compute tokens behind what the sequence has (position: anew from there). Logits of the last one, an array of
        the vocabulary; with every=True of all of them, a row each."""
        np = numpy()
        sequence = whole(sequence, ctypes.c_uint32, "sequence")
        position = self.length(sequence) if position is None else whole(position, ctypes.c_uint32, "position")
        pieces, info = self._pieces(tokens, every)
        out, width = [], info.width if info.encoder else info.vocabulary
        for piece in pieces:
            found = self._call(piece, position, sequence, every)
            position += len(piece)
            if every or piece is pieces[-1]:
                rows = np.ctypeslib.as_array(found, shape=(len(piece) if every else 1, width))
                out.append(rows.copy())  # the library's own until the next call
        out = np.concatenate(out)
        return out if every else out[0]

    def embed(self, text):
        """Encoders (BERT): the mean of a text's rows, of length 1."""
        out = numpy().empty(self.info.width, dtype="float32")
        data = blob(text)
        with Tokenizer(self.model) as t:
            self.context.call(library.precis_embed_text, self._pointer, t._pointer, data, len(data),
                              out.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))
        return out


FINISHES = [library.precis_finish_name(i).decode() for i in range(abi.PRECIS_FINISH_CALLER + 1)]
SAMPLING = {name for name, _ in abi.precis_sampler_options._fields_} - {"size"}


def _token(t):
    """A token of an answer; finish is None while others follow."""
    at = ctypes.c_void_p.from_address(ctypes.addressof(t) + abi.precis_token.text.offset).value  # it may have NULs
    return types.SimpleNamespace(
        id=t.id, finish=FINISHES[t.finish] if t.finish else None,
        text=ctypes.string_at(at, t.len).decode(errors="replace") if at else "", logprob=t.logprob,
        top=[(t.top[i].id, t.top[i].logprob) for i in range(t.n_top)])


class Session(Object):
    """A text that a runner reads and goes on with, in a sequence of its own.

    n: tokens of an answer at most. Sampling: temperature (0: the likeliest), top_k, top_p, min_p, repetition, window,
    seed (the context's). stop: texts that end an answer; stop_tokens: the same. Further: sequence, ignore_end, special,
    logprobs, top, lookup (guess tokens from the text so far; the runner's outputs limit the guess, 8 is best)."""

    def __init__(self, runner, tokenizer=None, *, n=None, stop=(), stop_tokens=(), **settings):
        tokenizer = Tokenizer(runner.model) if tokenizer is None else tokenizer
        sampling = {k: v for k, v in settings.items() if k in SAMPLING}
        o = options(abi.precis_session_options, {k: v for k, v in settings.items() if k not in SAMPLING},
                    predict="n", n_stops="stop", n_stop_tokens="stop_tokens")
        sampler = options(abi.precis_sampler_options, sampling)
        if sampling.get("seed") is None:
            sampler.seed = runner.context.seed
        o.sampler = ctypes.pointer(sampler)
        o.predict = o.predict if n is None else whole(n, ctypes.c_uint64, "n")
        stop = [stop] if isinstance(stop, (str, bytes)) else stop
        o.stops, o.n_stops = (ctypes.c_char_p * len(stop))(*map(text, stop)), len(stop)
        o.stop_tokens, o.n_stop_tokens = _ids(stop_tokens), len(stop_tokens)
        self.runner, self.tokenizer = runner, tokenizer
        self._open(runner.context, library.precis_session_open, library.precis_session_close, runner._pointer,
                   tokenizer._pointer, ctypes.byref(o), parents=(runner, tokenizer))

    def _read(self, function, prompt):
        if isinstance(prompt, (str, bytes)):
            prompt = self.tokenizer.encode(prompt, add=not self.info.tokens, parse=True)
        prompt = list(prompt)
        self.context.call(function, self._pointer, _ids(prompt), len(prompt))
        return self

    def append(self, prompt):
        """What is to be read behind the text so far: a text, in which special tokens count, or ids."""
        return self._read(library.precis_session_append, prompt)

    def begin(self, ids):
        """What is to be read in its place; what both begin with is not computed again."""
        return self._read(library.precis_session_begin, self.tokenizer.encode(ids, parse=True)
                          if isinstance(ids, (str, bytes)) else ids)

    def copy(self, source):
        """Its text becomes that of another session of the runner."""
        self.context.call(library.precis_session_copy, self._pointer, source._pointer)
        return self

    def __iter__(self):
        """Tokens of the answer, as they come: id, finish, text, logprob, top."""
        return (token for _, token in together([self]))

    def answer(self, chat):
        """One turn of a chat: what was said is read and answered; the answer becomes its last message."""
        cancel = self.context._hooks.cancel  # Ctrl-C ends the answer; what was said stays

        def ended(user, i, token):
            return cancel.value
        self.context.call(library.precis_session_answer, self._pointer, chat._pointer, abi.precis_token_fn(ended), None)
        return self.text

    @property
    def info(self):
        """finish, tokens, reused, answered, lookup."""
        out = new(abi.precis_session_info)
        library.precis_session_get_info(self._pointer, ctypes.byref(out))
        found = record(out)
        found.finish = FINISHES[out.finish] if out.finish else None
        return found

    @property
    def ids(self):
        """Of the last answer."""
        n = ctypes.c_size_t()
        found = library.precis_session_ids(self._pointer, ctypes.byref(n))
        return found[:n.value] if n.value else []

    @property
    def text(self):
        """Of the last answer."""
        n = ctypes.c_size_t()
        at = library.precis_session_text(self._pointer, ctypes.byref(n))
        return ctypes.string_at(at, n.value).decode(errors="replace") if n.value else ""


def _ids(ids):
    return (ctypes.c_int32 * len(ids))(*(whole(i, ctypes.c_int32, "token") for i in ids))


def together(sessions):
    """Answers of several sessions of one runner, a call for all at a time: (which, token) as they come."""
    sessions, came = list(sessions), []
    if not sessions:
        return
    context = sessions[0].context
    take = abi.precis_token_fn(guarded_by(context._hooks, lambda user, i, t: came.append((i, _token(t[0]))) or 0))
    while any(s.info.finish is None for s in sessions):
        listed = (ctypes.c_void_p * len(sessions))(*(s._pointer.value for s in sessions))
        context.call(library.precis_session_step, listed, len(sessions), take, None)
        yield from came
        came.clear()


def generate(model, prompt, n=256, *, runner=None, **settings):
    """What follows a prompt (a text, in which special tokens count, or ids), as `precis run` gives it: text, ids, and
    why it ended (finish). Settings: those of a Session."""
    with contextlib.ExitStack() as own:
        if runner is None:
            runner = own.enter_context(Runner(model, outputs=8))
            settings.setdefault("lookup", True)  # the same tokens, sooner
        session = own.enter_context(Session(runner, own.enter_context(Tokenizer(model)), n=n, **settings))
        session.append(prompt)
        for _ in session:
            pass
        return types.SimpleNamespace(text=session.text, ids=session.ids, finish=session.info.finish)
