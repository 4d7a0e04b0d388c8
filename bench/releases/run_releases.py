#!/usr/bin/env python3
"""Bytes that a client pulls over 12 releases of a generated project.

usage: run_releases.py LAMINA
The project has a runtime (packages that change rarely), dependencies (a manifest
and what is installed for it, every third release), assets and sources (every
release). Each release is built at each level; a client that has release t-1
pulls the layers of release t that it lacks. "docker" is one layer a step,
"squash" one layer of all own steps. Prints a Markdown table, and fails unless
-O2 with a lock pulls least. Needs root and busybox-static.
"""
import argparse, hashlib, json, os, random, shutil, subprocess, sys, tarfile, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "layers"))
from run_layers import make_base, mega, run

RELEASES = 12
DOCKERFILE = """FROM base
RUN sh /recipes/runtime.sh
COPY deps.txt /deps.txt
COPY recipes/deps.sh /deps.sh
RUN sh /deps.sh && rm /deps.sh
COPY assets /srv/assets
COPY src /srv/src
RUN chmod -R 755 /srv/src
RUN rm -rf /var/cache/runtime
"""


def bytes_of(seed, size):
    return random.Random(seed).randbytes(size)


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data)
    # Times of a checkout: when the content changed, not when it was copied.
    stamp = 1_600_000_000 + int(hashlib.sha256(data).hexdigest()[:6], 16)
    os.utime(path, (stamp, stamp))


def make_release(folder, release):
    """Everything that one commit of the project holds."""
    write(os.path.join(folder, "Dockerfile"), DOCKERFILE.replace("RUN sh /recipes/runtime.sh", "COPY runtime /usr/lib/runtime").encode())
    for package in range(12):
        version = release // 6 if package < 3 else 0
        write(os.path.join(folder, f"runtime/p{package}.so"), bytes_of(f"r{package}.{version}", 300_000 + 100_000 * package))
    deps = release // 3
    write(os.path.join(folder, "deps.txt"), f"flask {deps}\nnumpy 1\n".encode())
    script = "mkdir -p /usr/lib/deps\n"
    # Dependencies are installed from files whose bytes the version decides.
    script += f"i=0; while [ $i -lt 8 ]; do v=0; [ $i -lt 2 ] && v={deps}; yes \"dep $i $v\" | head -c 400000 > /usr/lib/deps/d$i; i=$((i+1)); done\n"
    write(os.path.join(folder, "recipes/deps.sh"), script.encode())
    for asset in range(10):
        version = release if asset == release % 10 else release // 10
        write(os.path.join(folder, f"assets/a{asset}.png"), bytes_of(f"a{asset}.{version}", 250_000))
    for source in range(20):
        version = release if source % 5 == release % 5 else 0
        write(os.path.join(folder, f"src/m{source}.py"), bytes_of(f"s{source}.{version}", 20_000))


def layers_of(archive):
    with tarfile.open(archive) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))[0]
        config = json.load(outer.extractfile(manifest["Config"]))
        sizes = {}
        for name, diff_id in zip(manifest["Layers"], config["rootfs"]["diff_ids"]):
            member = outer.getmember(name)
            while member.issym():
                member = outer.getmember(os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname)))
            sizes[diff_id] = member.size
        return sizes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lamina")
    lamina = os.path.abspath(parser.parse_args().lamina)
    ways = {
        "docker (-O0)": ["-O0"],
        "squash (-Os)": ["-Os"],
        "-O1": ["-O1"],
        "-O2, no lock": ["-O2", "--no-lock"],
        "-O2, lock": ["-O2", "--layer-lock", "LOCK"],
    }
    work = tempfile.mkdtemp(prefix="releases.")
    environment = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
    try:
        base = make_base(work)
        pulled, first, stored = {}, {}, {}
        for way, flags in ways.items():
            store = ["--root", os.path.join(work, "store " + way)]
            run(lamina, "import", *store, base, "base", env=environment)
            lock = os.path.join(work, "layers.lock")
            if os.path.exists(lock):
                os.unlink(lock)
            have, pulled[way], kept = {}, 0, {}
            for release in range(RELEASES):
                context = os.path.join(work, "context")
                shutil.rmtree(context, ignore_errors=True)
                make_release(context, release)
                out = os.path.join(work, "out.tar")
                run(lamina, "build", *store, "-q", *[lock if f == "LOCK" else f for f in flags], "-o", out, context, env=environment)
                layers = layers_of(out)
                new = sum(size for diff_id, size in layers.items() if diff_id not in have)
                if release == 0:
                    first[way] = new
                else:
                    pulled[way] += new
                kept.update(layers)
                have = layers
            stored[way] = sum(kept.values())
        print("| layering | first pull MB | 11 updates MB | registry MB |")
        print("|---|---|---|---|")
        for way in ways:
            print(f"| {way} | {mega(first[way])} | {mega(pulled[way])} | {mega(stored[way])} |")
        if min(pulled, key=pulled.get) != "-O2, lock":
            sys.exit("-O2 with a lock does not pull least")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
