#!/usr/bin/env python3
"""Builds what comes from elsewhere: files by HTTP, git repositories, contexts.

usage: remote_test.py LAMINA [-v] [NAME...]
Every server is on 127.0.0.1 with a port that the system gives. Names choose
tests. The last line is `N passed, N failed`.
"""
import base64, io, json, os, shutil, signal, socket, subprocess, sys, tarfile, tempfile, traceback

from remote_fixture import NEVER_SECONDS, Fixture, sha, tar_of

# --- ADD of URLs -------------------------------------------------------------


def test_a_url_is_a_file_of_mode_0600(t):
    t.site.pages["/a/f%20x.txt"] = b"hello\n"
    t.build(file=f'FROM scratch\nADD ["{t.url}/a/f%20x.txt?q=1", "/d/"]\n'
                 f"ADD --chmod=755 --chown=1:2 {t.url}/a/f%20x.txt /named\n")
    files = t.files()
    assert files["d/f x.txt"] == (0o600, 0, NEVER_SECONDS, b"hello\n"), files
    assert files["named"] == (0o755, 1, NEVER_SECONDS, b"hello\n"), files


def test_an_unchanged_url_is_cached_and_a_changed_one_is_not(t):
    file = f"FROM scratch\nADD {t.url}/f /f\n"
    t.site.pages["/f"] = b"one"
    assert "ran 1 of 1" in t.build(file=file)
    assert "all 1 steps are cached" in t.build()
    assert t.site.requests[-1][1].get("If-None-Match"), t.site.requests
    t.site.pages["/f"] = b"two"
    assert "ran 1 of 1" in t.build()
    assert t.texts()["f"] == "two"
    # A server without tags is asked for the bytes, which decide.
    t.site.tags = False
    t.build()
    assert "all 1 steps are cached" in t.build()


def test_a_checksum_needs_no_network_when_the_step_is_cached(t):
    t.site.pages["/f"] = b"fixed"
    t.build(file=f"FROM scratch\nADD --checksum={sha(b'fixed')} {t.url}/f /f\n")
    asked = len(t.site.requests)
    assert "cached" in t.build() and len(t.site.requests) == asked
    assert "cached" in t.build("--offline")
    # The step has to run, but the bytes are here.
    t.build(file=f"FROM scratch\nADD --checksum={sha(b'fixed')} {t.url}/f /g\n")
    assert t.texts() == {"g": "fixed"} and len(t.site.requests) == asked


def test_a_wrong_checksum_names_both(t):
    t.site.pages["/f"] = b"evil"
    wanted = sha(b"good")
    text = t.build(file=f"FROM scratch\nADD --checksum={wanted} {t.url}/f /f\n",
                   code=1)
    assert f"has the checksum {sha(b'evil')}, not {wanted}" in text, text
    assert "[checksum-mismatch]" in text and "Dockerfile:2:" in text, text
    assert not [n for n in os.listdir(f"{t.folder}/root/blobs/sha256")]


def test_several_sources_are_mixed(t):
    url = t.repository()
    t.site.pages["/a.tar"] = tar_of({"in": "archive"})
    t.write("ctx/b.tar", "")
    with open(f"{t.folder}/ctx/b.tar", "wb") as file:
        file.write(tar_of({"local": "x"}))
    t.write("ctx/c", "c")
    file = f"FROM scratch\nADD FLAGS {t.url}/a.tar b.tar c {url}#v1 /d/\n"
    t.build(file=file.replace("FLAGS ", ""))
    assert sorted(t.files()) == ["d/a.tar", "d/c", "d/f", "d/local",
                                 "d/sub/g"], t.files()
    assert "cached" in t.build()
    t.write("ctx/c", "changed")
    assert "ran 1 of 1" in t.build()
    t.build(file=file.replace("FLAGS", "--unpack"))
    assert sorted(t.files()) == ["d/c", "d/f", "d/in", "d/local", "d/sub/g"]
    t.build(file=file.replace("FLAGS", "--unpack=false"))
    assert sorted(t.files()) == ["d/a.tar", "d/b.tar", "d/c", "d/f", "d/sub/g"]


