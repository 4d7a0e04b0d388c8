#!/usr/bin/env python3
"""Builds every case at every level and compares the images.

usage: run_differential.py LAMINA COMPARE_IMAGES [--levels 0,1,2,s] [--only WORD] [--keep DIR] [--update]
Cases of cases.txt are built by buildah too and must have equal trees and
configurations; those of golden_trees.txt must have the tree that stands there
(--update writes it). Of every case the levels must agree, each prefix must
build, and cold, warm, one step at once and four must give one digest.
Prints a line a case and `N passed, N failed`. Needs root, buildah and runc.
"""
import argparse, concurrent.futures, difflib, json, os, queue, re, shutil, subprocess, sys, tarfile, tempfile, time

import cases as case_files
import golden_tree

LEVELS = "0,1,2,s"
KEYWORD = re.compile(r"(FROM|RUN|COPY|ADD|ENV|ARG|LABEL|WORKDIR|USER|EXPOSE|VOLUME|ENTRYPOINT|CMD|SHELL|STOPSIGNAL|HEALTHCHECK|MAINTAINER|ONBUILD)\s")
HERE = os.path.dirname(os.path.abspath(__file__))

# What differs by nature, whatever the case.
BY_NATURE = [
    # buildah's RUN leaves its mount points behind.
    r"^/(run|etc/hosts|etc/resolv\.conf|etc/hostname|proc|sys|dev)(/.*)?: ",
    # A stage from scratch begins in "/", as in BuildKit.
    r"^config WorkingDir: '/' != ''$",
]


class Wrong(Exception):
    """What is wrong with a case."""


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def must_run(who, command, **more):
    done = run(command, **more)
    if done.returncode:
        raise Wrong(f"{who}: {done.stdout}")
    return done.stdout


class Buildah:
    """Some stores, because only one buildah at a time may touch a store:
    removing an image takes layers from a commit beside it."""

    def __init__(self, work, base_image, count):
        self.stores = queue.Queue()
        for number in range(count):
            store = os.path.join(work, f"buildah{number}")
            command = ["buildah", "--root", store, "--runroot", store + ".run", "--storage-driver", "vfs"]
            must_run("buildah cannot read the base that lamina saved", command + ["pull", "docker-archive:" + base_image])
            self.stores.put(command)

    def build(self, flags, context, output):
        command = self.stores.get()
        try:
            must_run("buildah", command + ["bud", "--runtime", "runc", "--pull-never", "--identity-label=false", "--format", "docker",
                                           "-t", f"docker-archive:{output}:localhost/out:1", *flags, context])
        finally:
            self.stores.put(command)


