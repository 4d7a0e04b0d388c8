#!/usr/bin/env python3
"""Bytes that a client pulls over 12 releases of a generated project.

usage: run_releases.py LAMINA
The project has system packages (some change at release 6), Python packages
that are installed in one step (one or two change in a release), assets and
sources (some files change in every release). Each release is built at each
level; a client that has release t-1 pulls the layers of release t that it
lacks. "docker" is one layer a step, "squash" one layer of all own steps.
Prints a Markdown table, and fails unless -O2 with a lock pulls least. Needs
root and busybox-static.
"""
import argparse, hashlib, json, os, random, shutil, subprocess, sys, tarfile, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "layers"))
from run_layers import make_base, mega, run

RELEASES = 12
SITE = "usr/lib/python3/dist-packages"
DOCKERFILE = """FROM base
COPY system /
COPY requirements.txt install.sh /tmp/
RUN sh /tmp/install.sh && rm /tmp/install.sh
COPY assets /srv/assets
COPY src /srv/src
RUN chmod -R 755 /srv/src
"""
# A Python package: bytes, and the releases between two of its versions.
PACKAGES = {"numpy": (6_000_000, 12), "pandas": (5_000_000, 6), "torch": (9_000_000, 12), "flask": (400_000, 2), "requests": (300_000, 3),
            "orm": (900_000, 4), "client": (700_000, 1), "crypto": (2_000_000, 5), "images": (3_000_000, 12), "yaml": (250_000, 12)}


def bytes_of(seed, size):
    return random.Random(seed).randbytes(size)


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data)
    # Times of a checkout: when the content changed, not when it was copied.
    stamp = 1_600_000_000 + int(hashlib.sha256(data).hexdigest()[:6], 16)
    os.utime(path, (stamp, stamp))


def write_system(folder, release):
    status = ""
    for package in range(12):
        version = release // 6 if package < 3 else 0
        library = f"usr/lib/libp{package}.so"
        write(os.path.join(folder, "system", library), bytes_of(f"r{package}.{version}", 300_000 + 100_000 * package))
        write(os.path.join(folder, f"system/var/lib/dpkg/info/libp{package}.list"), f"/.\n/usr\n/usr/lib\n/{library}\n".encode())
        status += f"Package: libp{package}\nStatus: install ok installed\nVersion: {version}\n\n"
    write(os.path.join(folder, "system/var/lib/dpkg/status"), status.encode())


def write_packages(folder, release):
    """What pip would do, without a network: the version decides the bytes."""
    wanted, script = "", f"mkdir -p /{SITE} && cd /{SITE}\n"
    for name, (size, every) in PACKAGES.items():
        version = release // every
        wanted += f"{name}=={version}\n"
        script += (f"mkdir {name} {name}-{version}.dist-info; yes '{name} {version}' | head -c {size} > {name}/core.so; echo {version} > {name}/__init__.py\n"
                   f"printf '{name}/core.so,,\\n{name}/__init__.py,,\\n{name}-{version}.dist-info/RECORD,,\\n' > {name}-{version}.dist-info/RECORD\n")
    write(os.path.join(folder, "requirements.txt"), wanted.encode())
    write(os.path.join(folder, "install.sh"), script.encode())


def make_release(folder, release):
    """Everything that one commit of the project holds."""
    write(os.path.join(folder, "Dockerfile"), DOCKERFILE.encode())
    write_system(folder, release)
    write_packages(folder, release)
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
        if min(pulled.values()) < pulled["-O2, lock"]:
            sys.exit("-O2 with a lock does not pull least")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
