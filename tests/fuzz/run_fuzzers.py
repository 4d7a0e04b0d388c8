#!/usr/bin/env python3
"""Runs every fuzzer for a while, two at a time.

usage: run_fuzzers.py FOLDER [--seconds N] [--seed N] [--only WORD] [--keep DIR]
FOLDER holds the fuzzers. Prints a line a fuzzer, for one that found something
its report and the input, and `N passed, N failed`. --keep holds the corpora
and inputs that failed, and goes on with what it held before.
"""
import argparse, base64, concurrent.futures, glob, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# Well above what any input needs, on a busy machine too.
LONGEST_INPUT_SECONDS = 20
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1"}


def fuzz(fuzzer, work, seconds, seed):
    """What is wrong, or '', and how many inputs ran."""
    name = os.path.basename(fuzzer).removesuffix("_fuzzer")
    found, temporary = os.path.join(work, name + ".found"), os.path.join(work, name + ".tmp")
    for folder in (found, temporary):
        os.makedirs(folder, exist_ok=True)
    done = subprocess.run(
        [fuzzer, f"-max_total_time={seconds}", f"-timeout={LONGEST_INPUT_SECONDS}", f"-seed={seed}", "-rss_limit_mb=3000", "-max_len=4096",
         "-print_final_stats=1", f"-artifact_prefix={found}/", os.path.join(work, name)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env=dict(os.environ, TMPDIR=temporary, **ENVIRONMENT))
    shutil.rmtree(temporary, ignore_errors=True)
    runs = re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stdout)
    if not done.returncode:
        return "", int(runs[-1]) if runs else 0
    report = "\n".join(line for line in done.stdout.splitlines() if not re.match(r"#\d+\s+(NEW|REDUCE|pulse|INITED|RELOAD)", line))
    inputs = [f"{os.path.basename(path)}: {base64.b64encode(open(path, 'rb').read()).decode()}"
              for path in glob.glob(found + "/*") if "slow-unit" not in path]
    return "\n".join([report[-6000:]] + inputs), int(runs[-1]) if runs else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1, help="another one finds other inputs; 0 is the time")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    args = parser.parse_args()
    work = args.keep or tempfile.mkdtemp(prefix="fuzz.")
    subprocess.run([sys.executable, os.path.join(HERE, "make_seeds.py"), work], check=True)
    fuzzers = sorted(path for path in glob.glob(os.path.join(args.folder, "*_fuzzer")) if args.only in path)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda fuzzer: fuzz(fuzzer, work, args.seconds, args.seed), fuzzers)
        for fuzzer, (problem, runs) in zip(fuzzers, results):
            print(f"{'FAILED' if problem else 'passed'} {os.path.basename(fuzzer)}: {runs} inputs", flush=True)
            if problem:
                print("  " + problem.replace("\n", "\n  "))
            passed, failed = passed + (not problem), failed + bool(problem)
    if not args.keep:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
