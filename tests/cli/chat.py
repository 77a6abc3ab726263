"""The chat of `precis run` on a terminal (a pseudo-terminal here) and from a pipe. usage: chat.py PRECIS SOURCE_FOLDER"""
import fcntl, json, os, pty, re, select, signal, struct, subprocess, sys, tempfile, termios, time

import checks
from checks import check

precis, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
model = os.path.join(source, "models", "gutenberg-7m")
work = tempfile.mkdtemp()
env = dict(os.environ, XDG_STATE_HOME=os.path.join(work, "state"), NO_COLOR="1", TERM="xterm", LC_ALL="C.UTF-8",
           LSAN_OPTIONS="suppressions=" + os.path.join(source, "tests", "leaks.txt"))


class Terminal:
    """A program on a terminal of so many columns."""

    def __init__(self, *args, columns=80):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(work)
            os.execve(precis, [precis, "run", model, *args], env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.seen = ""

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                piece = os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                piece = ""
            self.seen += piece
            return piece
        return None

    def until(self, pattern, seconds=120):
        """What came up to a match, which is taken away; a test fails when it does not come."""
        end = time.time() + seconds
        while time.time() < end:
            found = re.search(pattern, self.seen)
            if found:
                before, self.seen = self.seen[:found.end()], self.seen[found.end():]
                return before
            if self.read(1) == "":
                break
        check(re.search(pattern, self.seen), f"{pattern!r} did not come, but {self.seen[-400:]!r}")
        return self.seen

    def send(self, text):
        os.write(self.fd, text.encode())

    def paste(self, text):
        """In pieces, while what the terminal shows is read: a pseudo-terminal holds little."""
        data = ("\x1b[200~" + text + "\x1b[201~").encode()
        while data:
            if select.select([], [self.fd], [], 0.01)[1]:
                data = data[os.write(self.fd, data[:1024]):]
            self.read(0)

    def say(self, text):
        """A line, and the prompt of the next one."""
        self.send(text + "\r")
        return self.until(r"\x1b\[\?2004l[^\x1b]*[\s\S]*?\x1b\[\?2004h")

    def ended(self):
        while self.read(20):
            pass
        for _ in range(600):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        os.kill(self.pid, signal.SIGKILL)
        return "no end"


def messages(name):
    with open(os.path.join(work, name), encoding="utf-8") as f:
        return json.load(f)


# editing, pastes, blocks and commands
t = Terminal("--temp", "0", "-n", "8", "--ctx", "512")
first = t.until(r"\x1b\[\?2004h")
check("no chat template" in first, "a base model says that it has no chat template")
check("/help" in first, "the first line names /help")
answer = t.say("It wax\x7fs a daz\x1b[D\x1b[3~y")  # backspace; left and delete
check(re.search(r"\[\d+ tokens?, [\d.]+ tokens/s\]", answer), f"tokens a second after an answer: {answer!r}")
check("\x1b[2m" not in answer, "NO_COLOR has no colours")
t.say("\x1b[200~one\rtwo äö\r\rthree\r\x1b[201~ end")
t.send('"""four\r')
t.until(r"2004h")
t.say('five"""')
check("/save" in t.say("/help") and "/bye" in t.say("/help"), "/help lists the commands")
check("there is no command /sav; did you mean save?" in t.say("/sav x"), "a command that is not there")
check("did you mean temp?" in t.say("/set tmp 1"), "a setting that is not there")
check("/clear stands alone" in t.say("/clear the table, she said"), "a sentence empties nothing")
t.say("/system Be brief.")
check("Be brief." in t.say("/system"), "/system shows the message")
check("from 0 to 100" in t.say("/set temp x") and "temp is 0.25" in t.say("/set temp 0.25"), "/set")
check(re.search(r"temp +0.25", t.say("/set")), "/set lists")
t.say("/save a.json")
check("is there already" in t.say("/save a.json"), "/save writes over nothing")
said = messages("a.json")
check([m["role"] for m in said] == ["system"] + 3 * ["user", "assistant"], f"roles: {said}")
check([m["content"] for m in said if m["role"] != "assistant"] ==
      ["Be brief.", "It was a day", "one\ntwo äö\n\nthree end", "four\nfive"], f"messages: {said}")
t.say("/clear")
t.say("/save b.json")
check(messages("b.json") == [{"role": "system", "content": "Be brief."}], "/clear keeps the system message alone")
check(re.search(r"It was a day", t.say("\x1b[A" * 16 + "\x01/system \x05")), "arrows find earlier lines")
t.send("/bye\r")
check(t.ended() == 0, "/bye ends with 0")
with open(os.path.join(work, "state/precis/history"), encoding="utf-8") as f:
    check("day" in f.read(), "the history is kept")
check(os.stat(os.path.join(work, "state/precis/history")).st_mode & 0o077 == 0, "the history is the user's alone")

# NO_COLOR that is empty is not set
env["NO_COLOR"] = ""
t = Terminal("--temp", "0", "-n", "4")
t.until(r"2004h")
check("\x1b[2m" in t.say("It was"), "an empty NO_COLOR is none")
t.send("/bye\r")
check(t.ended() == 0, "/bye ends with 0")
env["NO_COLOR"] = "1"

# a paste of 20 kB is whole; a message that is longer than the context ends nothing
t = Terminal("--temp", "0", "-n", "4", "--ctx", "64")
t.until(r"2004h")
long = " ".join(f"word{i}" for i in range(2500))
check("context" in t.say("\x1b[200~" + long + "\x1b[201~"), "a message longer than the context is refused")
t.paste("x" * ((1 << 20) + 1))
check("1048577 characters" in t.until("at once|2004h"), "a paste that is too long is left out, and not cut")
# a full context: the oldest turns go, and it is said
notes = [t.say(f"Number {i} was a very good year for the people of the town.") for i in range(6)]
check(any("the oldest 2 messages were dropped" in n for n in notes), f"a full context: {notes}")
check(all("tokens" in n for n in notes), "each was answered")
t.send("\x04")
check(t.ended() == 0, "Ctrl-D ends with 0")

# Ctrl-C stops an answer and keeps the conversation; an answer may be longer than what is left of the context
t = Terminal("--temp", "1", "--seed", "3", "-n", "100000", "--ignore-end", "--ctx", "256", columns=48)
t.until(r"2004h")
t.send("It was\r")
text = t.until(r"[\s\S]{400}")
t.send("\x03")
text += t.until(r"stopped")
t.until(r"2004h")
plain = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", text).replace("\r", "").replace("^C", "")  # which the terminal echoes wherever it is
check(all(len(line) <= 48 for line in plain.split("\n")), f"lines of 48 columns: {text!r}")
t.send("half\x03abc")
t.until("abc")
fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))
check(re.search(r"\r\x1b\[J[^\n]*> abc", t.until(r"\[J[^\n]*abc")), "a line is drawn anew in a window of another size")
t.send("\x03")
t.say("/save c.json")
said = messages("c.json")
check([m["role"] for m in said] == ["user", "assistant"] and said[1]["content"], f"a stopped answer is kept: {said}")
words = re.sub(r"\s+", " ", said[1]["content"]).strip().split(" ")
shown = set(re.sub(r"\s+", " ", plain).split(" "))
check(sum(w in shown for w in words[:-2]) == len(words[:-2]), "no word is broken")
os.kill(t.pid, signal.SIGTERM)
check(t.ended() == 130, "SIGTERM ends it")

