#!/usr/bin/env python3
"""Measures whole lamina commands beside Debian's buildah, in one run.

usage: run_bench.py LAMINA [--rounds N] [--only WORD] [--markdown]
Prints a table: what, lamina, buildah, ratio. Times are wall-clock seconds of
whole processes, the median of the rounds (cold buildah runs are made once);
peak memory is the kernel's maximum resident set of the process. Needs root,
buildah, runc and busybox-static; bench/run.sh installs them.
"""
import argparse, os, random, shutil, statistics, subprocess, sys, tempfile, time

FILES, FILE_BYTES, BIG_BYTES = 20000, 9000, 110_000_000


def timed(command, env=None, check=True):
    """Wall seconds and peak resident KiB of one process."""
    start = time.monotonic()
    with open(os.devnull, "w") as null, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=null, stderr=errors, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        if check and status:
            errors.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{errors.read().decode(errors='replace')[-3000:]}")
    return seconds, usage.ru_maxrss


class Bench:
    def __init__(self, lamina, work, rounds):
        self.lamina, self.work, self.rounds, self.rows = lamina, work, rounds, []
        self.buildah = ["buildah", "--root", f"{work}/b", "--runroot", f"{work}/br", "--storage-driver", "overlay"]
        self.env = dict(os.environ)
        self.stores = 0
        root = f"{work}/base"
        os.makedirs(f"{root}/bin")
        os.makedirs(f"{root}/etc")
        shutil.copy("/bin/busybox", f"{root}/bin/busybox")
        for applet in ("sh", "echo", "cat", "ls"):
            os.symlink("busybox", f"{root}/bin/{applet}")
        with open(f"{root}/etc/passwd", "w") as out:
            out.write("root:x:0:0:root:/root:/bin/sh\n")
        subprocess.run(["tar", "-C", root, "-cf", f"{work}/base.tar", "."], check=True)
        self.fresh_store()
        subprocess.run([lamina, "save", "-o", f"{work}/base.image", "localhost/base:1"], env=self.env, check=True)
        subprocess.run(self.buildah + ["pull", "-q", f"docker-archive:{work}/base.image"], check=True, stdout=subprocess.DEVNULL)

    def fresh_store(self):
        self.stores += 1
        self.env["LAMINA_ROOT"] = f"{self.work}/store{self.stores}"
        subprocess.run([self.lamina, "import", f"{self.work}/base.tar", "localhost/base:1"], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def drop_store(self):
        shutil.rmtree(self.env["LAMINA_ROOT"], ignore_errors=True)

    def row(self, name, ours, theirs, goal):
        ratio = f"{theirs / ours:.1f}x" if theirs else "-"
        self.rows.append((name, f"{ours * 1000:.1f} ms", f"{theirs:.2f} s" if theirs else "-", ratio, goal))
        print(" | ".join(self.rows[-1]), flush=True)

    def median(self, make, before=lambda: None):
        values = []
        for _ in range(self.rounds):
            before()
            values.append(timed(make, self.env)[0])
        return statistics.median(values)

    def bud(self, context, *more):
        return self.buildah + ["bud", "--runtime", "runc", "--pull-never", "--layers", "-t", "localhost/out:1", *more, context]

    def hundred_runs(self):
        context = f"{self.work}/runs"
        os.makedirs(context)
        with open(f"{context}/Dockerfile", "w") as out:
            out.write("FROM localhost/base:1\n" + "".join(f"RUN echo {n} > /f{n}\n" for n in range(1, 101)))
        command = [self.lamina, "build", "-q", "-t", "out:1", context]
        theirs = timed(self.bud(context))[0]
        cold = self.median(command, lambda: (self.drop_store(), self.fresh_store()))
        self.row("100 x RUN, cold", cold, theirs, "60x")
        theirs = timed(self.bud(context))[0]
        self.row("100 x RUN, all cached", self.median(command), theirs, "< 100 ms")
        one = f"{self.work}/one"
        os.makedirs(one)
        with open(f"{one}/Dockerfile", "w") as out:
            out.write("FROM localhost/base:1\nRUN true\n")
        self.row("one empty RUN, whole process", self.median([self.lamina, "build", "-q", "--no-cache", one]),
                 timed(self.bud(one))[0], "-")

    def copy_many(self):
        context = f"{self.work}/many"
        make_files(context)
        archive = f"{self.work}/x.tar"
        command = [self.lamina, "build", "-q", "-o", f"type=docker,dest={archive},compression=gzip", "-t", "out:1", context]
        start = timed(self.bud(context))[0]
        theirs = start + timed(self.buildah + ["push", "-q", "localhost/out:1", f"docker-archive:{self.work}/theirs.tar:localhost/out:1"])[0]

        def fresh():
            self.drop_store()
            self.fresh_store()
            if os.path.exists(archive):
                os.unlink(archive)

        cold = self.median(command, fresh)
        self.row("COPY 20,000 files + 2 big, gzip archive, cold", cold, theirs, "8x")
        self.row("the same, nothing changed", self.median(command), None, "< 300 ms")

        def touch():
            os.utime(f"{context}/tree/d7/f7")

        touched = self.median(command, touch)
        self.row("the same, one file touched", touched, None, f"< {cold * 250:.0f} ms")

        def edit():
            with open(f"{context}/tree/d7/f7", "a") as out:
                out.write("one more line\n")

        edited = self.median(command, edit)
        self.row("the same, one file edited", edited, None, f"< {cold * 250:.0f} ms")
        fresh()
        _, peak = timed(command, self.env)
        self.rows.append(("peak memory of the cold build", f"{peak / 1024:.0f} MiB", "-", "-", "< 150 MB"))
        print(" | ".join(self.rows[-1]), flush=True)

    def start_up(self):
        rounds, self.rounds = self.rounds, 15
        self.row("lamina --version", self.median([self.lamina, "--version"]), timed(["buildah", "--version"])[0], "< 5 ms")
        empty = dict(self.env, LAMINA_ROOT=f"{self.work}/empty")
        kept, self.env = self.env, empty
        self.row("lamina images, empty store", self.median([self.lamina, "images"]), timed(self.buildah + ["images"])[0], "< 5 ms")
        self.env, self.rounds = kept, rounds


def make_files(context):
    rng = random.Random(7)
    words = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(4000)]
    text = b" ".join(rng.choices(words, k=400_000))
    for number in range(FILES):
        folder = f"{context}/tree/d{number % 100}"
        if number < 100:
            os.makedirs(folder)
        start = rng.randrange(len(text) - FILE_BYTES)
        with open(f"{folder}/f{number}", "wb") as out:
            out.write(text[start:start + FILE_BYTES])
    for name in ("one.bin", "two.bin"):
        with open(f"{context}/{name}", "wb") as out:
            left = BIG_BYTES
            while left > 0:  # Half noise, half text: about what binaries compress to.
                out.write(rng.randbytes(50_000))
                start = rng.randrange(len(text) - 50_000)
                out.write(text[start:start + 50_000])
                left -= 100_000
    with open(f"{context}/Dockerfile", "w") as out:
        out.write("FROM localhost/base:1\nCOPY . /data\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lamina")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    work = tempfile.mkdtemp(prefix="bench.")
    try:
        bench = Bench(os.path.abspath(args.lamina), work, args.rounds)
        for name in ("start_up", "hundred_runs", "copy_many"):
            if args.only in name:
                getattr(bench, name)()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if args.markdown:
        print("| work | lamina | buildah | ratio | to reach |\n|---|---|---|---|---|")
        for row in bench.rows:
            print("| " + " | ".join(row) + " |")


main()
