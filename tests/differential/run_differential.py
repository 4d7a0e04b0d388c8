#!/usr/bin/env python3
"""Builds every case of cases.txt with lamina and with buildah and compares.

usage: run_differential.py LAMINA COMPARE_IMAGES [--only WORD] [--keep DIR]
Prints a line a case and `N passed, N failed`. Needs root, buildah and runc.
"""
import argparse, concurrent.futures, bz2, gzip, io, lzma, os, re, shutil, subprocess, sys, tarfile, tempfile, threading

KEYWORD = re.compile(r"(FROM|RUN|COPY|ADD|ENV|ARG|LABEL|WORKDIR|USER|EXPOSE|VOLUME|ENTRYPOINT|CMD|SHELL|STOPSIGNAL|HEALTHCHECK|MAINTAINER|ONBUILD)\s")
BUILDAH = threading.Lock()
HERE = os.path.dirname(os.path.abspath(__file__))

# What differs by nature, whatever the case.
BY_NATURE = [
    # buildah's RUN leaves its mount points behind.
    r"^/(run|etc/hosts|etc/resolv\.conf|etc/hostname|proc|sys|dev)(/.*)?: ",
    # A stage from scratch begins in "/", as in BuildKit.
    r"^config WorkingDir: '/' != ''$",
]


def read_cases(path):
    cases, part = [], None
    for line in open(path, encoding="utf-8"):
        if line.startswith("=== "):
            cases.append(dict(name=line[4:].strip(), flags=[], parts=[], differs=[]))
            part = None
        elif not cases:
            continue
        elif line.startswith("$ "):
            cases[-1]["flags"] = line[2:].split()
        elif line.startswith("differs: "):
            cases[-1]["differs"].append(line[9:].strip())
        elif line.startswith("-- ") and line.rstrip().endswith(" --"):
            part = [line.rstrip()[3:-3], ""]
            cases[-1]["parts"].append(part)
        elif part is not None:
            part[1] += line
    return cases


def archive(kind):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, type_, mode, body in [("d", tarfile.DIRTYPE, 0o750, b""), ("d/f", tarfile.REGTYPE, 0o640, b"packed\n"),
                                        ("d/l", tarfile.SYMTYPE, 0o777, b"f"), ("top", tarfile.REGTYPE, 0o755, b"top\n")]:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime, info.uid, info.gid = type_, mode, 1500000000, 3, 4
            if type_ == tarfile.SYMTYPE:
                info.linkname = body.decode()
                body = b""
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    data = raw.getvalue()
    return {"tar": data, "tar.gz": gzip.compress(data, mtime=0), "tar.xz": lzma.compress(data), "tar.bz2": bz2.compress(data)}[kind]


def write_context(folder, parts):
    later = []
    for spec, text in parts:
        if " -> " in spec:
            name, target = spec.split(" -> ")
            later.append(("link", name, target))
            continue
        if " = " in spec:
            name, target = spec.split(" = ")
            later.append(("hard", name, target))
            continue
        if " @ " in spec:
            name, kind = spec.split(" @ ")
            data, mode = archive(kind), 0o644
        else:
            match = re.fullmatch(r"(.*?)(?: ([0-7]{3,4}))?", spec)
            name, data, mode = match[1], text.encode(), int(match[2] or "644", 8)
        path = os.path.join(folder, name)
        if name.endswith("/"):
            os.makedirs(path)
            os.chmod(path, mode)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(data)
        os.chmod(path, mode)
    for kind, name, target in later:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path) if kind == "link" else os.link(os.path.join(folder, target), path)


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def make_base(folder):
    """A busybox root file system with users, as a tar."""
    root = os.path.join(folder, "base")
    for name in ["bin", "etc", "tmp", "usr/bin", "root", "var/lib"]:
        os.makedirs(os.path.join(root, name))
    shutil.copy("/bin/busybox", os.path.join(root, "bin/busybox"))
    for applet in run(["/bin/busybox", "--list"]).stdout.split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(root, "bin", applet))
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    with open(os.path.join(root, "etc/passwd"), "w") as out:
        out.write("root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n")
    with open(os.path.join(root, "etc/group"), "w") as out:
        out.write("root:x:0:\ndaemon:x:1:\nwheel:x:10:root\nwww-data:x:33:\n")
    tar = os.path.join(folder, "base.tar")
    subprocess.run(["tar", "--numeric-owner", "--owner=0", "--group=0", "-C", root, "-cf", tar, "."], check=True)
    return tar


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lamina")
    parser.add_argument("compare")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    args = parser.parse_args()
    work = args.keep or tempfile.mkdtemp(prefix="differential.")
    os.makedirs(work, exist_ok=True)
    os.umask(0o022)
    env = dict(os.environ, LAMINA_ROOT=os.path.join(work, "lamina"))
    buildah = ["buildah", "--root", os.path.join(work, "b"), "--runroot", os.path.join(work, "br"), "--storage-driver", "vfs"]
    base = make_base(work)
    for command in ([args.lamina, "import", base, "localhost/base:1"],
                    [args.lamina, "save", "-o", os.path.join(work, "base.image"), "localhost/base:1"]):
        done = run(command, env=env)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout}")
    done = run(buildah + ["pull", "docker-archive:" + os.path.join(work, "base.image")])
    if done.returncode:
        sys.exit("buildah cannot read the base that lamina saved:\n" + done.stdout)
    cases = [case for case in read_cases(os.path.join(HERE, "cases.txt")) if args.only in case["name"]]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work_of = lambda numbered: check(args, numbered, work, buildah, env)
        for case, problem in zip(cases, pool.map(work_of, enumerate(cases))):
            print(("FAILED " if problem else "passed ") + case["name"], flush=True)
            if problem:
                print("  " + problem.strip().replace("\n", "\n  "))
            failed, passed = failed + bool(problem), passed + (not problem)
    if not args.keep:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def check(args, numbered, work, buildah, env):
    """What is wrong with one case, or ''. Cases run side by side."""
    number, case = numbered
    context = os.path.join(work, f"context{number}")
    os.makedirs(context)
    write_context(context, case["parts"])
    ours, theirs = os.path.join(work, f"{number}.ours.tar"), os.path.join(work, f"{number}.theirs.tar")
    problem = compare(args, case, context, ours, theirs, buildah, env, f"out{number}:1")
    for path in (ours, theirs):
        if os.path.exists(path) and not args.keep:
            os.unlink(path)
    return problem or rebuild(args, case, context, work, number, env)


