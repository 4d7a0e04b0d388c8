#!/usr/bin/env python3
"""Checks the pictures among the golden files of `lamina plan`: well-formed,
self-contained, and without anything that runs.

usage: pictures_test.py
Prints each break and, last, `N passed, N failed`, one test a file.
"""
import glob, html.parser, os, re, sys
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SVG = "{http://www.w3.org/2000/svg}"
# HTML elements without an end tag.
VOID = {"meta", "br", "input", "img", "link", "hr", "base", "embed", "source"}
# What may run or fetch. `style` is text of ours and is looked at apart.
FORBIDDEN = {"script", "iframe", "object", "embed", "img", "link", "base",
             "image", "use", "foreignobject", "form", "audio", "video", "a"}
URL_ATTRIBUTES = {"href", "src", "xlink:href", "action", "data", "poster",
                  "srcset", "background", "cite"}
FETCH = re.compile(r"url\(|@import|https?://|javascript:", re.IGNORECASE)


def judge(tag, attributes):
    """What is wrong with one element."""
    found = []
    if tag.lower() in FORBIDDEN:
        found.append(f"<{tag}> may run or fetch something")
    for name, value in attributes:
        if name.lower().startswith("on"):
            found.append(f"<{tag} {name}=> runs something")
        if name.lower() in URL_ATTRIBUTES:
            found.append(f"<{tag} {name}={value}> leads out of the file")
        if name == "style" and FETCH.search(value or ""):
            found.append(f"the style of a <{tag}> fetches something")
    return found


class Page(html.parser.HTMLParser):
    """Collects what is wrong with an HTML page."""

    def __init__(self):
        super().__init__()
        self.open, self.found, self.ids, self.titles = [], [], set(), 0

    def handle_starttag(self, tag, attributes):
        self.found += judge(tag, attributes)
        for name, value in attributes:
            if name == "id" and value in self.ids:
                self.found.append(f"id {value} stands twice")
            if name == "id":
                self.ids.add(value)
        self.titles += tag == "title" and self.open[-1:] == ["head"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found += judge(tag, attributes)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.found.append(f"</{tag}> at {self.getpos()} ends "
                              f"<{self.open[-1] if self.open else ''}>")
        else:
            self.open.pop()

    def handle_data(self, data):
        if self.open[-1:] == ["style"] and FETCH.search(data):
            self.found.append("the style sheet fetches something")


def check_html(text):
    page = Page()
    page.feed(text)
    page.close()
    found = page.found + [f"<{tag}> has no end" for tag in page.open]
    if not text.startswith("<!DOCTYPE html>\n"):
        found.append("no document type")
    if page.titles != 1:
        found.append(f"{page.titles} titles")
    if "default-src 'none'" not in text:
        found.append("no content security policy")
    return found


def check_svg(text):
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return [f"not well-formed: {error}"]
    found = [] if root.tag == SVG + "svg" else [f"the root is {root.tag}"]
    width, height = float(root.get("width")), float(root.get("height"))
    for element in root.iter():
        tag = element.tag.removeprefix(SVG)
        found += judge(tag, element.attrib.items())
        if tag == "style" and FETCH.search(element.text or ""):
            found.append("the style sheet fetches something")
        if tag == "text" and not (0 <= float(element.get("x")) <= width
                                  and 0 <= float(element.get("y")) <= height):
            found.append(f"outside of the picture: {element.text}")
    return found


def main():
    passed = failed = 0
    for kind, check in (("svg", check_svg), ("html", check_html)):
        paths = sorted(glob.glob(f"{ROOT}/cli/plan_formats/*.{kind}.golden"))
        if not paths:
            print(f"no {kind} to check")
            failed += 1
        for path in paths:
            found = check(open(path, encoding="utf-8").read())
            for problem in found:
                print(f"FAILED: {os.path.basename(path)}: {problem}")
            passed, failed = passed + (not found), failed + bool(found)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
