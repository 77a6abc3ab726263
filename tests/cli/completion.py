"""Completion in the shells themselves: bash, zsh and fish on a terminal, a line and the key Tab.
usage: completion.py PRECIS SOURCE_FOLDER. A shell that is not there is skipped by name; exit 77: none is."""
import os, pty, re, select, shutil, signal, subprocess, sys, tempfile, time

import checks
from checks import check

precis = os.path.abspath(sys.argv[1])
work = tempfile.mkdtemp()
for name in "tiny.gguf", "my model.gguf", "runs.csv", "calib.txt", "saved.manifest.json":
    open(os.path.join(work, name), "w").close()
env = {"PATH": os.path.dirname(precis) + ":" + os.environ["PATH"], "HOME": work, "TERM": "xterm", "LC_ALL": "C.UTF-8",
       "PS1": "READY> ", "XDG_CACHE_HOME": work, "XDG_CONFIG_HOME": work, "XDG_DATA_HOME": work}
os.mkdir(os.path.join(work, ".functions"))
for shell, name in ("bash", "bash"), ("zsh", "_precis"), ("fish", "fish"):
    with open(os.path.join(work, ".functions", name), "w", encoding="utf-8") as f:
        subprocess.run([precis, "help", "--completion", shell], stdout=f, check=True)

# A line before Tab, and what it becomes: one answer, so that it stands there at once.
ONE = {
    "precis insp": "precis inspect ",
    "precis law adv": "precis law advise ",
    "precis law plot run": "precis law plot runs.csv",
    "precis law predict --law quar": "precis law predict --law quartet",
    "precis law advise --tok": "precis law advise --tokens-inference",
    "precis law list quar": "precis law list quartet",
    "precis list form": "precis list formats",
    "precis quant --type IQ4_X": "precis quant --type IQ4_XS",
    "precis quant --type=IQ4_X": "precis quant --type=IQ4_XS",
    "precis train --qat IQ4_X": "precis train --qat IQ4_XS",
    "precis quant ti": "precis quant tiny.gguf",
    "precis inspect my": r"precis inspect my\ model.gguf",
    "precis quant --calib cal": "precis quant --calib calib.txt",
    "precis quant --replay sav": "precis quant --replay saved.manifest.json",
}
# A line, what Tab must list of it and what it must not: words of one command are not another's, files are of their kind.
MANY = {
    "precis quant --type Q4_K_": (["Q4_K_S", "Q4_K_M"], ["Q5_K"]),
    "precis law predict --type fp": (["fp8", "fp4"], []),
    "precis law ": (["advise", "predict", "optimal", "critical", "isoloss", "isocost", "compare", "fit", "plot"], ["tiny"]),
    "precis law fit ": (["runs.csv"], ["tiny.gguf", "calib.txt", "advise"]),
    "precis law advise --t": (["--target-bits", "--tables", "--threads"], ["--type"]),
    "precis list ": (["formats", "kernels", "limits", "ops", "models"], ["runs.csv"]),
    "precis quant ": (["tiny.gguf", "model.gguf"], ["runs.csv", "calib.txt"]),
    "precis run --cache-k int": (["int8", "int4"], ["int2"]),
}
SOURCED = "zsh, sourced"  # as people do who have no folder of functions
SHELLS = {
    SOURCED: (["-f", "-i"], f"autoload -Uz compinit; compinit -u -D; . {work}/.functions/_precis; unsetopt beep; PS1='READY> '"),
    "bash": (["--norc", "--noprofile", "-i"], f"bind 'set bell-style none'; . {work}/.functions/bash; PS1='READY> '"),
    "zsh": (["-f", "-i"], f"fpath=({work}/.functions $fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep; PS1='READY> '"),
    "fish": (["--no-config", "-i"], f"source {work}/.functions/fish; function fish_prompt; echo -n 'READY> '; end"),
}


class Shell:
    def __init__(self, name):
        self.name = name
        options, first = SHELLS[name]
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(work)
            os.execvpe(name.split(",")[0], [name.split(",")[0], *options], env)
        self.seen, self.count = "", 0
        self.send(first + "\r")
        self.settle()

    def send(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        """False: nothing came. fish asks the terminal what it is, and waits for the answer."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.fd, 65536).decode("utf-8", "replace")
        except OSError:
            return False
        if "\x1b[c" in piece or "\x1b[0c" in piece:
            self.send("\x1b[?62c")
        self.seen += piece
        return True

    def plain(self):
        return re.sub(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b\[[0-9;?>=]*[a-zA-Z]|\x1b[()=>].?|[\x00-\x09\x0e-\x1f]", "", self.seen)

    def until(self, wanted, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            if all(w in self.plain() for w in wanted):
                return True
            self.read(0.2)
        return False

    def settle(self):
        """A line that the shell itself must carry out: all before it is done."""
        self.count += 1
        self.send(f"\x15echo do''ne{self.count}.\r")
        check(self.until([f"done{self.count}."]), f"{self.name} does not answer: {self.seen[-300:]!r}")
        self.seen = ""

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def look(name):
    shell = Shell(name)
    for line, whole in list(ONE.items())[:3 if name == SOURCED else None]:
        shell.settle()
        shell.send(line + "\t")
        check(shell.until([whole[len(os.path.commonprefix([line, whole])):].strip()], 30),
              f"{name}: {line!r} did not become {whole!r}: {shell.plain()[-200:]!r}")
    for line, (wanted, others) in list(MANY.items())[:2 if name == SOURCED else None]:
        shell.settle()
        shell.send(line + "\t\t")
        check(shell.until(wanted, 30), f"{name}: {line!r} does not list {wanted}: {shell.plain()[-400:]!r}")
        there = [o for o in others if re.search(rf"(?<![\w-]){re.escape(o)}", shell.plain())]
        if name == "fish":  # which shows files of another kind behind those of the right one
            there = [o for o in there if "." not in o]
        check(not there, f"{name}: {line!r} lists {there}")
    shell.end()


found = [name for name in SHELLS if shutil.which(name.split(",")[0])]
for name in SHELLS:
    if name in found:
        look(name)
    else:
        print(f"SKIP {name}: it is not installed")
shutil.rmtree(work, ignore_errors=True)
if not checks.failed and found:
    print(f"{len(ONE) + len(MANY)} lines in {', '.join(found)}")
sys.exit(1 if checks.failed else 0 if found else 77)
