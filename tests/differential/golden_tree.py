"""A file tree as text: one line a path, what the base has too left out.

    d 755 0:0 /app
    f 644 0:0 6 /app/f "first\\n"      short text is shown, else only the size
    l 0:0 /app/s -> f
    h /app/h = /app/f
    p 600 0:0 /app/pipe
    - /bin/ls                          the base has it, this tree does not
"""
import json, posixpath, tarfile

SHOWN_BYTES = 100
KINDS = {tarfile.REGTYPE: "f", tarfile.AREGTYPE: "f", tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.LNKTYPE: "h",
         tarfile.FIFOTYPE: "p", tarfile.CHRTYPE: "c", tarfile.BLKTYPE: "b"}


def quote(name):
    path = "/" + name
    return path if path.isprintable() and " " not in path else json.dumps(path, ensure_ascii=False)


def content(tar, member):
    if not 0 < member.size <= SHOWN_BYTES:
        return ""
    try:
        return " " + json.dumps(tar.extractfile(member).read().decode(), ensure_ascii=False)
    except UnicodeDecodeError:
        return ""


def describe(tar, member, name):
    kind = KINDS[member.type]
    owner = f"{member.uid}:{member.gid}"
    if kind == "l":
        return f"l {owner} {quote(name)} -> {member.linkname}"
    if kind == "h":
        return f"h {quote(name)} = {quote(posixpath.normpath(member.linkname))}"
    size = f" {member.size}" if kind == "f" else ""
    xattrs = "".join(f" {key[13:]}={value}" for key, value in sorted(member.pax_headers.items()) if key.startswith("SCHILY.xattr."))
    return f"{kind} {member.mode & 0o7777:o} {owner}{size} {quote(name)}{content(tar, member) if kind == 'f' else ''}{xattrs}"


def read_tree(path):
    """{name: line} of a tar that holds a whole tree."""
    rows = {}
    with tarfile.open(path) as tar:
        for member in tar:
            name = posixpath.normpath(member.name).lstrip("/")
            rows["" if name == "." else name] = describe(tar, member, "" if name == "." else name)
    rows.setdefault("", "d 755 0:0 /")
    return rows


def list_tree(rows, base):
    lines = [rows[name] for name in sorted(rows) if base.get(name) != rows[name]]
    return lines + [f"- {quote(name)}" for name in sorted(base) if name not in rows]
