#!/usr/bin/env python3
"""Checks every #include against the tables of ARCHITECTURE.md.

"Who may include whom" says which folders a folder may use, "Libraries" in which
files a library may stand. Prints each break and `N passed, N failed`, one test
a file.
"""
import fnmatch, glob, os, re, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# The headers of each library of the table.
HEADERS = {
    "ANTLR": r"antlr4-.*",
    "nlohmann-json": r"nlohmann/.*",
    "OpenSSL": r"openssl/.*",
    "SQLite": r"sqlite3\.h",
    "libarchive": r"archive(_entry)?\.h",
    "ISA-L": r"(isa-l|isal)(/.*|\.h)|igzip_lib\.h|crc\.h",
    "zlib": r"zlib\.h",
    "zstd": r"zstd.*\.h",
    "libseccomp": r"seccomp\.h",
    "libcurl": r"curl/.*",
    "CLI11": r"CLI/.*",
}
# Free for all; the test libraries only for tests.
C_LIBRARY = """aio assert cpio ctype dirent dlfcn elf endian errno fcntl fnmatch ftw
  getopt glob grp inttypes langinfo limits locale math mntent netdb poll pthread
  pty pwd regex sched setjmp signal spawn stddef stdint stdio stdlib string
  syscall sysexits syslog termios time ucontext unistd utime wchar""".split()
FREE = re.compile(r"[a-z_]+|(%s)\.h|(sys|linux|net|netinet|arpa|asm)/.*\.h|absl/.*"
                  % "|".join(C_LIBRARY))
FOR_TESTS = re.compile(r"(gtest|gmock|benchmark)/.*")
# Inside backend these do not know how an image is built.
BLIND = ("backend/formats", "backend/remote", "backend/store")
HIDDEN = re.compile(r"backend/(plan|executor)\.h")


def read_table(text, heading):
    """The rows of the first table below `heading`, without its head."""
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


def read_rules():
    text = open(f"{ROOT}/ARCHITECTURE.md", encoding="utf-8").read()
    folders = {row[0]: set(row[1].split())
               for row in read_table(text, "Who may include whom")}
    libraries = []
    for names, files, _ in read_table(text, "Libraries"):
        for name in names.split(","):
            word = name.strip().split(" ")[0]
            if word not in HEADERS:
                sys.exit(f"include_test.py does not know the headers of `{word}`")
            libraries.append((name.strip(), re.compile(HEADERS[word]),
                              re.findall(r"`([^`]+)`", files)))
    return folders, libraries


def judge(path, quote, header, folders, libraries):
    """What is wrong with one include, or ''."""
    own = path.split("/")[0]
    for name, pattern, files in libraries:
        if pattern.fullmatch(header):
            allowed = any(fnmatch.fnmatch(path, glob_) for glob_ in files)
            return "" if allowed else f"{name} may only stand in {', '.join(files)}"
    if quote == '"' and "/" not in header:
        return ""  # Generated, in the same folder.
    top = header.split("/")[0]
    if top in folders:
        if path.startswith(BLIND) and HIDDEN.fullmatch(header):
            return "formats, remote and store do not see the plan or executor"
        if top != own and top not in folders[own]:
            return f"{own} may not include {top}"
        return ""
    if FREE.fullmatch(header):
        return ""
    if FOR_TESTS.fullmatch(header):
        name = os.path.basename(path)
        return "" if name.endswith("_test.cc") or name.startswith("test_") \
            or own == "tests" else "a test library outside a test"
    return "of no library that ARCHITECTURE.md lists"


def main():
    folders, libraries = read_rules()
    passed = failed = 0
    for folder in folders:
        for path in sorted(glob.glob(f"{ROOT}/{folder}/**/*", recursive=True)):
            if not path.endswith((".cc", ".h", ".def")):
                continue
            name, good = os.path.relpath(path, ROOT), True
            for number, line in enumerate(open(path, encoding="utf-8"), 1):
                if not (match := INCLUDE.match(line)):
                    continue
                if wrong := judge(name, *match.groups(), folders, libraries):
                    print(f"{name}:{number}: {match.group(2)}: {wrong}")
                    good = False
            passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