class Runner:
    def __init__(self, args, work):
        self.args, self.work = args, work
        self.levels = args.levels.split(",")
        self.env = dict(os.environ, LAMINA_ROOT=os.path.join(work, "lamina"))
        base, self.base_image = case_files.make_base(work), os.path.join(work, "base.image")
        must_run("lamina", [args.lamina, "import", base, "localhost/base:1"], env=self.env)
        must_run("lamina", [args.lamina, "save", "-o", self.base_image, "localhost/base:1"], env=self.env)
        self.base_tree = golden_tree.read_tree(base)
        self.buildah = Buildah(work, self.base_image, os.cpu_count())

    def check(self, numbered):
        """What is wrong with one case, or ''. Cases run side by side."""
        number, case = numbered
        folder = os.path.join(self.work, f"case{number}")
        context = os.path.join(folder, "context")
        os.makedirs(context)
        case_files.write_context(context, case["parts"])
        flags = [flag.replace("$CONTEXT", context) for flag in case["flags"]]
        begin = time.monotonic()
        try:
            image = self.build_levels(flags, context, folder)
            if case["tree"] is None:
                self.compare_buildah(case, flags, context, image)
            else:
                self.compare_tree(case, flags, context, folder)
            self.build_prefixes(flags, context, folder)
            self.build_afresh(flags, context, folder)
            return "", time.monotonic() - begin
        except Wrong as wrong:
            return str(wrong), time.monotonic() - begin
        finally:
            if not self.args.keep:
                shutil.rmtree(folder, ignore_errors=True)

    def lamina(self, *flags, **env):
        return must_run("lamina", [self.args.lamina, "build", *flags], env=dict(self.env, **env))

    def compare(self, a, b):
        done = run([sys.executable, self.args.compare, a, b])
        if done.returncode == 2:
            raise Wrong(done.stdout)
        return done.stdout.splitlines()

    def build_levels(self, flags, context, folder):
        """One image a level: equal trees and configurations, and no level has
        more layers or bytes than the first. Returns the last image."""
        images = [os.path.join(folder, f"level{level}.tar") for level in self.levels]
        for level, image in zip(self.levels, images):
            self.lamina("--progress=plain", "-O", level, "-o", f"type=docker,dest={image}", *flags, context)
            if image == images[0]:
                continue
            if differences := self.compare(images[0], image):
                raise Wrong(f"level {self.levels[0]} and {level} differ:\n" + "\n".join(differences))
            for what, plain, better in zip(("layers", "bytes"), weigh(images[0]), weigh(image)):
                if better > plain:
                    raise Wrong(f"level {level} has {better} {what}, level {self.levels[0]} has {plain}")
        return images[-1]

    def compare_buildah(self, case, flags, context, ours):
        theirs = ours + ".buildah"
        self.buildah.build(flags, context, theirs)
        lines = [line for line in self.compare(ours, theirs) if not any(re.search(pattern, line) for pattern in BY_NATURE)]
        unused = [text for text in case["differs"] if not any(text in line for line in lines)]
        lines = [line for line in lines if not any(text in line for text in case["differs"])]
        lines += [f"`differs: {text}` is not so" for text in unused]
        if lines:
            raise Wrong("\n".join(lines))

    def compare_tree(self, case, flags, context, folder):
        output = os.path.join(folder, "tree.tar")
        self.lamina("-q", "-o", f"type=tar,dest={output}", *flags, context)
        text = open(os.path.join(context, "Dockerfile"), encoding="utf-8").read()
        last_from = re.findall(r"^FROM\s+(\S+)", text, re.M | re.I)[-1]
        rows = golden_tree.list_tree(golden_tree.read_tree(output), {"": "d 755 0:0 /"} if last_from == "scratch" else self.base_tree)
        if self.args.update:
            case_files.update_tree(case["file"], case["name"], rows)
        elif rows != case["tree"]:
            raise Wrong("\n".join(difflib.unified_diff(case["tree"], rows, "expected", "built", lineterm="", n=0)))

    def build_prefixes(self, flags, context, folder):
        if "--target" in flags or "-f" in flags:
            return
        lines = open(os.path.join(context, "Dockerfile"), encoding="utf-8").read().splitlines(keepends=True)
        for end in range(1, len(lines)):
            before, following = lines[end - 1].rstrip(), lines[end].strip().upper()
            if not before or before.endswith(("\\", "`")) or not KEYWORD.match(following) or "FROM" not in "".join(lines[:end]).upper():
                continue
            prefix = os.path.join(folder, "prefix")
            with open(prefix, "w", encoding="utf-8") as out:
                out.writelines(lines[:end])
            ignores = os.path.join(context, "Dockerfile.dockerignore")
            if os.path.exists(ignores):
                shutil.copy(ignores, prefix + ".dockerignore")
            self.lamina("-q", "-f", prefix, *flags, context)

    def build_afresh(self, flags, context, folder):
        """Cold and warm, one step at once and four: one digest."""
        store, ids = os.path.join(folder, "store"), []
        for jobs in ("1", "4"):
            shutil.rmtree(store, ignore_errors=True)
            os.makedirs(store, mode=0o700)
            must_run("lamina", [self.args.lamina, "load", "-i", self.base_image], env=dict(self.env, LAMINA_ROOT=store))
            for _ in range(2):
                # Times are part of layers: only with an epoch two stores can agree.
                ids.append(self.lamina("-q", "--jobs", jobs, *flags, context, LAMINA_ROOT=store, SOURCE_DATE_EPOCH="1000000000"))
        if len(set(ids)) != 1:
            raise Wrong("cold, warm, --jobs 1 and --jobs 4 differ:\n" + "".join(ids))


def memory_folder():
    """A folder in memory for the stores, which sync each file to the disk;
    None where there is too little of it or it cannot hold attributes."""
    try:
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as probe:
            os.setxattr(probe.name, "user.probe", b"x")
        return "/dev/shm" if shutil.disk_usage("/dev/shm").free > 4 << 30 else None
    except OSError:
        return None


def weigh(image):
    """Layers, and bytes of all layers together."""
    with tarfile.open(image) as tar:
        layers = json.load(tar.extractfile("manifest.json"))[0]["Layers"]
        return len(layers), sum(tar.getmember(layer).size for layer in layers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lamina")
    parser.add_argument("compare")
    parser.add_argument("--levels", default=LEVELS)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    work = args.keep or tempfile.mkdtemp(prefix="differential.", dir=memory_folder())
    os.makedirs(work, exist_ok=True)
    os.umask(0o022)
    begin, slowest, passed, failed = time.monotonic(), [], 0, 0
    try:
        runner = Runner(args, work)
    except Wrong as wrong:
        sys.exit(str(wrong))
    cases = [case for name in ("cases.txt", "golden_trees.txt") for case in case_files.read_cases(os.path.join(HERE, name))
             if args.only in case["name"]]
    with concurrent.futures.ThreadPoolExecutor(1 if args.update else os.cpu_count()) as pool:
        for case, (problem, seconds) in zip(cases, pool.map(runner.check, enumerate(cases))):
            print(("FAILED " if problem else "passed ") + case["name"], flush=True)
            if problem:
                print("  " + problem.strip().replace("\n", "\n  "))
            failed, passed = failed + bool(problem), passed + (not problem)
            slowest.append((seconds, case["name"]))
    if not args.keep:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{time.monotonic() - begin:.0f} s; slowest: " + ", ".join(f"{name} {seconds:.1f} s" for seconds, name in sorted(slowest)[-3:]))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
