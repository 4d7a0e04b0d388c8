#!/usr/bin/env python3
"""Compares `lamina __layout` with the fixtures of ../shared/data/optimiser.

usage: layout_test.py LAMINA
Prints `N passed, N failed`, one test a trace; skips where they are absent.
"""
import json, os, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIXTURES = os.path.join(os.path.dirname(ROOT), "shared/data/optimiser")
PARAMS = ["default", "latency", "storage", "cold"]


def lines(name):
    with open(os.path.join(FIXTURES, name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def expected():
    """Trace file -> the objects that are expected of it."""
    segments = {row["name"]: row for row in lines("segments.expected.jsonl")}
    histories = lines("histories.expected.jsonl")
    for history in histories:
        if history["name"] in segments:
            history["segments"] = segments[history["name"]]
    with open(os.path.join(FIXTURES, "worked_example.expected.json")) as file:
        example = json.load(file)
    return {"worked_example.trace.jsonl": [example],
            "cases.trace.jsonl": lines("cases.expected.jsonl"),
            "histories.trace.jsonl": histories}


def differences(found, wanted):
    """The keys in which they differ; of the cases those that are wanted."""
    cases = {case["params"]: case for case in found["cases"]}
    for case in wanted["cases"]:
        if len(wanted["verbatim"]) > 9:  # Ties were not counted there.
            cases[case["params"]].pop("ties", None)
            case.pop("ties", None)
    bad = [f"cases {case['params']}" for case in wanted["cases"]
           if case != cases.get(case["params"])]
    return bad + [key for key in wanted
                  if key != "cases" and found.get(key) != wanted[key]]


def main():
    if not os.path.isdir(FIXTURES):
        print(f"skipped: no fixtures in {FIXTURES}\n0 passed, 0 failed")
        return
    passed = failed = 0
    for name, wanted in expected().items():
        with open(os.path.join(FIXTURES, name), "rb") as file:
            run = subprocess.run(
                [sys.argv[1], "__layout", "--segments",
                 *(f"--params={name}" for name in PARAMS), "-"],
                stdin=file, stdout=subprocess.PIPE, check=True)
        found = [json.loads(line) for line in run.stdout.splitlines()]
        if len(found) != len(wanted):
            sys.exit(f"{name}: {len(found)} traces, not {len(wanted)}")
        for one, other in zip(found, wanted):
            bad = differences(one, other)
            if bad:
                print(f"{name} {other['name']}: {', '.join(bad)}")
            passed, failed = passed + (not bad), failed + bool(bad)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
