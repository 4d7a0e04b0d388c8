"""A folder, a store and servers on 127.0.0.1 for a test of remote_test.py."""
import hashlib, http.server, io, os, socket, ssl, subprocess, tarfile, threading, time

NEVER = "Thu, 01 Jan 2015 00:00:00 GMT"
NEVER_SECONDS = 1420070400


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        site.requests.append((self.path, dict(self.headers)))
        path = self.path.split("?")[0]
        if path.startswith("/git/"):
            return self.git()
        answer = site.pages.get(path)
        if answer is None:
            return self.send(404, {}, b"no such page")
        if callable(answer):
            return answer(self)
        tag = '"%s"' % hashlib.sha256(answer).hexdigest()[:12]
        if site.tags and self.headers.get("If-None-Match") == tag:
            return self.send(304, {"ETag": tag}, b"")
        headers = {"Last-Modified": NEVER}
        if site.tags:
            headers["ETag"] = tag
        self.send(200, headers, answer)

    def do_POST(self):
        self.git()

    def send(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def git(self):
        """git http-backend over CGI."""
        path, _, query = self.path[4:].partition("?")
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        site = self.server.site
        if site.token and self.headers.get("Authorization") != site.token:
            return self.send(401, {"WWW-Authenticate": "Basic realm=x"}, b"")
        environment = dict(
            os.environ, GIT_PROJECT_ROOT=site.repositories,
            GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
            REQUEST_METHOD=self.command, GIT_CONFIG_NOSYSTEM="1",
            CONTENT_TYPE=self.headers.get("Content-Type", ""),
            CONTENT_LENGTH=str(len(body)), HTTP_CONTENT_ENCODING=self.headers
            .get("Content-Encoding", ""), REMOTE_ADDR="127.0.0.1",
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        done = subprocess.run(["git", "http-backend"], input=body,
                              env=environment, capture_output=True)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1)
                       for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        self.send(status, headers, rest)


class Site:
    """A server: pages by path, and git repositories below /git/."""

    def __init__(self, repositories):
        self.pages, self.requests, self.tags, self.token = {}, [], True, ""
        self.repositories = repositories
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.site = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def use_tls(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Fixture:
    """A folder, a store and a server of one test."""

    def __init__(self, lamina, folder):
        self.lamina, self.folder = lamina, folder
        self.site = Site(f"{folder}/git")
        self.url = self.site.url
        os.makedirs(f"{folder}/git")
        self.environment = dict(
            os.environ, LAMINA_ROOT=f"{folder}/root", HOME=folder,
            LC_ALL="C.UTF-8", GIT_CONFIG_NOSYSTEM="1")
        for name in list(self.environment):
            if name.lower().endswith("_proxy"):
                del self.environment[name]

    def write(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run(self, *arguments):
        return subprocess.run(
            [self.lamina, *arguments], cwd=self.folder, timeout=300,
            env=self.environment, text=True, capture_output=True,
            stdin=subprocess.DEVNULL)

    def build(self, *flags, file=None, context="ctx", code=0):
        """Builds a context; returns stderr."""
        if file is not None:
            self.write("ctx/Dockerfile", file)
        done = self.run("build", "--retry=0", "-o", "type=tar,dest=out.tar",
                        *flags, context)
        assert done.returncode == code, (done.returncode, done.stderr)
        return done.stderr

    def plan(self, *arguments, file=None, code=0):
        if file is not None:
            self.write("ctx/Dockerfile", file)
        done = self.run("plan", *arguments, "ctx")
        assert done.returncode == code, (done.returncode, done.stderr)
        return done.stdout + done.stderr

    def files(self):
        """The regular files of the last output: (mode, uid, mtime, bytes)."""
        found = {}
        with tarfile.open(f"{self.folder}/out.tar") as tar:
            for member in tar:
                if member.isfile():
                    found[member.name] = (member.mode, member.uid, member.mtime,
                                          tar.extractfile(member).read())
        return found

    def texts(self):
        return {name: row[3].decode(errors="replace")
                for name, row in self.files().items()}

    # --- git repositories

    def git(self, *arguments, at="work"):
        done = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c",
             "protocol.file.allow=always", "-c", "init.defaultBranch=main",
             *arguments], cwd=f"{self.folder}/{at}", capture_output=True,
            text=True, env=dict(self.environment,
                                GIT_COMMITTER_DATE="1600000000 +0000",
                                GIT_AUTHOR_DATE="1600000000 +0000"))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def repository(self, name="app", files=None):
        """A repository with two commits, a branch and an annotated tag."""
        os.makedirs(f"{self.folder}/work-{name}")
        at = f"work-{name}"
        self.git("init", "-q", at=at)
        for path, text in (files or {"f": "one\n", "sub/g": "deep\n"}).items():
            self.write(f"{at}/{path}", text)
        self.git("add", ".", at=at)
        self.git("commit", "-qm", "1", at=at)
        self.git("tag", "-am", "t", "v1", at=at)
        self.git("branch", "old", at=at)
        self.write(f"{at}/f", "two\n")
        self.git("commit", "-qam", "2", at=at)
        self.git("clone", "-q", "--bare", f"../{at}", f"../git/{name}.git",
                 at=at)
        return f"{self.url}/git/{name}.git"

    def git_daemon(self):
        """Serves the repositories by git://; the caller ends the process."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        daemon = subprocess.Popen(
            ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}",
             f"--base-path={self.folder}/git"], env=self.environment, stderr=subprocess.DEVNULL, start_new_session=True)
        for _ in range(200):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        return daemon, f"git://127.0.0.1:{port}"

    def commit(self, name="app", ref="main"):
        return self.git("rev-parse", f"{ref}^{{commit}}", at=f"work-{name}")


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(text), NEVER_SECONDS
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()
