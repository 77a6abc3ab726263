"""Screens of a terminal (tmux) at 30, 48, 80 and 120 columns: no line is wider, no word is cut, columns stand in line.
usage: terminal.py PRECIS SOURCE_FOLDER [FOLDER]; FOLDER keeps the screens. Exit 77: there is no tmux."""
import concurrent.futures, os, re, shlex, shutil, subprocess, sys, tempfile, time

import checks
from checks import check

if not shutil.which("tmux"):
    print("skipped: cli.terminal: there is no tmux (tools/bootstrap tests)")
    sys.exit(77)
precis, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
model = os.path.join(source, "models", "gutenberg-7m")
work = tempfile.mkdtemp()
keep = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else None
text = open(os.path.join(source, "data", "eval.txt"), encoding="utf-8").read()[:6000]
open(os.path.join(work, "t.txt"), "w", encoding="utf-8").write(text)
subprocess.run([precis, "convert", model, "-o", os.path.join(work, "m.gguf"), "-q"], check=True, stdout=subprocess.DEVNULL)

subprocess.run([precis, "quant", "m.gguf", "--type", "Q4_0", "--no-calib", "--no-eval", "-o", "q.gguf", "-q"], check=True, cwd=work,
               stdout=subprocess.DEVNULL)

with open(os.path.join(work, "runs.csv"), "w", encoding="utf-8") as f:  # of Hoffmann et al.'s form
    f.write("N,D,loss\n")
    for n in 1e7, 3e7, 1e8, 3e8, 1e9:
        for d in 1e9, 3e9, 1e10, 3e10:
            f.write(f"{n},{d},{1.69 + 406.4 / n ** 0.34 + 410.7 / d ** 0.28 + 1e-4 * ((n + d) % 7)}\n")

sys.path.insert(0, os.path.join(source, "tests"))
import onnx_files as onnx


def long_names():
    """A net of arrays whose nodes are called as exporters call them."""
    at = "/model/encoder/layers.{}/feed_forward/{}"
    nodes, held, last = [], [], "images_of_the_sensor"
    for layer, (rows, columns) in enumerate([(24, 16), (16, 8), (8, 4)]):
        w, out, act = (at.format(layer, name) for name in ("dense/weight", "dense/Gemm_output_0", "activation/Relu_output_0"))
        held.append(onnx.floats(w, [rows, columns], [0.37 * v for v in onnx.ramp(rows * columns)]))
        nodes += [onnx.node("MatMul", [last, w], [out], name=out), onnx.node("Relu", [out], [act], name=act)]
        last = act
    return onnx.model(onnx.graph(nodes, [onnx.port("images_of_the_sensor", onnx.F32, ["samples_in_a_batch", 24])],
                                 [onnx.port(last, onnx.F32, ["samples_in_a_batch", 4])], held))


open(os.path.join(work, "net.onnx"), "wb").write(long_names())
open(os.path.join(work, "x.npy"), "wb").write(onnx.npy(onnx.ramp(32 * 24, .31), [32, 24]))
open(os.path.join(work, "y.txt"), "w").write("".join(f"{i % 4}\n" for i in range(32)))
subprocess.run([precis, "quant", "net.onnx", "--static", "--calib", "x.npy", "--no-speed", "-o", "codes.onnx", "-q"], check=True, cwd=work,
               stdout=subprocess.DEVNULL)
for _ in range(2):
    subprocess.run([precis, "eval", "q.gguf", "--against", "m.gguf", "--text", "t.txt", "--chunks", "2", "--gate", "--max-kld", "1",
                    "--results", "h.sqlite", "-q", "--name", "a name that is longer than its column was"], cwd=work, stdout=subprocess.DEVNULL)

