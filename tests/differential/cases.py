"""The format of cases.txt and golden_trees.txt, and the contexts they describe."""
import bz2, gzip, io, lzma, os, re, shlex, shutil, subprocess, tarfile

# The time of everything in a context that is made here.
MADE_AT = 1500000000


def read_cases(path):
    cases, part = [], None
    for line in open(path, encoding="utf-8"):
        if line.startswith("=== "):
            cases.append(dict(name=line[4:].strip(), flags=[], parts=[], differs=[], file=path))
            part = None
        elif not cases:
            continue
        elif line.startswith("$ "):
            cases[-1]["flags"] = shlex.split(line[2:])
        elif line.startswith("differs: "):
            cases[-1]["differs"].append(line[9:].rstrip("\n"))
        elif line.startswith("-- ") and line.rstrip().endswith(" --"):
            part = [line.rstrip()[3:-3], ""]
            cases[-1]["parts"].append(part)
        elif part is not None:
            part[1] += line
    for case in cases:
        case["tree"] = next((text.strip("\n").splitlines() for spec, text in case["parts"] if spec == "tree"), None)
        case["parts"] = [part for part in case["parts"] if part[0] != "tree"]
    return cases


def update_tree(path, name, rows):
    """Replaces the tree of one case; it is the case's last part."""
    text = open(path, encoding="utf-8").read()
    start = text.index(f"=== {name}\n")
    tree = text.index("\n-- tree --\n", start) + len("\n-- tree --\n")
    end = text.find("\n=== ", tree - 1)
    tail = "" if end < 0 else text[end:]
    with open(path, "w", encoding="utf-8") as out:
        out.write(text[:tree] + "".join(row + "\n" for row in rows) + tail)


def member(name, type_=tarfile.REGTYPE, mode=0o644, link="", owner=(3, 4), xattrs={}):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime, info.linkname = type_, mode, MADE_AT, link
    info.uid, info.gid = owner
    info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in xattrs.items()}
    return info


# What archives hold; the body of a file follows its member.
PLAIN = [(member("d", tarfile.DIRTYPE, 0o750), b""), (member("d/f", mode=0o640), b"packed\n"),
         (member("d/l", tarfile.SYMTYPE, 0o777, "f"), b""), (member("top", mode=0o755), b"top\n")]
# What is rare in archives.
RICH = [(member("./"), b""), (member("r", tarfile.DIRTYPE, 0o1777, owner=(0, 0)), b""), (member("r/a", mode=0o4755), b"first\n"),
        (member("r/b", tarfile.LNKTYPE, link="r/a"), b""), (member("r/p", tarfile.FIFOTYPE, 0o600), b""),
        (member("r/up", tarfile.SYMTYPE, 0o777, "../../outside"), b""), (member("no/parent/f"), b"p\n"),
        (member("r/" + "long" * 40), b"l\n"), (member("r/ünï code"), b"u\n"), (member("r/x", xattrs={"user.note": "kept"}), b"")]


def archive(kind):
    """The bytes of plain.tar.gz, rich.tar, ...; `tar.gz` is plain.tar.gz."""
    members = RICH if kind.startswith("rich.") else PLAIN
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, body in members:
            if info.name == "./":
                info = member("./", tarfile.DIRTYPE, 0o700)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    data = raw.getvalue()
    return {"gz": lambda: gzip.compress(data, mtime=0), "xz": lambda: lzma.compress(data), "bz2": lambda: bz2.compress(data),
            "zst": lambda: subprocess.run(["zstd", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout,
            "tar": lambda: data}[kind.rsplit(".", 1)[-1]]()


def generate(path, kind):
    """`-- path @ kind --`: what cannot be written as text."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind.startswith("zeros "):
        with open(path, "wb") as out:
            out.write(bytes(int(kind[6:])))
    elif kind.startswith("noise "):
        with open(path, "wb") as out:
            out.write(b"".join(b"%08x" % (i * 2654435761 % 2**32) for i in range(int(kind[6:]) // 8)))
    elif kind.startswith("files "):
        os.mkdir(path)
        for number in range(int(kind[6:])):
            with open(f"{path}/{number}", "w") as out:
                out.write(f"{number}\n")
    elif kind == "file":
        open(path, "wb").close()
    else:
        with open(path, "wb") as out:
            out.write(archive(kind))


def write_context(folder, parts):
    """Folders get their modes last, links come after what they lead to."""
    later = []
    for spec, text in parts:
        for sign in (" -> ", " = ", " % "):
            if sign in spec:
                later.append((sign, *spec.split(sign)))
                break
        else:
            write_part(folder, spec, text, later)
    for sign, name, value in later:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if sign == " -> ":
            os.symlink(value, path)
        elif sign == " = ":
            os.link(os.path.join(folder, value), path)
        elif sign == " % ":
            key, _, text = value.partition("=")
            os.setxattr(path, key, text.encode())
        else:
            os.chmod(path, value)


def write_part(folder, spec, text, later):
    if " @ " in spec:
        name, kind = spec.split(" @ ")
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        generate(path, kind)
        return
    match = re.fullmatch(r"(.*?)(?: ([0-7]{3,4}))?", spec)
    name, mode = match[1], int(match[2], 8) if match[2] else None
    path = os.path.join(folder, name)
    if name.endswith("/"):
        os.makedirs(path, exist_ok=True)
        later.append(("mode", name, mode or 0o755))
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(text.encode())
    os.chmod(path, mode or 0o644)


def make_base(folder):
    """A busybox root file system with users, as a tar."""
    root = os.path.join(folder, "base")
    for name in ["bin", "etc", "tmp", "usr/bin", "root", "var/lib"]:
        os.makedirs(os.path.join(root, name))
    shutil.copy("/bin/busybox", os.path.join(root, "bin/busybox"))
    applets = subprocess.run(["/bin/busybox", "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for applet in applets.split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(root, "bin", applet))
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    with open(os.path.join(root, "etc/passwd"), "w") as out:
        out.write("root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\napp:x:500:33::/:/bin/sh\n")
    with open(os.path.join(root, "etc/group"), "w") as out:
        out.write("root:x:0:\ndaemon:x:1:\nwheel:x:10:root\nwww-data:x:33:\n")
    tar = os.path.join(folder, "base.tar")
    subprocess.run(["tar", "--numeric-owner", "--owner=0", "--group=0", "-C", root, "-cf", tar, "."], check=True)
    return tar
