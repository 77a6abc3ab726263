#!/usr/bin/env python3
"""Every place that asks for memory, made to fail.

usage: run.py PRECIS SHIM.so [--short] [--most N] [--only TEXT] [--without TEXT] [--jobs N] [--verbose]

A run in which a request fails must end with exit 4, a sentence on stderr, and no file but whole ones; or, where a
library goes on without, as if nothing had been, with the same bytes in each output. Places are told apart by their
stacks: each is tried where it first asks and where it last does, failing once, and with all after it.
"""

import argparse
import concurrent.futures
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import commands  # noqa: E402
import inputs  # noqa: E402

RESOURCES = 4
LIMIT = 60  # seconds; a run takes some 0.02


def contents(path):
    """What of a file must be the same in each run."""
    with open(path, "rb") as f:
        data = f.read()
    if not data.startswith(b"SQLite format 3"):
        return data
    db = sqlite3.connect(path)
    try:
        return repr(
            [
                db.execute("SELECT precis, name, settings, verdict FROM runs").fetchall(),
                db.execute("SELECT * FROM results").fetchall(),
            ]
        ).encode()
    except sqlite3.Error as e:
        return str(e).encode()
    finally:
        db.close()


class Bench:
    def __init__(self, precis, shim):
        self.precis, self.shim = precis, shim
        self.root = tempfile.mkdtemp(prefix="precis-alloc-")
        self.inputs = os.path.join(self.root, "inputs")
        os.mkdir(self.inputs)
        inputs.main(self.inputs)
        for line in commands.PREPARE.strip().splitlines():
            p = subprocess.run(
                [precis] + line.split() + ["-t", "1"],
                cwd=self.inputs,
                capture_output=True,
                env=self.environment(self.inputs, {}),
            )
            if p.returncode not in (0, 5):
                sys.exit(f"{line}: exit {p.returncode}: {p.stderr.decode()}")
        shutil.rmtree(os.path.join(self.inputs, "home"), ignore_errors=True)
        shutil.rmtree(os.path.join(self.inputs, "tmp"), ignore_errors=True)

    def environment(self, folder, more):
        e = {
            "PATH": os.environ["PATH"],
            "HOME": folder + "/home",
            "XDG_STATE_HOME": folder + "/home",
            "XDG_CACHE_HOME": folder + "/home",
            "TMPDIR": folder + "/tmp",
            "LC_ALL": "C",
            "MALLOC_PERTURB_": "85",  # what reads beyond what it wrote finds no zero, and goes on until it is seen
        }
        os.makedirs(e["HOME"], exist_ok=True)
        os.makedirs(e["TMPDIR"], exist_ok=True)
        return {**e, **more}

    def run(self, line, **shim):
        """Exit code, stdout, stderr, and the files made: name to content."""
        words, stdin = line.split(), None
        if words[-1].startswith("<"):
            stdin = open(os.path.join(self.inputs, words.pop()[1:]), "rb")
        folder = tempfile.mkdtemp(dir=self.root)
        work = os.path.join(folder, "w")  # of one name in all runs: it may be part of an output
        os.mkdir(work)
        for name in os.listdir(self.inputs):
            os.symlink(os.path.join(self.inputs, name), os.path.join(work, name))
        env = self.environment(folder, {"LD_PRELOAD": self.shim, **shim})
        if words[0] not in ("help",) and "-t" not in words:
            words += ["-t", "1"]
        try:
            p = subprocess.run(
                [self.precis] + words,
                cwd=work,
                stdin=stdin or subprocess.DEVNULL,
                capture_output=True,
                env=env,
                timeout=LIMIT,
            )
            code, out, err = p.returncode, p.stdout, p.stderr
        except subprocess.TimeoutExpired:
            code, out, err = -signal.SIGALRM, b"", b""
        files = {}
        for at, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(at, name)
                if not os.path.islink(path):
                    files[os.path.relpath(path, folder)] = contents(path)
        shutil.rmtree(folder)
        return code, out, err, files


def without_numbers(data):
    return re.sub(rb"[0-9.eE+-]+|null|\s+", b"#", data)


class Expected:
    """Content of two runs in which nothing failed: the same bytes, or but for numbers (times), or random (keys)."""

    def __init__(self, a, b):
        self.data, self.timed, self.random = a, a != b, without_numbers(a) != without_numbers(b)

    def met(self, data):
        if self.random:
            return len(data) == len(self.data)
        return without_numbers(data) == without_numbers(self.data) if self.timed else data == self.data