# a window that becomes narrower while an answer comes: the lines behind it are of its width
t = Terminal("--temp", "1", "--seed", "3", "-n", "100000", "--ignore-end", "--ctx", "4000", columns=120)
t.until(r"2004h")
t.send("It was\r")
t.until(r"[\s\S]{300}")
fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 40, 0, 0))
t.until(r"\n[\s\S]{4200}")  # what was on its way: a terminal holds 4 kB
text = t.until(r"\n[\s\S]{600}\n")
t.send("\x03")
t.until(r"stopped")
lines = text.replace("\r", "").replace("^C", "").split("\n")[2:]
check(len(lines) > 8 and all(len(line) <= 40 for line in lines), f"lines of 40 columns: {lines}")
t.until(r"2004h")
t.send("/bye\r")
check(t.ended() == 0, "/bye ends with 0")

# the first answer alone fills the model's own context: it ends there, that is said, and the chat goes on
t = Terminal("--temp", "0", "-n", "100000", "--ignore-end")
t.until(r"2004h")
answer = t.say("It was a dark night")
check(re.search(r"\r\nnote: the answer ends here, since it fills the context of\s+256 tokens", answer) and "tokens/s" in answer,
      f"an answer that fills the context: {answer[-300:]!r}")
check("oldest 2 messages were dropped" in t.say("And then"), "the next turn forgets the one that filled it")
t.send("/bye\r")
check(t.ended() == 0, "a context that an answer fills does not end the chat")
r = subprocess.run([precis, "run", model, "--temp", "0", "--ignore-end", "-n", "1000"], input="It was\nAnd\n", env=env,
                   capture_output=True, text=True)
