"""`precis pull` of the static program over HTTPS, in a chroot: by a name from /etc/hosts, with a certificate that
SSL_CERT_FILE vouches for, and refused with one that nobody does. usage: https.py ROOT TARBALL"""
import hashlib, http.server, json, os, shutil, ssl, subprocess, sys, tempfile, threading

root, tarball = sys.argv[1:3]
work = tempfile.mkdtemp()
here = os.path.join(root, "tmp", "https")
shutil.rmtree(here, ignore_errors=True)
os.makedirs(here)
subprocess.run(["tar", "-xzf", tarball, "-C", here, "--strip-components=1"], check=True)
key, cert = os.path.join(work, "key.pem"), os.path.join(here, "cert.pem")
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                "/CN=hub.test", "-addext", "subjectAltName=DNS:hub.test"], check=True, capture_output=True)
data = os.urandom(300000)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        body = data
        if self.path.startswith("/api/models/me/one/"):
            lfs = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            body = json.dumps({"sha": COMMIT, "siblings": [{"rfilename": "m.gguf", "size": len(data), "lfs": lfs}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
hosts = os.path.join(root, "etc", "hosts")
before = open(hosts).read() if os.path.exists(hosts) else None
open(hosts, "w").write("127.0.0.1 localhost hub.test\n")


def pull(**env):
    place = dict(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/tmp/https/home", HF_ENDPOINT=f"https://hub.test:{server.server_port}", **env)
    return subprocess.run(["chroot", root, "/tmp/https/bin/precis", "pull", "me/one", "-q"], env=place, capture_output=True, text=True)


try:
    refused = pull()
    assert refused.returncode == 4 and "certificate" in refused.stderr, refused.stderr
    done = pull(SSL_CERT_FILE="/tmp/https/cert.pem")
    assert done.returncode == 0, done.stderr
    got = open(os.path.join(here, "home/.cache/precis/models/me/one/m.gguf"), "rb").read()
    assert got == data
    print("    refused without trust:", refused.stderr.strip())
finally:
    if before is None:
        os.remove(hosts)
    else:
        open(hosts, "w").write(before)
    shutil.rmtree(here, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
