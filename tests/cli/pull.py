"""`precis pull` and -hf against a local server that behaves as a hub does: lists, redirections to another host, ranges,
401, cut connections, other bytes. usage: pull.py PRECIS SOURCE_FOLDER"""
import hashlib, http.server, json, os, re, signal, subprocess, sys, tempfile, threading, time

import checks
from checks import check

precis, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
work = tempfile.mkdtemp()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
model = os.path.join(work, "m.gguf")
subprocess.run([precis, "convert", os.path.join(source, "models/gutenberg-7m"), "-o", model, "-q"], check=True,
               stdout=subprocess.DEVNULL)
weights = open(model, "rb").read()
config = b'{"architectures": ["LlamaForCausalLM"]}'

FILES = {
    "me/one": {"model-Q8_0.gguf": weights, "README.md": b"text", ".gitattributes": b"x", "mmproj-F16.gguf": b"no"},
    "me/many": {"m-Q2_K.gguf": b"two", "m-Q4_K_M.gguf": b"four", "sub/m-F16-00001-of-00002.gguf": b"part one",
                "sub/m-F16-00002-of-00002.gguf": b"part two", "imatrix.gguf": b"i"},
    "me/folder": {"config.json": config, "tokenizer.json": b"{}", "model-00001-of-00001.safetensors": b"weights",
                  "model.safetensors.index.json": b"{}", "consolidated.safetensors": b"no", "train.py": b"no"},
    "me/secret": {"m.gguf": b"secret"},
    "me/evil": {"../../m.gguf": b"x", "/etc/m.gguf": b"x", "a/../m.gguf": b"x", "ok-m.gguf": b"fine"},
    "me/liar": {"m.gguf": b"these bytes"},
    "me/cut": {"m.gguf": bytes(range(256)) * 4000},
    "me/whole": {"m.gguf": bytes(range(256)) * 4000},
    "me/dead": {"m.gguf": bytes(range(256)) * 4000},
    "me/slow": {"m.gguf": bytes(range(256)) * 40000},
    "me/busy": {"m.gguf": b"after all"},
    "me/page": {"m.gguf": b"behind a page"},
    "me/closed": {"m.gguf": b"x"},
    "me/round": {"m.gguf": b"x"},
    "me/changed": {"m.gguf": bytes(range(256)) * 4000},
}
log, lock, cuts = [], threading.Lock(), {}


def blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self):
        """Answers that a busy, a wrong, a circling server gives; False: none of these."""
        times = cuts[self.path] = cuts.get(self.path, 0) + 1
        if self.path.startswith("/api/models/me/busy") and times < 3:
            self.answer(429 if times == 1 else 503, b"<html>busy</html>", Retry_After="1")
        elif self.path.startswith("/me/busy/resolve") and times == 1:
            self.answer(503, b"busy", Retry_After="1")
        elif self.path.startswith("/api/models/me/closed"):
            self.answer(503, b"closed", Retry_After="86400")
        elif self.path.startswith("/api/models/me/login"):
            self.answer(200, b"<!doctype html><title>Sign in</title>", Content_Type="text/html; charset=utf-8")
        elif self.path.startswith("/me/page/resolve"):
            self.answer(200, b"<!doctype html><title>Sign in to read this</title>", Content_Type="text/html")
        elif self.path.startswith("/me/round/resolve"):
            self.answer(302, Location=self.path)
        else:
            return False
        return True

    def do_GET(self):
        with lock:
            log.append((self.server.server_port, self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        if self.refuse():
            return None
        found = re.match(r"/api/models/([^/]+/[^/]+)/revision/([^/?]+)", self.path)
        if found:
            return self.listing(found[1], found[2])
        found = re.match(r"/([^/]+/[^/]+)/resolve/([0-9a-f]+)/(.+)", self.path)
        if found:
            if found[1] == "me/secret" and self.headers.get("Authorization") != "Bearer key":
                return self.answer(401)
            if found[2] != COMMIT:
                return self.answer(404)
            return self.answer(302, Location=f"http://localhost:{other.server_port}/cdn/{found[1]}/{found[3]}")
        found = re.match(r"/cdn/([^/]+/[^/]+)/(.+)", self.path)
        self.content(found[1], FILES[found[1]][found[2]])

    def listing(self, name, revision):
        if name not in FILES or revision == "none":
            return self.answer(404)
        if name == "me/secret" and self.headers.get("Authorization") != "Bearer key":
            return self.answer(401)
        files = []
        for file, data in FILES[name].items():
            one = {"rfilename": file, "size": len(data), "blobId": blob(data)}
            if file.endswith((".gguf", ".safetensors")):
                one["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            files.append(one)
        self.answer(200, json.dumps({"id": name, "sha": COMMIT, "siblings": files}).encode())

    def content(self, name, data):
        if name == "me/liar":
            data = b"other bytes"
        start = 0
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if asked and name != "me/whole":
            start = int(asked[1])
        cuts[name] = cuts.get(name, 0) + 1
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if name == "me/dead" and cuts[name] > 1:
            self.close_connection = True
            return
        if (name in ("me/cut", "me/whole") and cuts[name] < 4) or name == "me/dead":
            self.wfile.write(data[start:start + 300000])
            self.close_connection = True
        elif name == "me/slow":
            for at in range(start, len(data), 1 << 16):
                self.wfile.write(data[at:at + (1 << 16)])
                time.sleep(0.02)
        else:
            self.wfile.write(data[start:])


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.handle_error = lambda *args: None  # connections that a client ends
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


hub, other = serve(), serve()
env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("HF_")}
env.update(HF_ENDPOINT=f"http://127.0.0.1:{hub.server_port}", XDG_CACHE_HOME=os.path.join(work, "cache"), HOME=work)
models = os.path.join(work, "cache/precis/models")


def call(*args, code=0, **more):
    r = subprocess.run([precis, *args], capture_output=True, text=True, env=dict(env, **more), timeout=300)
    check(r.returncode == code, f"{args}: {r.returncode}, not {code}: {r.stdout}{r.stderr}")
    check("Traceback" not in r.stderr and len(r.stderr) < 4000, r.stderr)
    return r


def there(name, file):
    path = os.path.join(models, name, file)
    return os.path.exists(path) and open(path, "rb").read() == FILES[name][file]


# one model: its path is printed; a second call fetches nothing, and a token goes to the hub alone
r = call("pull", "me/one", HF_TOKEN="key")
check(r.stdout.strip() == os.path.join(models, "me/one/model-Q8_0.gguf") and there("me/one", "model-Q8_0.gguf"), r)
check(os.listdir(os.path.join(models, "me/one")) == ["model-Q8_0.gguf"], "nothing else is left")
check(all((auth == "Bearer key") == (port == hub.server_port) for port, _, _, auth in log), f"the token: {log}")
del log[:]
o = json.loads(call("pull", "me/one", "--json").stdout)
check(o["files"][0]["fetched"] is False and o["revision"] == COMMIT and o["path"].endswith("Q8_0.gguf"), o)
check(o["files"][0]["sha256"] == hashlib.sha256(weights).hexdigest(), o)
check(not any("/cdn/" in path for _, path, _, _ in log), "what is there is not fetched again")
# a damaged copy is
open(os.path.join(models, "me/one/model-Q8_0.gguf"), "r+b").write(b"XXXX")
call("pull", "me/one")
check(there("me/one", "model-Q8_0.gguf"), "a damaged file is fetched again")
# which of many
r = call("pull", "me/many")
check(r.stdout.strip().endswith("m-Q4_K_M.gguf") and "4 models" not in r.stdout and "note: me/many has 3 models" in r.stderr, r)
check(call("pull", "me/many:q2_k").stdout.strip().endswith("m-Q2_K.gguf"), "a part of a name, in any case")
r = call("pull", "me/many:F16")
check(r.stdout.strip().endswith("sub/m-F16-00001-of-00002.gguf") and there("me/many", "sub/m-F16-00002-of-00002.gguf"), r)
r = call("pull", "me/many:Q5_K", code=3)
check("me/many:m-Q2_K.gguf" in r.stderr, "what there is is named")
r = call("pull", "me/folder")
check(sorted(os.listdir(r.stdout.strip())) == ["config.json", "model-00001-of-00001.safetensors",
                                              "model.safetensors.index.json", "tokenizer.json"], r)
# what is refused
r = call("pull", "me/secret", code=3)
check("HF_TOKEN" in r.stderr and "401" in r.stderr, r)
check(call("pull", "me/secret", HF_TOKEN="key").stdout, "with a token")
os.makedirs(os.path.join(work, "hf"))
open(os.path.join(work, "hf/token"), "w").write("key\n")
os.remove(os.path.join(models, "me/secret/m.gguf"))
check(call("pull", "me/secret", HF_HOME=os.path.join(work, "hf")).stdout, "with the token's file")
check("is not at" in call("pull", "me/nothing", code=3).stderr, "404")
call("pull", "me/one", "--revision", "none", code=3)
for name in ("one", "me/", "/me", "me/../x", "me/one/two", "me/one:", "me /one", "-x/y"):
    call("pull", "--", name, code=2)
call("pull", "me/evil")
check(os.listdir(os.path.join(models, "me/evil")) == ["ok-m.gguf"] and not os.path.exists(os.path.join(models, "m.gguf")),
      "names that lead out of the folder")
r = call("pull", "me/liar", code=3)
check("another hash" in r.stderr and os.listdir(os.path.join(models, "me/liar")) == [], f"other bytes: {r}")
# cut connections: on from where it ended; from the beginning where there are no ranges; and an end
del log[:]
call("pull", "me/cut")
ranges = [r for _, path, r, _ in log if "/cdn/me/cut" in path]
check(there("me/cut", "m.gguf") and ranges == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"], ranges)
call("pull", "me/whole")
check(there("me/whole", "m.gguf"), "a server without ranges")
r = call("pull", "me/dead", code=4)
parts = os.listdir(os.path.join(models, "me/dead"))
check(len(parts) == 1 and parts[0].endswith(".part"), parts)
cuts["me/dead"] = 0
check("not whole" in call("list", "models").stdout, "a part is listed as one")
cuts["me/cut"] = 0
FILES["me/dead"], name = FILES["me/dead"], "me/dead"
def begun():
    """Until some bytes of me/slow are there."""
    folder = os.path.join(models, "me/slow")
    for _ in range(3000):
        if os.path.isdir(folder) and any(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith(".part")):
            return
        time.sleep(0.02)


# a stop at any moment: the part stays, and the next call goes on
p = subprocess.Popen([precis, "pull", "me/slow"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
begun()
p.send_signal(signal.SIGINT)
err = p.communicate(timeout=60)[1]
check(p.returncode == 130 and "goes on" in err, f"{p.returncode} {err}")
p = subprocess.Popen([precis, "pull", "me/slow"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(0.5)
r = call("pull", "me/slow", code=4)
check("another process" in r.stderr, "two at once")
p.kill()
p.wait()
del log[:]
call("pull", "me/slow")
check(there("me/slow", "m.gguf") and [r for _, path, r, _ in log if "/cdn/" in path][0], "it went on behind the kill")
# a full disk: said, the part stays, and the next call goes on
FILES["me/full"] = {"m.gguf": bytes(range(256)) * 4000}
r = subprocess.run(["sh", "-c", 'ulimit -f 600; exec "$@"', "x", precis, "pull", "me/full"], capture_output=True, text=True, env=env)
left = os.listdir(os.path.join(models, "me/full"))
check(r.returncode == 4 and "me/full" in r.stderr and len(left) == 1 and left[0].endswith(".part"), f"a full disk: {r} {left}")
call("pull", "me/full")
check(there("me/full", "m.gguf"), "it went on when there was room")
# a busy hub is asked again when it wants to be, and not where that is tomorrow
r = call("pull", "me/busy")
check(there("me/busy", "m.gguf") and r.stderr.count("it is asked again in") == 3, f"a busy hub: {r}")
begin = time.time()
r = call("pull", "me/closed", code=4)
check("503; it asks to try again in 86400 s" in r.stderr and time.time() - begin < 30, r)
# a page in place of a list, or of a file; a circle; bytes that changed under the same name
r = call("pull", "me/login", code=3)
check("something else than a repository: a page" in r.stderr, r)
call("pull", "me/page", code=3)
check(not any(f.endswith(".gguf") for f in os.listdir(os.path.join(models, "me/page"))), "a page is no model")
r = call("pull", "me/round", code=4)
check("redirects" in r.stderr, r)
folder = os.path.join(models, "me/changed")
os.makedirs(folder)
sha = hashlib.sha256(FILES["me/changed"]["m.gguf"]).hexdigest()
open(os.path.join(folder, f"m.gguf.{sha[:12]}.part"), "wb").write(b"bytes of another version" * 100)
r = call("pull", "me/changed", code=3)
check("another hash" in r.stderr and os.listdir(folder) == [], r)
call("pull", "me/changed")
check(there("me/changed", "m.gguf"), "from the beginning after that")
# -hf in place of a model, the list, and no network
check("llama" in call("inspect", "-hf", "me/one").stdout, "inspect -hf")
check(call("run", "--hf=me/one:Q8_0", "-p", "It was", "-n", "3", "--temp", "0").stdout, "run --hf")
call("list", "-hf", "me/one", code=2)
o = json.loads(call("list", "models", "--json").stdout)
check({"me/one:model-Q8_0.gguf", "me/folder"} <= {m["name"] for m in o["models"]}, o)
nowhere = {"HOME": "", "XDG_CACHE_HOME": ""}
check("neither XDG_CACHE_HOME nor HOME" in call("pull", "me/one", code=2, **nowhere).stderr, "no home")
check("neither XDG_CACHE_HOME nor HOME" in call("list", "models", code=2, **nowhere).stderr, "no home, the list")
hub.shutdown()
hub.server_close()
check(call("run", "-hf", "me/one", "-p", "It was", "-n", "3", "--temp", "0").stdout, "what is there needs no network")
r = call("pull", "me/new:a.gguf", code=4)
check("cannot be reached" in r.stderr and os.path.join(models, "me/new") in r.stderr and "a.gguf" in r.stderr, r)
r = call("pull", "me/new:Q5_K_M", code=4, http_proxy="http://127.0.0.1:9", no_proxy="")
check("(http_proxy names a proxy)" in r.stderr and "the .gguf with Q5_K_M in its name" in r.stderr, r)
check(call("pull", "me/one", HF_HUB_OFFLINE="1").stdout.strip().endswith("Q8_0.gguf"), "offline")
check("OFFLINE" in call("pull", "me/new", HF_HUB_OFFLINE="1", code=4).stderr, "offline, and not there")
call("pull", "me/one", code=2, HF_ENDPOINT="ftp://x")
sys.exit(checks.failed != 0)
