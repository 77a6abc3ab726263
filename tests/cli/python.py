"""The Python package, from an installed wheel, which PYTHONPATH has. What needs NumPy is skipped by name without it.

usage: python.py PRECIS SOURCE_FOLDER WORK_FOLDER"""
import ctypes
import gc
import json
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings

import precis
from precis import _abi as abi

PRECIS, ROOT, WORK = sys.argv[1:4]
MODEL = os.path.join(ROOT, "models/gutenberg-7m")
try:
    import numpy as np
except ImportError:
    np = None
arrays = unittest.skipUnless(np, "there is no NumPy")


def cli(*arguments):
    done = subprocess.run([PRECIS, *arguments, "--json", "-q"], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def work(name):
    return os.path.join(WORK, name)


def quantized():
    """gutenberg-7m in 40 % of its bytes, by the package, made once."""
    if not os.path.exists(work("small.gguf")):
        with precis.Model(MODEL) as model:
            quantized.result = precis.quant(model, work("small.gguf"), max_part=0.4, no_calibration=True,
                                            evaluation={"window": 64, "windows": 8})
    return work("small.gguf")


class Layout(unittest.TestCase):
    def test_structs(self):
        """Every size and offset as the C compiler has them."""
        probe, wanted = ["#include <precis/precis.h>", "#include <stdio.h>", "int main(void) {"], []
        for struct in abi.STRUCTS:
            if struct.__name__ == "precis_bench_result_scaling":  # it has no name in C
                continue
            probe.append(f'printf("%zu\\n", sizeof({struct.__name__}));')
            wanted.append((struct.__name__, ctypes.sizeof(struct)))
            for name, _ in struct._fields_:
                probe.append(f'printf("%zu\\n", offsetof({struct.__name__}, {name}));')
                wanted.append((f"{struct.__name__}.{name}", getattr(struct, name).offset))
        for name, value in vars(abi).items():
            if name.startswith("PRECIS_") and isinstance(value, int):
                probe.append(f'printf("%lld\\n", (long long){name});')
                wanted.append((name, value))
        with open(work("probe.c"), "w") as f:
            f.write("\n".join(probe + ["}"]))
        subprocess.run([os.environ.get("CC", "cc"), "-I", os.path.join(ROOT, "include"), work("probe.c"), "-o",
                        work("probe")], check=True)
        found = subprocess.run([work("probe")], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        self.assertEqual(wanted, [(name, int(v)) for (name, _), v in zip(wanted, found)])
        self.assertGreater(len(wanted), 400)

    def test_defaults(self):
        """Options are what the _INIT macros say."""
        probe = ["#include <precis/precis.h>", "#include <stdio.h>", "int main(void) {"]
        kinds = list(abi.INITIAL)
        for kind in kinds:
            name = kind.__name__
            probe.append(f"{{ {name} o = {name.upper()}_INIT; const unsigned char *b = (const unsigned char *)&o;")
            probe.append('for (size_t i = 0; i < sizeof o; i++) printf("%02x", b[i]); putchar(10); }')
        with open(work("init.c"), "w") as f:
            f.write("\n".join(probe + ["}"]))
        subprocess.run([os.environ.get("CC", "cc"), "-I", os.path.join(ROOT, "include"), work("init.c"), "-o",
                        work("init")], check=True)
        found = subprocess.run([work("init")], check=True, stdout=subprocess.PIPE, text=True).stdout.split()

        def member(struct, name, kind):
            if kind is ctypes.c_char_p:  # an address of another process: is there one?
                at = getattr(type(struct), name)
                return any(bytes(struct)[at.offset:at.offset + at.size])
            v = getattr(struct, name)
            return members(v) if isinstance(v, ctypes.Structure) else v if isinstance(v, (int, float)) else bool(v)

        def members(struct):
            return [member(struct, n, k) for n, k in struct._fields_]
        for kind, line in zip(kinds, found):
            self.assertEqual(members(kind.from_buffer_copy(bytes.fromhex(line))), members(precis._core.new(kind)), kind)

    def test_functions(self):
        """Every function of the headers is bound, none is forgotten."""
        headers = os.path.join(ROOT, "include/precis")
        text = "".join(pathlib.Path(headers, h).read_text() for h in os.listdir(headers))
        self.assertEqual(len(abi.FUNCTIONS), text.count("PRECIS_API ") - text.count("define PRECIS_API "))


class Errors(unittest.TestCase):
    def fails(self, status, sentence, call):
        with self.assertRaises(precis.Error) as caught:
            call()
        self.assertEqual(caught.exception.status, status)
        self.assertIn(sentence, str(caught.exception))
        return caught.exception

    def test_missing_file(self):
        e = self.fails(precis.Status.EIO, "/no/such.gguf", lambda: precis.Model("/no/such.gguf"))
        self.assertEqual(str(pickle.loads(pickle.dumps(e))), str(e))

    def test_damaged_file(self):
        with open(work("damaged.gguf"), "wb") as f:
            f.write(b"GGUF\3\0\0\0" + b"\xff" * 32)
        self.assertIsNotNone(self.fails(precis.Status.EFORMAT, "damaged.gguf",
                                        lambda: precis.Model(work("damaged.gguf"))).offset)

    def test_wrong_type(self):
        with precis.Model(MODEL) as model:
            self.fails(precis.Status.EINVAL, "Q99", lambda: precis.quant(model, work("x.gguf"), type="Q99"))
            self.fails(precis.Status.EINVAL, "Q99", lambda: precis.Plan(model, "Q99"))
            self.assertFalse(os.path.exists(work("x.gguf")))
            for wrong in (lambda: precis.Model(3), lambda: precis.Plan(model, 4), lambda: precis.Runner(model, bacth=1),
                          lambda: precis.quant(model, work("x.gguf"), evaluation={"size": 4})):
                self.assertRaises(TypeError, wrong)

    def test_numbers_are_not_cut(self):
        with precis.Model(MODEL) as model:
            for wrong in (lambda: precis.Runner(model, batch=-1), lambda: precis.Runner(model, batch=1 << 32),
                          lambda: precis.generate(model, [1 << 31], 1), lambda: precis.generate(model, "a", -1)):
                self.assertRaises(OverflowError, wrong)
        self.assertRaises(ValueError, lambda: precis.Model("models\0x"))

    def test_budget(self):
        with precis.Model(MODEL) as model:
            self.fails(precis.Status.EBUDGET, "", lambda: precis.Plan.within(model, 1000, types="Q4_K"))


class Life(unittest.TestCase):
    def test_closed(self):
        """What was made from a thing is closed before it, and says so."""
        with precis.Context(threads=1) as context:
            model = precis.Model(MODEL, context=context)
            runner, tokenizer = precis.Runner(model), precis.Tokenizer(model)
        for thing in (lambda: model.info, lambda: runner.info, lambda: len(tokenizer), lambda: context.threads):
            self.assertRaises(ValueError, thing)
        model.close()

    def test_order(self):
        """Whatever goes first, nothing is used when it is gone."""
        runner = precis.Runner(precis.Model(MODEL, context=precis.Context(threads=1)))
        gc.collect()
        self.assertEqual(runner.info.vocabulary, 4096)
        ring = [runner, precis.Tokenizer(runner.model)]
        ring.append(ring)
        del runner, ring
        gc.collect()

    def test_threads(self):
        """Threads of one context wait for one another."""
        model, found = precis.Model(MODEL, context=precis.Context(threads=1)), []

        def generate():
            found.append(precis.generate(model, "It was a", 6, temperature=0).ids)
        threads = [threading.Thread(target=generate) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(found, [found[0]] * 4)


class Callbacks(unittest.TestCase):
    def quant(self, name, **hooks):
        with precis.Context(threads=1, **hooks) as context, precis.Model(MODEL, context=context) as model:
            precis.quant(model, work(name), type="Q4_0", no_calibration=True, evaluate=False)

    def test_progress(self):
        seen = []
        self.quant("p.gguf", progress=lambda *a: seen.append(a))
        self.assertIn("quantize", {stage for stage, _, _ in seen})

    def test_stop(self):
        with self.assertRaises(precis.Error) as caught:
            self.quant("s.gguf", progress=lambda *a: True)
        self.assertEqual(caught.exception.status, precis.Status.ECANCELED)
        self.assertFalse(os.path.exists(work("s.gguf")))

    def test_exception(self):
        """An exception in a callback stops the work and arrives."""
        self.assertRaises(ZeroDivisionError, self.quant, "e.gguf", progress=lambda *a: 1 // 0)
        self.assertFalse(os.path.exists(work("e.gguf")))

        def again(*_):
            precis.default_context()
            context.sha256(__file__)
        with precis.Context(progress=again) as context, self.assertRaises(RuntimeError):
            precis.Model(MODEL, context=context).sha256()
            precis.Imatrix.of(precis.Model(MODEL, context=context), "some text " * 100)

    def test_interrupt(self):
        """Ctrl-C stops the library's work, and is KeyboardInterrupt."""
        def interrupt(stage, done, total):
            os.kill(os.getpid(), signal.SIGINT)
        handler = signal.getsignal(signal.SIGINT)
        alarm = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))  # when Python does nothing
        with precis.Context(threads=1) as context, precis.Model(MODEL, context=context) as model:
            alarm.start()
            self.assertRaises(KeyboardInterrupt, precis.Imatrix.of, model, "The sea was calm. " * 50000)
        self.assertRaises(KeyboardInterrupt, self.quant, "i.gguf", progress=interrupt)
        self.assertFalse(os.path.exists(work("i.gguf")))
        self.assertIs(signal.getsignal(signal.SIGINT), handler)
        with precis.Model(MODEL) as model:  # and nothing of it is left
            self.assertEqual(model.info.tensors, 74)

    def test_warnings(self):
        small = quantized()
        with precis.Model(small) as model, warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            precis.quant(model, work("w.gguf"), type="Q3_K", no_calibration=True, evaluate=False)
        self.assertTrue(any(w.category is precis.PrecisWarning for w in said))
        with precis.Model(small) as model, warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertRaises(precis.PrecisWarning, precis.quant, model, work("w2.gguf"), type="Q3_K",
                              no_calibration=True, evaluate=False)
        self.assertFalse(os.path.exists(work("w2.gguf")))


class Work(unittest.TestCase):
    """What the package does is what the command line does."""

    def test_quant_and_eval(self):
        small = quantized()
        self.assertLessEqual(os.path.getsize(small), 0.4 * cli("inspect", MODEL)["file_bytes"])
        self.assertEqual(quantized.result.bytes, os.path.getsize(small))
        self.assertEqual(quantized.result.sha256, precis.default_context().sha256(small))
        with precis.Model(MODEL) as model, precis.Model(small) as made:
            tokens = []
            got = precis.evaluate(made, model, window=64, windows=8, each=lambda kld, *_: tokens.append(kld))
        self.assertEqual(got.kld_mean, quantized.result.eval.kld_mean)
        self.assertEqual(len(tokens), got.tokens)
        self.assertAlmostEqual(sum(tokens) / len(tokens), got.kld_mean, 12)
        want = cli("eval", small, "--against", MODEL, "--ctx", "64", "--chunks", "8")
        for name in ("ppl", "ref_ppl", "kld_mean", "kld_se", "top1", "dp_rms"):
            self.assertEqual(float(f"{getattr(got, name):.9g}"), want[name])

    def test_generate(self):
        small = quantized()
        want = cli("run", small, "-p", "It was a", "-n", "8", "--temp", "0")
        with precis.Model(small) as model:
            got = precis.generate(model, "It was a", 8, temperature=0)
            self.assertEqual((got.text, got.ids), (want["text"], want["ids"]))
            self.assertEqual(got.finish, "length")
            with precis.Runner(model, sequences=2) as runner:
                made = [precis.Session(runner, n=n, sequence=i, temperature=0, logprobs=1).append("It was a")
                        for i, n in enumerate((8, 5))]
                self.assertEqual("".join(t.text for t in made[0]), want["text"])
                found = [[], []]
                for i, token in precis.together([made[0].begin("It was a"), made[1]]):
                    found[i].append(token)
                    self.assertLess(token.logprob, 0)
                self.assertEqual([t.id for t in found[0]], want["ids"])
                self.assertEqual([t.id for t in found[1]], want["ids"][:5])
                self.assertEqual([t.finish for t in found[1]], [None] * 4 + ["length"])
        want = cli("run", small, "-p", "It was a", "-n", "8", "--seed", "5")
        with precis.Context(seed=5) as context, precis.Model(small, context=context) as model:
            self.assertEqual(precis.generate(model, "It was a", 8).ids, want["ids"])

    def test_chat(self):
        want = cli("run", quantized(), "-c", "-p", "Who <|are|> you?", "-n", "4", "--temp", "0")
        with precis.Model(quantized()) as model, precis.Tokenizer(model) as t, precis.Runner(model) as runner:
            with precis.Session(runner, t, n=4, temperature=0) as session, precis.Chat(t) as chat:
                self.assertEqual(session.answer(chat.say("Who <|are|> you?")), want["text"])
                self.assertEqual((session.ids, len(chat)), (want["ids"], 2))

    def test_plan(self):
        with precis.Model(MODEL) as model, precis.Plan(model, "*attn_v*=Q6_K,*=Q4_K") as plan:
            types = {r.tensor: r.to for r in plan.rows}
            self.assertEqual(types["blk.0.attn_v.weight"], "Q6_K")
            self.assertEqual(len(plan.write(work("plan.gguf"), method="rtn")), len(plan))
            found = precis.plan(model, work("plan.json"), bpw=5)
            self.assertLessEqual(found.bits_per_weight, 5)
        self.assertIn("blk.0.attn_v.weight", pathlib.Path(work("plan.json")).read_text())

    def test_convert(self):
        with precis.Model(quantized()) as model:
            self.assertTrue(precis.convert(model, work("folder"), format="safetensors"))
        with precis.Model(work("folder")) as model:
            self.assertEqual(model.info.format, "safetensors")

    def test_law(self):
        want = cli("law", "predict", "--law", "kumar", "--N", "1e9", "--D", "1e10", "--bits", "4")
        with precis.Law("kumar") as law:
            got = law.predict(N=1e9, D=1e10, bits=4)
            self.assertAlmostEqual(got.loss, want["loss"], 12)
            self.assertEqual(law.set(g_post=2).parameters["g_post"], 2)
            self.assertNotEqual(law.set(E=2).predict(N=1e9, D=1e10, bits=4).loss, got.loss)
            self.assertTrue(law.optimal(compute=1e22)[0].loss < 3)
            self.assertRaises(TypeError, law.predict, n=1)
        with tempfile.NamedTemporaryFile("w", suffix=".csv", dir=WORK) as f, precis.Law("chinchilla") as law:
            f.write("N,D,loss\n")
            for n in (1e7, 3e7, 1e8, 3e8, 1e9):
                for d in (1e9, 3e9, 1e10, 3e10):
                    f.write(f"{n},{d},{law.predict(N=n, D=d).loss!r}\n")
            f.flush()
            fit = law.fit(f.name, work("fit.json"))
        self.assertLess(fit.rmse_log, 1e-4)
        with precis.Law(work("fit.json")) as law:
            self.assertAlmostEqual(law.parameters["alpha"], fit.values["alpha"], 9)

    def test_tasks(self):
        with precis.Model(MODEL) as model, precis.Model(quantized()) as made:
            with precis.Task("lookup", limit=4, context=model.context) as task:
                self.assertTrue(task[0].answer or task[0].choices)
                answers = task.answers(made)
                found = task.summary(answers, task.answers(model))
                self.assertEqual(found.items, len(task))
                self.assertRaises(ValueError, task.summary, answers, (abi.precis_answer * 1)())
                self.assertRaises(IndexError, lambda: task[len(task)])

    def test_ladder_and_nodes(self):
        with precis.Model(MODEL) as model:
            row, = precis.ladder(model, "W8A8", folder=WORK, no_calibration=True,
                                 evaluation={"window": 64, "windows": 2})
            self.assertEqual((row.type, row.eval.has_reference), ("W8A8", 1))
            found = precis.nodes(model, model, "The sea was calm. " * 40, tokens=64)
            self.assertTrue(any(n.op == "matmul" for n in found))

    def test_attest(self):
        subprocess.run([PRECIS, "quant", MODEL, "--type", "Q8_0", "--no-calib", "--no-eval", "-q", "-o",
                        work("signed.gguf")], check=True, stdout=subprocess.DEVNULL)
        precis.new_key(work("key"))
        precis.attest(work("signed.gguf.manifest.json"), work("key"), work("signed.att"), when=0)
        found = precis.verify(work("signed.att"), work("key.pub"))
        self.assertEqual((found.valid, found.created[:4]), (1, "1970"))

    def test_names(self):
        self.assertIn("Q4_K", precis.names("formats"))
        self.assertRaises(ValueError, precis.names, "nothing")


@arrays
class Arrays(unittest.TestCase):
    def test_quantize(self):
        x = np.random.default_rng(1).standard_normal((3, 5, 512)).astype("f4")
        for kind, most in (("Q8_0", 1e-4), ("Q4_K", 0.01), ("Q2_K", 0.2), ("F16", 1e-6), ("INT4_G64", 0.02)):
            data = precis.quantize(x, kind)
            self.assertEqual(len(data), precis.array_bytes(x.shape, kind))
            y = precis.dequantize(data, kind, x.shape)
            self.assertLess(float(((x - y) ** 2).sum() / (x ** 2).sum()), most, kind)
        self.assertNotEqual(precis.quantize(x, "Q4_K"), precis.quantize(x, "Q4_K", method="rtn"))
        weights = np.where(np.arange(512) % 2, 1, 1000)
        y = precis.dequantize(precis.quantize(x, "Q4_0", importance=weights), "Q4_0", x.shape)
        error = ((x - y) ** 2).reshape(-1, 512).mean(0)
        self.assertLess(error[::2].sum(), error[1::2].sum())
        self.assertEqual(precis.quantize(x[::-1], "Q4_K")[:288], precis.quantize(x[2, :1], "Q4_K"))
        self.assertEqual(precis.quantize(x[:0], "Q4_K"), b"")

    def test_refused(self):
        x = np.ones((2, 256), dtype="f4")
        bad = x.copy()
        bad[1, 3] = np.nan
        for kind, array, more, sentence in (("Q99", x, {}, "Q99"), ("Q4_K", x[:, :100], {}, "256"),
                                            ("Q4_K", bad, {}, "row 1, column 3"), ("Q4_0", x * 1e30, {}, "too large"),
                                            ("Q4_K", x, {"method": "gptq"}, "gptq"), ("I32", x, {}, "I32"),
                                            ("Q4_K", x, {"importance": -x[0]}, "negative")):
            with self.assertRaises(precis.Error) as caught:
                precis.quantize(array, kind, **more)
            self.assertIn(sentence, str(caught.exception))
        self.assertRaises(precis.Error, precis.dequantize, b"123", "Q4_K", x.shape)
        self.assertRaises(TypeError, precis.quantize, np.array(["a"]), "Q4_K")
        self.assertRaises(ValueError, precis.quantize, x, "Q4_K", importance=x[0, :3])

    def test_tensor(self):
        """The bytes of a file's tensor are those of its rows; shapes are outermost first in any container."""
        with precis.Model(MODEL) as model, precis.Plan(model, "Q4_K") as plan:
            plan.write(work("t.gguf"), method="rtn")
            x = model.tensor("blk.0.ffn_down.weight")
        with precis.Model(work("t.gguf")) as made:
            info, = (t for t in made.tensors if t.name == "blk.0.ffn_down.weight")
            self.assertEqual((info.shape, info.type), (x.shape, "Q4_K"))
            with open(info.file, "rb") as f:
                f.seek(info.offset)
                data = f.read(info.bytes)
            self.assertEqual(data, precis.quantize(x, "Q4_K", method="rtn"))
            self.assertTrue((precis.dequantize(data, "Q4_K", info.shape) == made.tensor(info.name)).all())

    def test_decode(self):
        with precis.Model(quantized()) as model, precis.Runner(
                model, outputs=8, sequences=2, k_type="f32", v_type="f32") as runner:
            with precis.Tokenizer(model) as t:
                ids = t.encode("It was a bright cold day in April")
            every = runner.decode(ids, every=True)
            self.assertEqual(every.shape, (len(ids), runner.info.vocabulary))
            runner.copy(0, 1, 4)
            self.assertTrue((runner.decode(ids[4:], sequence=1) == every[-1]).all())
            losses = -every + np.log(np.exp(every.astype("f8")).sum(1))[:, None]
            want = [losses[i, ids[i + 1]] for i in range(len(ids) - 1)]
            self.assertLess(np.abs(precis.nll(model, ids) - want).max(), 1e-5)

    def test_imatrix(self):
        with precis.Model(MODEL) as model, precis.Imatrix.of(model, "The sea was calm. " * 40) as made:
            made.save(work("imatrix.gguf"))
            with precis.Imatrix(model.context, work("imatrix.gguf")) as read:
                self.assertEqual(list(read), list(made))
                name = list(read)[0]
                self.assertLess(np.abs(read[name] / made[name] - 1).max(), 1e-6)
                with precis.Plan.within(model, 6_000_000, imatrix=read) as plan:
                    self.assertLessEqual(plan.bytes, 6_000_000)
                    self.assertTrue(plan.solution.exact)

    def test_law(self):
        with precis.Law("kumar") as law:
            D = np.logspace(9, 10, 5)
            got = law.predict(N=[[1e8], [1e9]], D=D, bits_w=4)
            self.assertEqual(got.loss.shape, (2, 5))
            self.assertEqual(got.loss[1, 2], law.predict(N=1e9, D=D[2], bits_w=4).loss)
            self.assertEqual(law.output("loss", N=1e9, D=D).shape, (5,))
            loss = law.predict(N=1e9, D=1e10).loss
            self.assertAlmostEqual(law.isoloss(loss, [1e9])[0] / 1e10, 1, 6)

    def test_graph(self):
        rng = np.random.default_rng(2)
        w, b = rng.standard_normal((3, 8)).astype("f4"), rng.standard_normal(3).astype("f4")
        with precis.Graph() as g:
            rows = g.symbol("rows", 16)
            x = g.input("x", (rows, 8))
            y = g.node("y", "matmul", x, g.constant("w", w), g.constant("b", b))
            z = g.node("z", "relu", y)
            g.output(z)
            self.assertEqual((z.op, z.name), ("relu", "z"))
            with precis.Program(g) as program:
                for n in (2, 5):
                    given = rng.standard_normal((n, 8)).astype("f4")
                    program.run({x: given}, {rows: n})
                    self.assertLess(np.abs(program[z] - np.maximum(given @ w.T + b, 0)).max(), 1e-5)
                self.assertRaises(ValueError, program.run, {x: given[:, :4]}, {rows: 5})
            with self.assertRaises(precis.Error):
                g.node("bad", "relu", x, nothing=1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
