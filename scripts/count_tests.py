#!/usr/bin/env python3
"""Adds up the results that scripts/test.sh left in a folder.

usage: count_tests.py FOLDER
Prints each failed or skipped test and, last, `N passed, N failed[, N skipped]`.
Exits with 1 when a test failed or none ran. With CI=true a test that was
skipped with a reason containing "needs " counts as failed.
"""
import glob, os, re, sys
import xml.etree.ElementTree as ElementTree

STRICT = os.environ.get("CI") == "true"
LINE = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?(.*)")


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, name, outcome, reason=""):
        if outcome == "skipped" and STRICT and "needs " in reason:
            outcome = "failed"
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome != "passed":
            print(f"{outcome}: {name}" + (f": {reason}" if reason else ""))

    def add_text(self, name, text):
        """Takes the last `N passed, N failed` line; False if there is none."""
        lines = LINE.findall(text)
        if not lines:
            return False
        passed, failed, skipped, reason = lines[-1]
        self.passed += int(passed)
        self.failed += int(failed)
        if int(failed):
            print(f"failed: {name}: {failed} of its cases")
        for _ in range(int(skipped or 0)):
            self.add(name, "skipped", reason.strip(": "))
        return True


def add_gtest(totals, name, path):
    for case in ElementTree.parse(path).iter("testcase"):
        title = f"{name}: {case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None:
            totals.add(title, "failed")
        elif skip is not None:
            reason = (skip.get("message") or "").strip().splitlines()
            totals.add(title, "skipped", reason[-1] if reason else "")
        elif case.get("status") == "run":
            totals.add(title, "passed")


def add_preset(totals, folder):
    preset = os.path.basename(folder)
    for path in glob.glob(f"{folder}/*.txt"):
        totals.add_text(preset, open(path, encoding="utf-8").read())
    if not os.path.exists(f"{folder}/ctest.xml"):
        return
    for case in ElementTree.parse(f"{folder}/ctest.xml").iter("testcase"):
        name = f"{preset} {case.get('name')}"
        report = f"{folder}/gtest/{case.get('name')}.xml"
        good = case.get("status") == "run"
        before = totals.failed
        if os.path.exists(report):
            add_gtest(totals, name, report)
        elif not totals.add_text(name, case.findtext("system-out") or ""):
            totals.add(name, "passed" if good else "failed")
        # A crash after the last case, or a leak.
        if not good and totals.failed == before:
            totals.add(name, "failed", "ended badly")


def main():
    totals = Totals()
    for entry in sorted(glob.glob(f"{sys.argv[1]}/*")):
        if os.path.isdir(entry):
            add_preset(totals, entry)
        else:
            name = os.path.splitext(os.path.basename(entry))[0]
            totals.add_text(name, open(entry, encoding="utf-8").read())
    skipped = f", {totals.skipped} skipped" if totals.skipped else ""
    print(f"{totals.passed} passed, {totals.failed} failed{skipped}")
    sys.exit(1 if totals.failed or not totals.passed else 0)


main()