class Command:
    """A command line, what it does when nothing fails, and where it asks for memory."""

    def __init__(self, bench, line):
        self.line = line
        record = os.path.join(bench.root, hashlib.sha1(line.encode()).hexdigest())
        self.code, self.out, err, self.files = bench.run(line, ALLOC_RECORD=record)
        if self.code not in (0, 1, 5):
            sys.exit(f"{line}: exit {self.code}: {err.decode(errors='replace')}")
        with open(record) as f:
            self.sites = [(h, int(a), int(b)) for h, a, b in (row.split() for row in f)]
        self.sites.sort(key=lambda s: s[1])
        if line.startswith("report"):
            time.sleep(1.1)  # its date is in seconds
        again = bench.run(line)
        if sorted(again[3]) != sorted(self.files):
            sys.exit(f"{line}: files of other names each time: {sorted(again[3])}")
        self.out = Expected(self.out, again[1])
        self.files = {k: Expected(v, again[3][k]) for k, v in self.files.items()}

    def wrong_files(self, files, all_of_them):
        for name, data in files.items():
            if not all_of_them and (
                ".resume" in name or self.line.startswith("profile") and data.startswith(b"{") and name == "w/o.json"
            ):
                continue  # grows while work is done, so that it can go on
            if name not in self.files:
                return f"left {name}"
            if not self.files[name].met(data) and not (name.endswith(".sqlite") and not all_of_them):
                return f"other bytes in {name}"
        missing = [k for k in self.files if k not in files]
        return f"no {missing[0]}" if all_of_them and missing else None

    def judge(self, result):
        """What is wrong with a run in which a request failed; None: nothing."""
        code, out, err, files = result
        if code == RESOURCES:
            if not err.strip():
                return "exit 4 without a word"
            return self.wrong_files(files, False)
        if code != self.code:
            return f"exit {code}: {err.decode(errors='replace').strip()[:150]}"
        return self.wrong_files(files, True) if self.out.met(out) else f"exit {code} with other output"


def one(bench, command, at, on, number):
    hit = os.path.join(bench.root, f"hit{number}")
    more = {"ALLOC_ON": "1"} if on else {}
    wrong = command.judge(bench.run(command.line, ALLOC_AT=str(at), ALLOC_HIT=hit, **more))
    with open(hit) as f:
        stack = f.read()
    os.unlink(hit)
    return wrong, stack


def stack_in_words(stack, precis):
    """Functions of a stack, innermost first."""
    words = []
    for row in stack.splitlines():
        m = re.match(r"(.*?)\((.*?)\+(0x[0-9a-f]+)\)", row)
        if not m:
            continue
        if os.path.basename(m[1]) == os.path.basename(precis) and not m[2]:
            address = hex(int(m[3], 16) - 1)
            text = subprocess.run(
                ["addr2line", "-f", "-i", "-s", "-e", precis, address], capture_output=True, text=True
            ).stdout.split("\n")
            words += [f"{text[i]} {text[i + 1]}" for i in range(0, len(text) - 1, 2)]
        else:
            words.append(m[2] or os.path.basename(m[1]))
    return words


def main():
    p = argparse.ArgumentParser()
    p.add_argument("precis")
    p.add_argument("shim")
    p.add_argument("--most", type=int, default=0, help="runs at most, spread over all places (default: all)")
    p.add_argument("--short", action="store_true", help="the commands of the short test alone")
    p.add_argument("--only", default="", help="commands with this in them")
    p.add_argument("--without", default="", help="but for places that commands with this in them reach, too")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--verbose", action="store_true", help="stacks of what went wrong")
    a = p.parse_args()
    bench = Bench(os.path.abspath(a.precis), os.path.abspath(a.shim))
    every = [c for c in commands.COMMANDS.strip().splitlines() if c[0] == "+" or not a.short]
    lines = [c.lstrip("+") for c in every if a.only in c]
    known = [c.lstrip("+") for c in every if a.without and a.without in c and a.only not in c]
    try:
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            tried, seen = [], set()
            for c in pool.map(lambda line: Command(bench, line), known):
                seen.update(h for h, _, _ in c.sites)
            for c in pool.map(lambda line: Command(bench, line), lines):
                for h, first, last in c.sites:
                    if h in seen:
                        continue
                    seen.add(h)
                    tried += [(c, k, on) for k in sorted({first, last}) for on in (False, True)]
            if a.most and len(tried) > a.most:
                tried = [tried[i * len(tried) // a.most] for i in range(a.most)]
            results = pool.map(lambda t: one(bench, t[1][0], t[1][1], t[1][2], t[0]), enumerate(tried))
            bad = hits = 0
            for (c, at, on), (wrong, stack) in zip(tried, results):
                hits += bool(stack)
                if not wrong:
                    continue
                bad += 1
                if bad <= 20 or a.verbose:
                    print(f"{c.line}: request {at}{' and on' if on else ''}: {wrong}", flush=True)
                    if a.verbose:
                        print("    " + " < ".join(stack_in_words(stack, bench.precis)[:12]), flush=True)
        print(f"{len(lines)} commands, {len({(c.line, at) for c, at, _ in tried})} places, {hits} failures, {bad} not borne")
        return 1 if bad or not hits else 0
    finally:
        shutil.rmtree(bench.root)


if __name__ == "__main__":
    sys.exit(main())