check(r.returncode == 4 and r.stderr.count("fills the context") == 2, f"from a pipe both are answered, and neither whole: {r}")
r = subprocess.run([precis, "run", model, "--temp", "0", "--ignore-end", "-n", "1000", "-p", "It was"], env=env,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
check(r.returncode == 4 and "\nprecis: the context of 256 tokens is full" in r.stdout, f"a message behind half a line: {r.stdout[-200:]}")

# a machine without libedit: said in a line that names the package, and lines are taken as they come
loaded = subprocess.run(["ldd", precis], capture_output=True, text=True)
os.mkdir(os.path.join(work, "lib"))
for name in "libedit.so.2", "libedit.so.0":
    open(os.path.join(work, "lib", name), "w").close()
if loaded.returncode or "libedit" in loaded.stdout:
    print("SKIP a machine without libedit: this program has it linked")
else:
    env["LD_LIBRARY_PATH"] = os.path.join(work, "lib")
    t = Terminal("--temp", "0", "-n", "4", "--ctx", "64")
    check("libedit2" in t.until(r"> "), "a chat without libedit names the package")
    t.send("It was\n")
    answer = t.until(r"\n> ").replace("It was", "", 1)
    check(re.search(r"\w{2}", answer), f"a chat without libedit answers: {answer!r}")
    t.send("\x04")
    check(t.ended() == 0, "a chat without libedit ends with 0")
    del env["LD_LIBRARY_PATH"]

# from a pipe: answers and nothing else; the last line needs no newline
r = subprocess.run([precis, "run", model, "--temp", "0", "-n", "6", "-q"], input="It was a\n/help", env=env,
                   capture_output=True, text=True)
one = subprocess.run([precis, "run", model, "--temp", "0", "-n", "6", "-q", "-c", "-p", "It was a"], env=env,
                     capture_output=True, text=True)
check(r.returncode == 0 and r.stdout.startswith(one.stdout) and "\x1b" not in r.stdout, f"a pipe: {r}")
check(len(r.stdout) > len(one.stdout), "a line that begins with / is a message there")
# more than 256 turns
r = subprocess.run([precis, "run", model, "--temp", "0", "-n", "1", "-q", "--ctx", "64"], input="Yes.\n" * 300, env=env,
                   capture_output=True, text=True)
check(r.returncode == 0 and r.stdout.count("\n") >= 300, f"300 turns: {r.returncode} {r.stdout.count(chr(10))} {r.stderr}")
sys.exit(checks.failed != 0)