def test_failures_are_clear(t):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    t.site.pages["/big"] = lambda h: h.send(403, {}, b"")
    text = t.build(file=f"FROM scratch\nADD {t.url}/none /a\n"
                        f"ADD http://127.0.0.1:{port}/ /b\n"
                        f"ADD {t.url}/big /c\n", code=3)
    assert f"Dockerfile:2:5: error: {t.url}/none answers 404 Not Found" in text
    assert f"Dockerfile:3:5: error: http://127.0.0.1:{port}/: cannot connect" \
        in text, text
    assert "answers 403 Forbidden; pass a token" in text, text
    assert "[fetch-failed]" in text


def test_redirects_stay_where_they_may_go(t):
    go = lambda to: lambda h: h.send(302, {"Location": to}, b"x")
    t.site.pages["/to"] = go("/f")
    t.site.pages["/f"] = b"there"
    t.build(file=f"FROM scratch\nADD {t.url}/to /\n")
    assert t.texts() == {"to": "there"}
    t.site.pages["/file"] = go("file:///etc/passwd")
    t.site.pages["/meta"] = go("http://169.254.169.254/latest/")
    t.site.pages["/loop"] = go("/loop")
    text = t.build(file=f"FROM scratch\nADD {t.url}/file {t.url}/meta "
                        f"{t.url}/loop /\n", code=1)
    assert "redirects to `file:///etc/passwd`, which is not fetched" in text
    assert "has an address inside the local network" in text, text
    assert "redirects more than 10 times" in text
    assert "root:" not in text


def test_a_cut_download_goes_on(t):
    body = os.urandom(3 << 20)
    calls = []

    def cut(handler):
        calls.append(handler.headers.get("Range"))
        if len(calls) == 1:
            handler.send_response(200)
            handler.send_header("ETag", '"1"')
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[:2 << 20])
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        start = int(handler.headers["Range"][6:-1])
        handler.send(206, {"Content-Range": "bytes %d-%d/%d" % (
            start, len(body) - 1, len(body))}, body[start:])

    t.site.pages["/f"] = cut
    t.build("--retry=2", "--retry-delay=10ms",
            file=f"FROM scratch\nADD {t.url}/f /f\n")
    assert t.files()["f"][3] == body
    assert calls[0] is None and calls[1].startswith("bytes="), calls


def test_tls_trusts_the_named_certificates_only(t):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=t.folder, check=True, capture_output=True)
    t.site.use_tls(f"{t.folder}/cert.pem", f"{t.folder}/key.pem")
    t.site.pages["/f"] = b"sealed"
    file = f"FROM scratch\nADD {t.site.url}/f /f\n"
    text = t.build(file=file, code=3)
    assert "SSL_CERT_FILE" in text and "Dockerfile:2:" in text, text
    t.environment["SSL_CERT_FILE"] = f"{t.folder}/cert.pem"
    t.build()
    assert t.texts() == {"f": "sealed"}, t.texts()
    t.repository()
    t.build(file=f"FROM scratch\nADD {t.site.url}/git/app.git /\n")
    assert t.texts()["f"] == "two\n"


def test_tokens_stay_with_their_host_and_out_of_the_image(t):
    token = "tok-" + os.urandom(16).hex()
    t.write("token", token + "\n")
    t.site.pages["/f"] = b"x"
    text = t.build("--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,src=token",
                   file=f"FROM scratch\nADD {t.url}/f /f\n")
    assert t.site.requests[-1][1]["Authorization"] == f"Bearer {token}"
    t.build(file=f"FROM scratch\nADD http://user:{token}@{t.url[7:]}/g /f\n",
            code=3)
    for folder, _, names in os.walk(f"{t.folder}/root"):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                assert token.encode() not in file.read(), (folder, name)
    assert token not in text


def test_plan_and_offline_fetch_nothing(t):
    t.site.pages["/f"] = b"x"
    file = f"FROM scratch\nADD {t.url}/f /f\n"
    text = t.plan(file=file)
    assert f"`{t.url}/f` was never fetched: its content is unknown" in text
    assert "unknown source" in text, text
    assert not os.path.exists(f"{t.folder}/root")
    text = t.build("--offline", code=1)
    assert "[not-fetched]" in text and "build without --offline once" in text
    assert not t.site.requests
    t.build()
    asked = len(t.site.requests)
    assert "0 of 1 steps run" in t.plan()
    t.build("--offline")
    assert len(t.site.requests) == asked


