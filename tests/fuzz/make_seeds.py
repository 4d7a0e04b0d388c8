#!/usr/bin/env python3
"""Writes what the fuzzers begin with: a folder of inputs for each.

usage: make_seeds.py FOLDER
Real Dockerfiles are taken from ../shared/data where that is present; all
other seeds are made here.
"""
import bz2, glob, gzip, io, lzma, os, re, sys, tarfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REAL = os.path.join(ROOT, "../shared/data/dockerfiles/files/*")
MOST_REAL_FILES, LARGEST = 300, 4000

# A line for A, a line for B, the word.
WORDS = r"""
$A|${A}|$AB ${A}B|'$A'|"$A"|\$A|"\$A \a"|`$A|${A:-x}|${A-${B}}|${C:+y}|${A:?no}|${A#*/}|${A##*/}|${A%.*}|${A%%.*}
${A/b/c}|${A//b/${B}}|${A/\*/\/}|${A:-'q'"$B"}|${C?}|"${A:-a b}" c|${A:-${B:-${C:-d}}}|$|$$|${|${A|${}|${A:=x}
'open|"open|end\|ü${A}ü|$1 $@ $_|${A//?/x}|${A//*/}|  two  words  |${EMPTY:-e}${EMPTY-e}
"""
IGNORE_FILES = [
    ("*.log\n!keep.log\ntmp\n**/cache\n", "a.log\nkeep.log\ntmp/x\nsub/cache/y\ncache"),
    ("*\n!src/**\nsrc/*.o\n", "src/a\nsrc/b.o\nother/x\nsrc/deep/c.o"),
    ("# no\n\n  /top  \n! top/in\n[a-c]?[^x]\n\\*\n", "top\ntop/in\nabc\n*\nbzz"),
    ("a/**/b\n**/c/**\n!**/d\n***\n", "a/b\na/x/y/b\nx/c/d\nd"),
    ("dir/x\n!dir\n.\n/\n../up\n", "dir\ndir/x\nup"),
    ("\ufeff**foo\n[\n", "xfoo\nfoo"),
]
# One byte for the form, then operation, path, ... (archive_fuzzer.cc).
SCRIPTS = [
    "01 05 00 00 00 10 01 00 01 00",                       # d a, f a/b
    "01 02 00 00 00 07 08 10 01 00 01 00",                 # l a -> /etc, f a/b
    "01 10 00 00 00 04 00 01 00 00 00 ff 10 00 08 00",     # f a, h b -> a; .wh.a
    "01 05 00 00 00 10 01 00 01 00 ff 10 01 00 0a 00",     # .wh..wh..opq
    "01 05 00 00 00 ff 06 00 00 00 ff 0f 00 00 01",        # types replace types
    "01 04 00 00 02 04 0e 00 00",                          # h a -> ../canary
    "01 f0 02 04 0e 00 10 00 00 00 e1 01 00 01 10 00 00 00",
]


def archives():
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, link in [("d", tarfile.DIRTYPE, ""), ("d/f", tarfile.REGTYPE, ""), ("d/s", tarfile.SYMTYPE, "f"),
                                 ("d/h", tarfile.LNKTYPE, "d/f"), ("d/p", tarfile.FIFOTYPE, ""), ("d/ü" * 40, tarfile.REGTYPE, "")]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.pax_headers = kind, link, {"SCHILY.xattr.user.x": "y", "mtime": "12.5"}
            tar.addfile(info)
    gnu = io.BytesIO()
    with tarfile.open(fileobj=gnu, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("long/" * 30 + "name", "short"):
            info = tarfile.TarInfo(name)
            info.size = 700
            tar.addfile(info, io.BytesIO(b"c" * 700))
    for data in (raw.getvalue(), gnu.getvalue()):
        yield data
        yield gzip.compress(data, mtime=0)
        yield lzma.compress(data)
        yield bz2.compress(data)


def dockerfiles():
    cases = open(os.path.join(ROOT, "tests/differential/cases.txt"), encoding="utf-8").read()
    for match in re.finditer(r"^-- Dockerfile --\n(.*?)(?=^(?:===|--) )", cases, re.M | re.S):
        yield match[1].encode()
    real = sorted(path for path in glob.glob(REAL) if os.path.getsize(path) <= LARGEST)
    for path in real[:MOST_REAL_FILES]:
        yield open(path, "rb").read()


def main():
    words = [word for line in WORDS.split("\n") for word in line.split("|") if word]
    seeds = {
        "archive": [b"\0" + data for data in archives()] + [bytes.fromhex(script) for script in SCRIPTS],
        "dockerfile": list(dockerfiles()),
        "expand": [f"/a/b.c.d\n*{'?b/'[i % 3]}*\n{word}".encode() for i, word in enumerate(words)],
        "ignore": [f"{file}\0{paths}".encode() for file, paths in IGNORE_FILES],
    }
    for name, inputs in seeds.items():
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        for number, data in enumerate(inputs):
            with open(os.path.join(folder, f"seed{number}"), "wb") as out:
                out.write(data)


main()
