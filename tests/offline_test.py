#!/usr/bin/env python3
"""Plans real Dockerfiles without their bases and contexts: each one is either
planned or refused with a reason, and none crashes.

usage: offline_test.py LAMINA [FOLDER]
The folder is by default ../shared/data/dockerfiles/files beside the
repository; without it the test is skipped. The last line is `N passed, N
failed`, one test a file.
"""
import glob, json, os, re, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
BAD = re.compile(rb"internal error|CHECK failed|terminate called|Sanitizer")


def data_folder():
    """The folder of Dockerfiles, or None."""
    if len(sys.argv) > 2:
        return sys.argv[2]
    named = os.environ.get("LAMINA_DOCKERFILES")
    tree = os.path.dirname(HERE)
    for up in ("..", "../.."):
        named = named or next(iter(glob.glob(
            os.path.join(tree, up, "shared/data/dockerfiles/files"))), None)
    return named


def problems(done):
    """What is wrong with one run of `lamina plan`."""
    found = []
    diagnostics = []
    for line in done.stderr.decode("utf-8", "replace").splitlines():
        try:
            diagnostics.append(json.loads(line))
        except ValueError:
            found.append(f"a line that is no diagnostic: {line[:200]}")
    if done.returncode not in (0, 1):
        found.append(f"exit {done.returncode}")
    if BAD.search(done.stderr):
        found.append("an internal error")
    errors = [d for d in diagnostics if d["severity"] == "error"]
    if done.returncode == 1 and not errors:
        found.append("exit 1 without an error")
    if done.returncode == 0 and errors:
        found.append("exit 0 with an error")
    found += [f"no code: {d['message']}" for d in diagnostics if not d["code"]]
    return found + plan_problems(done)


def plan_problems(done):
    """A plan is there when it should be, and counts its own steps."""
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        return ["a plan beside errors"] if text else []
    try:
        plan = json.loads(text)
    except ValueError as error:
        return [f"no JSON: {error}"]
    states = [node["state"] for node in plan["nodes"]]
    result = plan["result"]
    found = []
    if result["run"] != states.count("run") or result["skipped"] != states.count("skipped"):
        found.append(f"{result} does not count {states}")
    if "cached" in states:
        found.append("a step is cached in an empty store")
    return found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    lamina = os.path.abspath(sys.argv[1])
    folder = data_folder()
    files = sorted(glob.glob(os.path.join(folder or "/nonexistent", "*")))
    if not files:
        print("0 passed, 0 failed, 1 skipped: needs the Dockerfiles of "
              "../shared/data/dockerfiles/files")
        sys.exit(1 if os.environ.get("CI") == "true" else 0)
    with tempfile.TemporaryDirectory(prefix="offline.") as scratch:
        context = os.path.join(scratch, "context")
        os.mkdir(context)
        environment = dict(os.environ, LC_ALL="C.UTF-8", HOME=scratch,
                           LAMINA_ROOT=os.path.join(scratch, "root"))

        def plan(path):
            command = [lamina, "plan", "--offline", "--format=json", "--error-format=json",
                       "-f", path, context]
            return subprocess.run(command, env=environment, timeout=120,
                                  stdin=subprocess.DEVNULL,
                                  capture_output=True)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = list(pool.map(plan, files))
        if os.listdir(scratch) != ["context"]:
            print("FAILED: planning wrote something")
            sys.exit(1)
    failed = 0
    for path, done in zip(files, runs):
        found = problems(done)
        failed += bool(found)
        for problem in found:
            print(f"FAILED: {os.path.basename(path)}: {problem}")
    planned = sum(done.returncode == 0 for done in runs)
    print(f"{planned} planned, {len(files) - planned} refused")
    print(f"{len(files) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
