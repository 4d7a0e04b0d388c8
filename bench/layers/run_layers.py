#!/usr/bin/env python3
"""Layers, bytes and dead bytes of images with the well-known kinds of waste.

usage: run_layers.py LAMINA [--only WORD] [--no-buildah]
Builds every Dockerfile of cases.txt at each level and with buildah (with and
without --squash) and prints a Markdown table. Own layers only: all cases begin
from the same busybox base. Dead bytes are contents in own layers that the
final tree does not need. Needs root, busybox-static; buildah for its columns.
"""
import argparse, json, os, shutil, subprocess, sys, tarfile, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LEVELS = ["0", "1", "2", "s"]


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout


def read_cases():
    cases, part = [], None
    for line in open(os.path.join(HERE, "cases.txt"), encoding="utf-8"):
        if line.startswith("=== "):
            cases.append((line[4:].strip(), {}))
        elif line.startswith("-- "):
            part = line.strip()[3:-3]
            cases[-1][1][part] = ""
        elif cases and part:
            cases[-1][1][part] += line
    return cases


def make_base(folder):
    """A busybox root file system as a tar."""
    root = os.path.join(folder, "base")
    for name in ("bin", "etc", "tmp", "var/lib"):
        os.makedirs(os.path.join(root, name))
    shutil.copy("/bin/busybox", os.path.join(root, "bin/busybox"))
    for name in run("/bin/busybox", "--list", text=True).split():
        if name != "busybox":
            os.symlink("busybox", os.path.join(root, "bin", name))
    with open(os.path.join(root, "etc/passwd"), "w") as passwd:
        passwd.write("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
    with open(os.path.join(root, "etc/group"), "w") as group:
        group.write("root:x:0:\napp:x:1000:\n")
    path = os.path.join(folder, "base.tar")
    with tarfile.open(path, "w") as tar:
        tar.add(root, ".")
    return path


def make_context(folder, files):
    """`size NAME BYTES` in the part `files` makes a file of that size."""
    for name, text in files.items():
        if name == "files":
            for line in text.split("\n"):
                if line.strip():
                    path, size = line.split()
                    path = os.path.join(folder, path)
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, "wb") as out:
                        out.write(os.urandom(int(size)))
        elif name == "archive":
            with tarfile.open(os.path.join(folder, "pkg.tar"), "w") as tar:
                tar.add(os.path.join(folder, text.strip()), "pkg")
        else:
            with open(os.path.join(folder, name), "w") as out:
                out.write(text)


def image_layers(archive):
    """Entries of each layer of a docker or OCI archive, bottom to top."""
    with tarfile.open(archive) as outer:
        names = {m.name: m for m in outer.getmembers()}
        if "manifest.json" in names:
            manifest = json.load(outer.extractfile("manifest.json"))
            paths = manifest[0]["Layers"]
        else:
            index = json.load(outer.extractfile("index.json"))
            blob = lambda d: "blobs/" + d.replace(":", "/")
            manifest = json.load(outer.extractfile(blob(index["manifests"][0]["digest"])))
            paths = [blob(l["digest"]) for l in manifest["layers"]]
        layers = []
        for path in paths:
            member = names[path]
            while member.issym():
                member = names[os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname))]
            with tarfile.open(fileobj=outer.extractfile(member), mode="r|*") as layer:
                layers.append([(os.path.normpath(m.name), m.type, m.size) for m in layer])
    return layers


def measure(archive, base_layers):
    """(own layers, own bytes, dead bytes) of an image."""
    layers = image_layers(archive)
    seen, covered, total, live = set(), [], 0, 0
    for number in range(len(layers) - 1, -1, -1):
        own = number >= base_layers
        hides = []
        for path, kind, size in layers[number]:
            name = os.path.basename(path)
            if name == ".wh..wh..opq":
                hides.append(os.path.dirname(path))
                continue
            if name.startswith(".wh."):
                hides.append(os.path.join(os.path.dirname(path), name[4:]))
                continue
            if own:
                total += size
                gone = path in seen or any(path == c or path.startswith(c + "/") for c in covered)
                live += 0 if gone else size
            if kind != tarfile.DIRTYPE:
                seen.add(path)
        covered += hides
    return len(layers) - base_layers, total, total - live


def mega(value):
    return f"{value / 1e6:.1f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lamina")
    parser.add_argument("--only", default="")
    parser.add_argument("--no-buildah", action="store_true")
    options = parser.parse_args()
    lamina = os.path.abspath(options.lamina)
    work = tempfile.mkdtemp(prefix="layers.")
    buildah = None if options.no_buildah else shutil.which("buildah")
    try:
        base = make_base(work)
        store = ["--root", os.path.join(work, "store")]
        run(lamina, "import", *store, base, "base")
        peer = ["--root", os.path.join(work, "b"), "--runroot", os.path.join(work, "r"), "--storage-driver", "vfs"]
        if buildah:
            container = run(buildah, *peer, "from", "scratch", text=True).strip()
            run(buildah, *peer, "add", container, base, "/")
            run(buildah, *peer, "commit", container, "base")
        columns = [f"-O{level}" for level in LEVELS] + (["buildah", "buildah --squash"] if buildah else [])
        print("| case: own layers / MB / dead MB | " + " | ".join(columns) + " |")
        print("|---|" + "---|" * len(columns))
        bad = 0
        for title, files in read_cases():
            if options.only not in title:
                continue
            context = os.path.join(work, "context")
            shutil.rmtree(context, ignore_errors=True)
            os.makedirs(context)
            make_context(context, files)
            cells = []
            for level in LEVELS:
                out = os.path.join(work, f"{level}.tar")
                run(lamina, "build", *store, "-q", f"-O{level}", "-o", out, context)
                row = measure(out, 1)
                bad += level == "2" and row[2] > 0
                cells.append(row)
            for extra in ([[], ["--squash"]] if buildah else []):
                out = os.path.join(work, "peer.tar")
                if os.path.exists(out):
                    os.unlink(out)
                run(buildah, *peer, "bud", "--runtime", "runc", "--layers=" + ("false" if extra else "true"), *extra, "-t", "x", context, stderr=subprocess.DEVNULL)
                run(buildah, *peer, "push", "x", "docker-archive:" + out, stderr=subprocess.DEVNULL)
                # --squash flattens the base too: its one layer counts as own.
                cells.append(measure(out, 0 if extra else 1))
            print(f"| {title} | " + " | ".join(f"{n} / {mega(t)} / {mega(d)}" for n, t, d in cells) + " |", flush=True)
        if bad:
            sys.exit(f"{bad} images have dead bytes of their own at -O2")
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", work], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