def rebuild(args, case, context, work, number, env):
    """Every prefix builds; cold, warm, one step at once or four: one digest."""
    def build(*flags, **more):
        return run([args.lamina, "build", "-q", *case["flags"], *flags, context], env=dict(env, **more))

    lines = open(os.path.join(context, "Dockerfile"), encoding="utf-8").read().splitlines(keepends=True)
    targets = "--target" in case["flags"]
    for end in range(1, len(lines) if not targets else 0):
        following, before = lines[end].strip().upper(), lines[end - 1].rstrip()
        if not before or before.endswith(("\\", "`")) or not KEYWORD.match(following):
            continue
        prefix = os.path.join(work, f"{number}.prefix")
        with open(prefix, "w", encoding="utf-8") as out:
            out.writelines(lines[:end])
        if "FROM" not in "".join(lines[:end]).upper():
            continue
        done = build("-f", prefix)
        if done.returncode:
            return f"lamina: the first {end} lines do not build: " + done.stdout
    # Times are part of layers: only with an epoch two stores can agree.
    fresh = os.path.join(work, f"{number}.store")
    ids = []
    for flags in (["--jobs", "1"], ["--jobs", "4"]):
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh, mode=0o700)
        run([args.lamina, "load", "-i", os.path.join(work, "base.image")], env=dict(env, LAMINA_ROOT=fresh))
        for _ in range(2):
            done = build(*flags, LAMINA_ROOT=fresh, SOURCE_DATE_EPOCH="1000000000")
            if done.returncode:
                return "lamina: " + done.stdout
            ids.append(done.stdout)
    shutil.rmtree(fresh, ignore_errors=True)
    return "" if len(set(ids)) == 1 else "cold, warm, --jobs 1 and --jobs 4 differ:\n" + "".join(ids)


def compare(args, case, context, ours, theirs, buildah, env, name):
    done = run([args.lamina, "build", "--progress=plain", "-o", f"type=docker,dest={ours}", "-t", name, *case["flags"], context], env=env)
    if done.returncode:
        return "lamina: " + done.stdout
    # Removing an image takes layers from a commit beside it.
    with BUILDAH:
        done = run(buildah + ["bud", "--runtime", "runc", "--pull-never", "--identity-label=false", "--format", "docker",
                              "-t", f"localhost/{name}", *case["flags"], context])
        if done.returncode:
            return "buildah: " + done.stdout
        done = run(buildah + ["push", "-q", f"localhost/{name}", f"docker-archive:{theirs}:localhost/out:1"])
        if done.returncode:
            return "buildah push: " + done.stdout
        run(buildah + ["rmi", "-f", f"localhost/{name}"])
    done = run([sys.executable, args.compare, ours, theirs])
    if done.returncode == 2:
        return done.stdout
    lines = [l for l in done.stdout.splitlines() if not any(re.search(p, l) for p in BY_NATURE)]
    return "\n".join(l for l in lines if not any(d in l for d in case["differs"]))


main()