# --- git ---------------------------------------------------------------------


def test_git_refs_commits_and_folders(t):
    url = t.repository()
    old = t.commit(ref="old")
    t.build(file=f"FROM scratch\nADD {url} /default\nADD {url}#v1 /tag\n"
                 f"ADD {url}#old:sub /sub\nADD {url}?branch=old /branch\n"
                 f"ADD {url}#{old} /commit\n"
                 f"ADD {url}?tag=v1&mtime=commit /time\n")
    files = t.files()
    assert {n: r[3] for n, r in files.items()} == {
        "default/f": b"two\n", "default/sub/g": b"deep\n", "tag/f": b"one\n",
        "tag/sub/g": b"deep\n", "sub/g": b"deep\n", "branch/f": b"one\n",
        "branch/sub/g": b"deep\n", "commit/f": b"one\n",
        "commit/sub/g": b"deep\n", "time/f": b"one\n",
        "time/sub/g": b"deep\n"}, files
    assert files["time/f"][:3] == (0o644, 0, 1600000000), files["time/f"]
    assert "all 6 steps are cached" in t.build()


def test_a_moved_branch_is_a_miss_and_a_commit_needs_no_network(t):
    url = t.repository()
    commit = t.commit()
    branch = f"FROM scratch\nADD {url}#main /\n"
    fixed = f"FROM scratch\nADD --checksum={commit} {url}#main /\n"
    t.build(file=branch)
    t.build(file=fixed)
    asked = len(t.site.requests)
    assert "cached" in t.build() and len(t.site.requests) == asked
    t.write("work-app/f", "three\n")
    t.git("commit", "-qam", "3", at="work-app")
    t.git("push", "-q", "../git/app.git", "main", at="work-app")
    assert "cached" in t.build()
    assert "ran 1 of 1" in t.build(file=branch)
    assert t.texts()["f"] == "three\n"
    # Another step of the same commit takes it from the store.
    t.build("--offline", file=fixed.replace("main /", "main /g/"))
    assert t.texts()["g/f"] == "two\n"


def test_wrong_refs_and_commits_are_named(t):
    url = t.repository()
    main, old = t.commit(), t.commit(ref="old")
    text = t.build(file=f"FROM scratch\nADD {url}#mian /\nADD {url}#v1:none /\n"
                        f"ADD --checksum={old} {url}#main /\n"
                        f"ADD --checksum={old[:8]} {url}#main /\n"
                        f"ADD {url}#{'0' * 40} /\nADD {url[:-7]}no.git /\n",
                   code=1)
    assert "has no branch or tag `mian`; did you mean `main`?" in text, text
    assert f"`main` of {url} is commit {main}, not {old[:8]}" in text, text
    assert "Dockerfile:2:5" in text and "[unknown-ref]" in text
    text = t.build(file=f"FROM scratch\nADD --checksum={old} {url}#main /\n",
                   code=1)
    assert f"`main` of {url} is commit {main}, not {old}" in text, text
    text = t.build(file=f"FROM scratch\nADD {url}#v1:none /\n"
                        f"ADD {url}#{'0' * 40} /\n", code=1)
    assert "has no folder `none` in commit" in text, text
    assert f"has no commit {'0' * 40}" in text or "not our ref" in text, text


def test_the_git_folder_is_kept_on_demand(t):
    url = t.repository()
    t.build(file=f"FROM scratch\nADD {url} /a\n"
                 f"ADD --keep-git-dir {url}#main /b\n")
    names = set(t.files())
    assert "b/.git/HEAD" in names and "b/.git/config" in names, names
    assert not [n for n in names if n.startswith("a/.git")]
    assert t.texts()["b/.git/HEAD"] == "ref: refs/heads/main\n"
    assert t.folder not in t.texts()["b/.git/config"]


