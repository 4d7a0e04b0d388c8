#!/usr/bin/env python3
"""Runs golden cases: a command, its files, and every line that it prints.

usage: run_golden.py LAMINA [--update] [FILE.golden...]
Without files: all *.golden beside this script. --update rewrites them.

    === title of the case, a sentence
    # needs: root
    $ lamina build -q .
    -- Dockerfile --
    FROM scratch
    -- stdout --
    -- stderr --
    -- exit --
    1

Each case runs in its own empty folder ($DIR in what is printed) with its own
store ($ROOT). Several `$` lines run one after the other in one shell. A section
that is not there is empty; the exit code is then 0. `-- name 755 --` gives a
file a mode.
"""
import difflib, glob, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SECTION = re.compile(r"^-- (.+?)(?: ([0-7]{3,4}))? --$")
PRINTED = ("stdout", "stderr", "exit")
NO_NEWLINE = "(no newline at the end)"


class Case:
    def __init__(self, title):
        self.title = title
        self.head = []      # Lines before the first section.
        self.files = []     # (marker line, name, mode, text)
        self.printed = {}   # stdout, stderr, exit

    @property
    def commands(self):
        return [line[2:] for line in self.head if line.startswith("$ ")]

    @property
    def needs(self):
        return [word for line in self.head if line.startswith("# needs:")
                for word in line[8:].split()]


def read_cases(path):
    preamble, cases, put = [], [], None
    for line in open(path, encoding="utf-8").read().splitlines():
        if line.startswith("=== "):
            cases.append(Case(line[4:]))
            put = cases[-1].head.append
        elif not cases:
            preamble.append(line)
        elif match := SECTION.match(line):
            name, mode = match.groups()
            text = []
            put = text.append
            if name in PRINTED:
                cases[-1].printed[name] = text
            else:
                cases[-1].files.append((line, name, mode, text))
        else:
            put(line)
    return preamble, cases


def print_cases(preamble, cases):
    lines = list(preamble)
    for case in cases:
        lines += [f"=== {case.title}"] + case.head
        for marker, _, _, text in case.files:
            lines += [marker] + text
        for name in PRINTED:
            if name in case.printed:
                lines += [f"-- {name} --"] + case.printed[name]
    return "\n".join(lines) + "\n"


def missing(case):
    """Why the case cannot run here, or ''."""
    for need in case.needs:
        if need == "root" and os.geteuid() != 0:
            return "needs root"
        if need != "root" and not shutil.which(need):
            return f"needs {need}"
    return ""


def to_lines(data, folder):
    text = data.decode("utf-8", "backslashreplace")
    text = text.replace(f"{folder}/case", "$DIR").replace(f"{folder}/root", "$ROOT")
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines + [NO_NEWLINE]


def run_case(case, lamina):
    """Returns what the case prints, as sections."""
    with tempfile.TemporaryDirectory(prefix="golden.") as folder:
        os.makedirs(f"{folder}/case")
        os.makedirs(f"{folder}/bin")
        os.symlink(lamina, f"{folder}/bin/lamina")
        for _, name, mode, text in case.files:
            path = f"{folder}/case/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in text))
            if mode:
                os.chmod(path, int(mode, 8))
        environment = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": folder,
            "LAMINA_ROOT": f"{folder}/root", "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "SOURCE_DATE_EPOCH": "1700000000"}
        for name in os.environ:
            if name.startswith(("ASAN_", "UBSAN_", "LSAN_")):
                environment[name] = os.environ[name]
        # A stuck command is a failure, not a stuck test run.
        done = subprocess.run(["sh", "-c", "\n".join(case.commands)],
                              cwd=f"{folder}/case", env=environment, timeout=300,
                              stdin=subprocess.DEVNULL, capture_output=True)
        printed = {"stdout": to_lines(done.stdout, folder),
                   "stderr": to_lines(done.stderr, folder),
                   "exit": [str(done.returncode)]}
        return printed


def check(case, found):
    """Prints the differences; True if there are none."""
    good = True
    for name in PRINTED:
        wanted = case.printed.get(name, ["0"] if name == "exit" else [])
        if wanted == found[name]:
            continue
        good = False
        for line in difflib.unified_diff(wanted, found[name], f"wanted {name}",
                                         f"found {name}", lineterm=""):
            print(f"    {line}")
    return good


def update(case, found):
    for name in PRINTED:
        wanted = case.printed.get(name, ["0"] if name == "exit" else [])
        if wanted == found[name]:
            continue
        case.printed[name] = found[name]
        if found[name] in ([], ["0"]) and name != "stdout":
            del case.printed[name]


def main():
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    if not arguments:
        sys.exit(__doc__)
    lamina = os.path.abspath(arguments[0])
    paths = arguments[1:] or sorted(glob.glob(f"{HERE}/*.golden"))
    strict = os.environ.get("CI") == "true"
    passed = failed = skipped = 0
    for path in paths:
        preamble, cases = read_cases(path)
        for case in cases:
            title = f"{os.path.basename(path)}: {case.title}"
            if reason := missing(case):
                print(f"skipped: {title}: {reason}")
                skipped, failed = skipped + (not strict), failed + strict
                continue
            try:
                found = run_case(case, lamina)
            except subprocess.TimeoutExpired:
                found = {"stdout": ["(timed out)"], "stderr": [], "exit": ["124"]}
            if "--update" in sys.argv:
                update(case, found)
            good = check(case, found)
            print(f"{'ok' if good else 'FAILED'}: {title}")
            passed, failed = passed + good, failed + (not good)
        if "--update" in sys.argv:
            with open(path, "w", encoding="utf-8") as file:
                file.write(print_cases(preamble, cases))
    tail = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{tail}")
    sys.exit(1 if failed or not passed + skipped else 0)


if __name__ == "__main__":
    main()