# What is typed, by a name; those whose words do not depend on the width are compared with what a pipe gets.
COMMANDS = {
    "help": "precis --help",
    "help_eval": "precis eval --help",
    "help_list": "precis list --help",
    "inspect": "precis inspect m.gguf",
    "list": "precis list",
    "list_formats": "precis list formats",
    "list_limits": "precis list limits",
    "list_parts": "precis list parts",
    "list_pairs": "precis list pairs",
    "list_ops": "precis list ops",
    "list_models": "precis list models",
    "plan": "precis plan m.gguf --no-profile --max-size 40% --calib t.txt",
    "quant": "precis quant m.gguf --type Q4_K_M -o WIDTH.gguf --calib t.txt --text t.txt",
    "eval": "precis eval WIDTH.gguf --against m.gguf --text t.txt",
    "advise": "precis law advise --N 8B --D 15T",
    "tables": "precis law advise --N 8B --D 15T --tables",
    "law_list": "precis law list",
    "law_one": "precis law list kumar; precis law list dremov",
    "law_predict": "precis law predict --N 1e9 --D 2e10 --bits 4",
    "law_optimal": "precis law optimal --compute 1e22 --tokens-inference 1e12",
    "law_critical": "precis law critical --N 8e9 --bits 4",
    "law_isoloss": "precis law isoloss --law chinchilla --loss 2.1",
    "law_isocost": "precis law isocost --compute 1e21",
    "law_compare": "precis law compare --N 1e9 --D 2e10 --bits 4",
    "law_fit": "precis law fit runs.csv --bootstrap 4 --profile --holdout",
    "law_plot": "precis law plot",
    "keys": "precis inspect m.gguf --keys",
    "tensors": "precis inspect m.gguf --tensors",
    "overflow": "precis inspect q.gguf --overflow",
    "net_c": "precis quant net.onnx --static --calib x.npy -o WIDTH.c",
    "profile": "precis profile m.gguf --calib t.txt -o WIDTH.json",
    "dry_run": "precis quant m.gguf --type Q4_K_M --dry-run --no-calib",
    "convert": "precis convert q.gguf --format safetensors -o WIDTH",
    "tasks": "precis eval q.gguf --against m.gguf --tasks copy --limit 4",
    "ladder": "precis eval m.gguf --ladder W8A8 --text t.txt --chunks 2",
    "bench": "precis bench m.gguf --prompt 16 --gen 8 --repeat 2",
    "net_inspect": "precis inspect net.onnx; precis inspect net.onnx --passes",
    "net_overflow": "precis inspect codes.onnx --overflow",
    "net_plan": "precis plan net.onnx --static --size 2 --speed",
    "net_quant": "precis quant net.onnx --static --calib x.npy -o WIDTH.onnx",
    "net_run": "precis run codes.onnx --input images_of_the_sensor=x.npy; precis run codes.onnx --input images_of_the_sensor=x.npy --output-dir WIDTHd",
    "net_eval": "precis eval codes.onnx --against net.onnx --data x.npy --labels y.txt --gate --max-drop 2%",
    "net_nodes": "precis eval codes.onnx --against net.onnx --data x.npy --nodes",
    "net_bench": "precis bench codes.onnx --seconds 1 --nodes --size 2",
    "importance": "precis profile m.gguf --calib t.txt --tensors -o WIDTH.dat",
    "probes": "precis profile m.gguf --calib t.txt --tokens 256 --effort fast --tensors -o WIDTHt.json",
    "nodes": "precis profile q.gguf --nodes --against m.gguf --calib t.txt --tokens 32",
    "history": "precis eval --history --results h.sqlite",
    "verbose": "precis quant m.gguf --type Q4_K_M --verbose -o WIDTHv.gguf --no-calib --no-eval",
    "pieces": "precis tokenize m.gguf --text t.txt --pieces | head -n 40",
    "check": "precis inspect m.gguf --check",
    "refused": "precis quant m.gguf --type Q4_L -o x.gguf; precis quant m.gguf --max-size 1M -o x.gguf; precis qant",
}
WORDS = subprocess.run([precis, "law", "--help"], check=True, capture_output=True, text=True).stdout
for command in re.findall(r"^  ([a-z]+) ", subprocess.run([precis, "--help"], check=True, capture_output=True, text=True).stdout, re.M):
    COMMANDS.setdefault("help_" + command, f"precis {command} --help")
for word in re.findall(r"^  precis law ([a-z]+) ", WORDS, re.M):
    COMMANDS["help_law_" + word] = f"precis law {word} --help"
SAME_WORDS = ["help_eval", "help_list", "inspect", "list_limits", "list_parts", "list_pairs", "list_ops", "list_models", "advise"]


WIDTHS = 30, 48, 80, 120
# At 30 columns, where the longest options stand alone, those that give answers.
NARROW = "help inspect list list_formats plan quant eval advise law_predict law_fit net_nodes net_bench nodes history bench tasks refused".split()


class Screen:
    """A terminal of so many columns, with a server of its own, whose lines are joined where the terminal broke them."""

    def __init__(self, columns):
        self.columns = columns
        self.socket = f"{work}/{columns}.sock"
        place = f"cd {work}; export PATH={os.path.dirname(precis)}:$PATH XDG_CACHE_HOME={work}/cache HOME={work} PS1=; unset NO_COLOR"
        self.tmux("new-session", "-d", "-x", str(columns), "-y", "50", f"{place}; exec sh")
        self.tmux("set-option", "-g", "history-limit", "20000")
        self.tmux("new-window", f"{place}; exec sh") # the limit holds for windows that come later
        self.count = 0

    def tmux(self, *args):
        done = subprocess.run(["tmux", "-S", self.socket, "-f", "/dev/null", *args], capture_output=True, text=True, timeout=60)
        return done.stdout

    def lines(self):
        return [line.rstrip() for line in self.tmux("capture-pane", "-p", "-J", "-S", "-").split("\n")]

    def until(self, mark, seconds=300):
        end = time.time() + seconds
        while time.time() < end:
            lines = self.lines()
            if any(re.search(mark, line) for line in lines):
                return lines
            time.sleep(0.1)
        check(False, f"{self.columns} columns: {mark!r} did not come, but {lines[-8:]}")
        return lines

    def run(self, command):
        self.count += 1
        self.tmux("send-keys", "-l", f"clear; tput E3; {command} ; echo; echo END''{self.count}END")
        self.tmux("clear-history")
        self.tmux("send-keys", "Enter")
        lines = self.until(f"^END{self.count}END")
        ends = [i for i, line in enumerate(lines) if line == f"END{self.count}END"]
        first = [i for i, line in enumerate(lines) if f"END''{self.count}END" in line]
        return lines[(first[-1] + 1 if first else 0):ends[-1] if ends else None]