def test_submodules_come_along_and_obey_the_rules(t):
    t.repository("lib", {"l": "lib\n", "f": "x"})
    t.repository("app")
    module = t.commit("lib")
    t.write("work-app/.gitmodules", '[submodule "lib"]\n\tpath = lib\n'
                                    "\turl = ../lib.git\n")
    t.git("update-index", "--add", "--cacheinfo", f"160000,{module},lib",
          at="work-app")
    t.git("add", ".gitmodules", at="work-app")
    t.git("commit", "-qm", "m", at="work-app")
    t.git("push", "-q", "../git/app.git", "main", at="work-app")
    url = f"{t.url}/git/app.git"
    t.build(file=f"FROM scratch\nADD {url} /a\nADD {url}?submodules=false /b\n")
    names = set(t.files())
    assert "a/lib/l" in names and "b/lib/l" not in names, names
    assert not [n for n in names if "/.git" in n and "modules" not in n], names
    for evil in ("ext::sh -c touch% " + t.folder + "/pwned", "file:///etc",
                 t.folder + "/git/lib.git"):
        t.write("work-app/.gitmodules", '[submodule "lib"]\n\tpath = lib\n'
                                        f"\turl = {evil}\n")
        t.git("add", ".gitmodules", at="work-app")
        t.git("commit", "-qm", "evil", at="work-app")
        t.git("push", "-q", "../git/app.git", "main", at="work-app")
        text = t.build(file=f"FROM scratch\nADD {url} /a\n", code=3)
        assert "submodule" in text, text
    assert not os.path.exists(f"{t.folder}/pwned")


def test_links_of_a_repository_stay_inside(t):
    t.write("secret/s", "secret")
    url = t.repository("app", {"f": "x"})
    os.symlink("/" + os.path.relpath(t.folder, "/") + "/secret",
               f"{t.folder}/work-app/out")
    t.git("add", ".", at="work-app")
    t.git("commit", "-qm", "l", at="work-app")
    t.git("push", "-q", "../git/app.git", "main", at="work-app")
    text = t.build(file=f"FROM scratch\nADD {url}#main:out /x\n", code=1)
    assert "has no folder `out`" in text, text
    t.build(file=f"FROM scratch\nADD {url}#main /x/\n")
    assert "x/out/s" not in t.files()


def test_hostile_git_words_are_refused(t):
    for source in ("git://h/x#--upload-pack=touch", "git@-oProxyCommand=x:y",
                   "ssh://-oProxyCommand=x/y", "git://h/x#main:../.."):
        text = t.build(file=f"FROM scratch\nADD {source} /\n", code=1)
        assert "[bad-url]" in text, (source, text)


def test_the_protocol_of_git_itself(t):
    t.repository()
    daemon, url = t.git_daemon()
    try:
        t.build(file=f"FROM scratch\nADD {url}/app.git#v1 /\n")
        assert t.texts()["f"] == "one\n", t.texts()
        text = t.build(file=f"FROM scratch\nADD {url}/none.git /\n", code=3)
        assert "Dockerfile:2:" in text, text
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait()


def test_ssh_goes_through_the_ssh_of_the_user(t):
    t.repository()
    # Stands for ssh: what git wants of it, and whether an agent is there.
    t.write("bin/ssh", "#!/bin/sh\necho \"$@\" >> %s/asked\ntest -S \"$SSH_AUTH_SOCK\" && echo agent >> %s/asked\n"
            "for last; do :; done\ncd %s/git && eval \"$last\"\n" % (t.folder, t.folder, t.folder))
    os.chmod(f"{t.folder}/bin/ssh", 0o755)
    t.environment["PATH"] = f"{t.folder}/bin:{t.environment['PATH']}"
    agent = socket.socket(socket.AF_UNIX)
    agent.bind(f"{t.folder}/agent")
    agent.listen()
    t.build("--ssh", "default=agent", file="FROM scratch\nADD git@example.org:app.git#main /\n")
    assert t.texts()["f"] == "two\n", t.texts()
    asked = open(f"{t.folder}/asked").read()
    assert "git@example.org" in asked and "agent" in asked.split("\n"), asked


def test_git_tokens_are_sent_and_stored_nowhere(t):
    url = t.repository()
    token = "tok-" + os.urandom(16).hex()
    t.site.token = "Basic " + base64.b64encode(
        b"x-access-token:" + token.encode()).decode()
    text = t.build(file=f"FROM scratch\nADD {url} /\n", code=3)
    assert "--secret id=GIT_AUTH_TOKEN" in text, text
    t.write("token", token)
    t.build("--secret", "id=GIT_AUTH_TOKEN,src=token")
    assert t.texts()["f"] == "two\n"
    for folder, _, names in os.walk(f"{t.folder}/root"):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                assert token.encode() not in file.read(), (folder, name)


