"""The text of a Standard Ebooks book (CC0), as gutenberg-7m's maker joined it: what PRIDE of bench/train_evidence.py names.

usage: standard_ebook.py FOLDER OUT.txt     (FOLDER: a checkout of the book, as of github.com/standardebooks/jane-austen_pride-and-prejudice)

A paragraph is one line, an empty line between two; a chapter's number stands before the first of it.
"""
import os, re, sys
from xml.etree import ElementTree

folder, out = os.path.join(sys.argv[1], "src", "epub", "text"), sys.argv[2]
XHTML = "{http://www.w3.org/1999/xhtml}"


def chapter(path):
    number = ""
    for e in ElementTree.parse(path).getroot().iter():
        text = re.sub(r"[ \t\r\n]+", " ", "".join(e.itertext())).strip(" ")
        if e.tag == XHTML + "h2":
            number = text + " "
        elif e.tag == XHTML + "p":
            yield number + text
            number = ""


names = [n for n in os.listdir(folder) if re.fullmatch(r"chapter-\d+\.xhtml", n)]
if not names:
    raise SystemExit(f"{folder} has no chapter-N.xhtml")
names.sort(key=lambda n: int(re.search(r"\d+", n).group()))
with open(out, "w", encoding="utf-8") as f:
    for n in names:
        for p in chapter(os.path.join(folder, n)):
            f.write(p + "\n\n")