def words(lines):
    """Without what a broken command has, and progress, which a pipe does not get."""
    kept = [line for line in lines if not re.match(r"(calibrate|measure|quantize|evaluate|sample|profile)\s+done", line)]
    return sorted(w for line in kept for w in line.split() if w not in ("\\", "#"))


def too_wide(lines, columns):
    """Lines that the terminal broke; a single word that is longer than the room for it has no place to break."""
    return [line for line in lines if len(line) > columns and len(line.split()) > 1 and not (
        len(line.split()) == 2 and len(line.split()[1]) > columns - 16 and line.split()[0].startswith("--"))]


def numbers_in_line(name, lines, pattern):
    ends = {m.end(1) for m in (re.match(pattern, line) for line in lines) if m}
    check(len(ends) == 1, f"{name}: a column ends at {sorted(ends)}")


def look(columns):
    screen = Screen(columns)
    shown = {}
    for name, command in COMMANDS.items():
        if columns < 48 and name not in NARROW:
            continue
        shown[name] = screen.run(command.replace("WIDTH", str(columns)))
    screen.tmux("send-keys", "-l", f"clear; tput E3; precis run m.gguf")
    screen.tmux("send-keys", "Enter")
    screen.until("^> *$")
    screen.tmux("send-keys", "-l", "/help")
    screen.tmux("send-keys", "Enter")
    shown["chat"] = [line for line in screen.until("/bye")]
    screen.tmux("send-keys", "-l", "/bye")
    screen.tmux("send-keys", "Enter")
    screen.tmux("kill-server")
    return columns, shown


def judge(columns, shown, piped):
    for name, lines in shown.items():
        where = f"{name} at {columns} columns"
        if keep:
            os.makedirs(keep, exist_ok=True)
            open(os.path.join(keep, f"{name}.{columns}"), "w").write("\n".join(lines) + "\n")
        check(len(words(lines)) > 3, f"{where}: nothing is shown: {lines}")
        wide = too_wide(lines, columns)
        check(not wide, f"{where}: wider: {wide[:3]}")
        if name in piped:
            screen, pipe = words(lines), words(piped[name])
            lost = [w for w in set(screen) ^ set(pipe) if screen.count(w) != pipe.count(w)]
            check(not lost, f"{where}: other words than in a pipe: {lost[:6]}")
    check(any("Smaller by" in line for line in shown["quant"]), f"quant at {columns} columns has no verdict")
    check(any("Recommendation:" in line for line in shown["advise"]), f"law advise at {columns} columns does not conclude")
    if columns < 48:
        return
    numbers_in_line(f"list formats, bits, {columns}", shown["list_formats"], r"(\S+ +(?:bits|\d+\.\d\d)) ")
    numbers_in_line(f"list formats, block, {columns}", shown["list_formats"], r"(\S+ +(?:bits|\d+\.\d\d) +(?:block|any|\d+)) ")
    numbers_in_line(f"quant, the last column, {columns}", shown["quant"],
                    r"(.*(?: original +quantized|size .* [MkG]B +[\d.]+ [MkG]B|original  .*%|perplexity .* \+- \S+)) *$")
    numbers_in_line(f"eval, figures, {columns}", shown["eval"], r"( *\S.* +-?\d+\.\d+%? )\+- ")
    options = [line for line in shown["help_eval"] if re.match(r" +(?:-\w, )?--\w", line)]
    begins = {m.end() for m in (re.match(r" +(?:-\w, )?(?=--)", line) for line in options) if m and m.end() == 6}
    check(len(options) > 20 and begins == {6}, f"help at {columns} columns: options begin at {begins}")


def from_pipe(command):
    place = dict(os.environ, PATH=os.path.dirname(precis) + ":" + os.environ["PATH"], XDG_CACHE_HOME=work + "/cache", HOME=work)
    place.pop("COLUMNS", None)
    return subprocess.run(["sh", "-c", command], cwd=work, env=place, capture_output=True, text=True).stdout.split("\n")


piped = {name: from_pipe(COMMANDS[name]) for name in SAME_WORDS}
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for columns, shown in pool.map(look, WIDTHS):
        judge(columns, shown, piped)
shutil.rmtree(work, ignore_errors=True)
if not checks.failed:
    print(f"{len(COMMANDS) + 1} screens at 3 widths, {len(NARROW) + 1} at {WIDTHS[0]} columns")
sys.exit(1 if checks.failed else 0)