# --- contexts ----------------------------------------------------------------


def test_a_tarball_is_a_context(t):
    for mode in ("w", "w:gz", "w:xz"):
        t.site.pages["/c"] = tar_of({
            "Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "f\n",
            "f": mode}, mode)
        t.build(context=f"{t.url}/c")
        # Ignore files count in folders of the user only.
        assert t.texts()["f"] == mode, t.texts()
    t.site.pages["/c"] = tar_of({"x/D": "FROM scratch\nCOPY f /\n", "f": "f"})
    t.build("-f", "x/D", context=f"{t.url}/c")
    text = t.build(context=f"{t.url}/c", code=1)
    assert "there is no Dockerfile in the archive" in text, text


def test_a_build_file_alone_is_a_context(t):
    t.site.pages["/Dockerfile"] = b"FROM scratch\nCOPY <<E /f\nhi\nE\n"
    t.build(context=f"{t.url}/Dockerfile")
    assert t.texts() == {"f": "hi\n"}


def test_links_of_a_fetched_context_stay_inside(t):
    t.write("secret", "FROM leaked\n")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("Dockerfile")
        info.type, info.linkname = tarfile.SYMTYPE, f"{t.folder}/secret"
        tar.addfile(info)
    t.site.pages["/c"] = out.getvalue()
    text = t.build(context=f"{t.url}/c", code=1)
    assert "leaked" not in text, text


def test_a_repository_is_a_context(t):
    url = t.repository("app", {
        "Dockerfile": "FROM scratch\nCOPY . /c/\n", ".dockerignore": "f\n",
        "f": "one\n", "sub/Dockerfile": "FROM scratch\nCOPY g /\n",
        "sub/g": "deep\n"})
    t.build(context=url)
    assert t.texts()["c/f"] == "two\n" and "c/.git/HEAD" not in t.files()
    t.build(context=f"{url}#old:sub")
    assert t.texts() == {"g": "deep\n"}
    asked = len(t.site.requests)
    done = t.run("plan", f"{url}#old:sub")
    assert "0 of 1 steps run" in done.stdout, done
    assert len(t.site.requests) == asked
    done = t.run("plan", f"{url}#v1")
    assert done.returncode == 1 and "never fetched" in done.stderr, done
    t.build("--build-arg=BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", context=url)
    assert "c/.git/HEAD" in t.files()
    text = t.build(context=f"{url}#nope", code=1)
    assert "has no branch or tag `nope`" in text, text


def test_context_times_can_be_the_epoch(t):
    url = t.repository("app", {"Dockerfile": "FROM scratch\nCOPY f /\n",
                               "f": "x"})
    t.build("--source-date-epoch=context", context=f"{url}?mtime=commit")
    assert t.files()["f"][2] == 1600000000


def test_named_contexts_come_from_everywhere(t):
    url = t.repository()
    t.site.pages["/c.tgz"] = tar_of({"t": "tar"}, "w:gz")
    t.site.pages["/one.txt"] = b"single"
    t.write("dir/d", "dir")
    t.build("--build-context", f"g={url}#v1:sub", "--build-context",
            f"t={t.url}/c.tgz", "--build-context", f"o={t.url}/one.txt",
            "--build-context", "d=dir", "--build-context",
            "e=docker-image://scratch",
            file="FROM scratch\nCOPY --from=g / /g/\nCOPY --from=t / /t/\n"
                 "COPY --from=o / /o/\nCOPY --from=d / /d/\n"
                 "COPY --from=e / /e/\n")
    assert t.texts() == {"g/g": "deep\n", "t/t": "tar", "o/one.txt": "single",
                         "d/d": "dir"}, t.texts()


def test_a_named_context_takes_the_place_of_a_base_and_a_stage(t):
    t.write("ctx/f", "f")
    t.write("other/o", "o")
    t.build("-t", "base:1", file="FROM scratch\nENV A=1\nCOPY f /base\n")
    t.build("--build-context", "alpine=docker-image:base:1", "-t", "x:1",
            file="FROM docker.io/library/alpine:latest\nCOPY f /own\n")
    assert sorted(t.texts()) == ["base", "own"]
    config = json.loads(t.run("inspect", "x:1").stdout)[0]
    assert "A=1" in config["Config"]["Env"], config
    # A stage, with its instructions.
    t.build("--build-context", "mid=other",
            file="FROM scratch AS mid\nCOPY f /mid\nFROM mid\nCOPY f /top\n")
    assert sorted(t.texts()) == ["o", "top"]
    t.build("--build-context", "mid=docker-image:base:1", "--target=mid",
            file="FROM scratch AS mid\nCOPY f /mid\n")
    assert sorted(t.texts()) == ["base"]
    # A folder is a base, too.
    t.build("--build-context", "debian=other", file="FROM debian\n")
    assert sorted(t.texts()) == ["o"]
    # For one platform only.
    t.build("--build-context", "b::linux/arm64=other", "--build-context",
            "b=docker-image:base:1", file="FROM b\n")
    assert sorted(t.texts()) == ["base"]


def test_an_oci_layout_is_a_named_context(t):
    t.write("ctx/f", "f")
    t.build("-t", "base:1", "-o", "type=oci,dest=layout.tar",
            file="FROM scratch\nENV B=2\nCOPY f /base\n")
    os.makedirs(f"{t.folder}/layout")
    with tarfile.open(f"{t.folder}/layout.tar") as tar:
        tar.extractall(f"{t.folder}/layout")
    with open(f"{t.folder}/layout/index.json") as file:
        manifest = json.load(file)["manifests"][0]
    tag = manifest["annotations"]["org.opencontainers.image.ref.name"]
    t.environment["LAMINA_ROOT"] = f"{t.folder}/root2"
    text = t.run("plan", "--build-context", "b=oci-layout:layout", "ctx",
                 "-f", t.write("D", "FROM b\nCOPY f /own\n")).stdout
    assert "unknown base" in text, text
    for which in ("", f":{tag}", f"@{manifest['digest']}"):
        t.build("--build-context", f"b=oci-layout://layout{which}",
                file="FROM b\nCOPY f /own\n")
        assert sorted(t.texts()) == ["base", "own"]
    text = t.build("--build-context", "b=oci-layout:layout:none", code=3)
    assert "has no image `none`" in text, text
    for folder, _, names in os.walk(f"{t.folder}/layout/blobs"):
        for name in names:
            path = os.path.join(folder, name)
            os.chmod(path, 0o644)
            with open(path, "r+b") as file:
                file.seek(3)
                file.write(b"!")
    t.environment["LAMINA_ROOT"] = f"{t.folder}/root3"
    assert "is damaged" in t.build("--build-context", "b=oci-layout:layout",
                                   code=3)


def test_named_contexts_that_cannot_be(t):
    file = "FROM b\n"
    text = t.build("--build-context", "b=docker-image:none:1", file=file, code=1)
    assert "lamina load" in text, text
    for value, words in (("target:x", "bake file"), ("nodir", "no folder"),
                         ("oci-layout:nodir", "no OCI layout"),
                         ("ftp://h/x", "is not fetched"),
                         ("docker-image:A B", "no image name")):
        text = t.build("--build-context", f"b={value}", code=2)
        assert words in text, (value, text)


TESTS = [(name[5:].replace("_", " "), function)
         for name, function in list(globals().items())
         if name.startswith("test_")]


def main():
    words = [a for a in sys.argv[1:] if a != "-v"]
    if not words:
        sys.exit(__doc__)
    lamina = os.path.abspath(words[0])
    if not shutil.which("git"):
        print("0 passed, 0 failed, 1 skipped: needs git")
        sys.exit(1 if os.environ.get("CI") == "true" else 0)
    passed = failed = 0
    for title, function in TESTS:
        if words[1:] and not any(word in title for word in words[1:]):
            continue
        with tempfile.TemporaryDirectory(prefix="remote.") as folder:
            os.mkdir(f"{folder}/ctx")
            fixture = Fixture(lamina, folder)
            try:
                function(fixture)
                passed += 1
                print(f"ok: {title}")
            except Exception:  # Whatever it is, the others still run.
                failed += 1
                print(f"FAILED: {title}\n{traceback.format_exc()}")
            finally:
                fixture.site.close()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
