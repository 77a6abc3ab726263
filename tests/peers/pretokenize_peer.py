"""The pieces of texts by the patterns of tekken and GPT-4o, as the tokenizers package cuts them: are those that unit.text.pretokenize keeps
still the package's? usage: pretokenize_peer.py [--write]    (--write: makes tests/unit/text/pretokenize.inc anew)"""
import os, random, sys

from tokenizers import Regex, pre_tokenizers

UPPER, LOWER, LEAD = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[^\r\n\p{L}\p{N}]?"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
ENDING = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERNS = {
    "tekken": LEAD + UPPER + "*" + LOWER + "+|" + LEAD + UPPER + "+" + LOWER + r"*|\p{N}" + REST,
    "gpt-4o": LEAD + UPPER + "*" + LOWER + "+" + ENDING + "|" + LEAD + UPPER + "+" + LOWER + "*" + ENDING + r"|\p{N}{1,3}" + REST,
}
# letters with and without case, title case, modifiers, marks, numbers of all kinds, blanks of all kinds, contractions
PARTS = ["a", "B", "c", "D", "1", "2", " ", " ", "\n", "\r", "\t", "/", "'", "'", "s", "S", "t", "re", "LL", "d", ".", "!", "-", "\u00e9", "\u00c9",
         "\u01c5", "\u02b0", "\u4e2d", "\u6587", "\u0301", "\u0903", "\u2167", "\u0663", "\u00a0", "\u0085", "\u2028", "\u017f", "\U0001f600",
         "\u00df", "\u10d0", "\u1c90"]
FIXED = ["It's the DON'T 12345/67\n\n/ x", "HTTPServer iPhone camelCase XMLHttp", "e\u0301 E\u0301A \u0301A \u0301 A", "//path\n/\n//x  y",
         "'S 'sX a\u02b9\u4e2d\u56fdABC"]


def literal(text):
    out = ""
    for b in text.encode():
        out += "\\" + chr(b) if chr(b) in '"\\' else chr(b) if 32 <= b < 127 else "\\%03o" % b
    return '"' + out + '"'


def lines(seed, n):
    rng = random.Random(seed)
    for name, pattern in PATTERNS.items():
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        for text in FIXED + ["".join(rng.choice(PARTS) for _ in range(rng.randint(1, 16))) for _ in range(n)]:
            pieces = ", ".join(str(len(p.encode())) for p, _ in cut.pre_tokenize_str(text))
            yield f'{{ "{name}", {literal(text)}, {{ {pieces} }} }},\n'


made = "/* Made by tests/peers/pretokenize_peer.py: name, text, bytes of its pieces as the tokenizers package cuts it. */\n" + "".join(lines(7, 60))
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/text/pretokenize.inc")
if "--write" in sys.argv:
    open(path, "w").write(made)
same = open(path).read() == made
print("pieces as carried" if same else "the package cuts otherwise than tests/unit/text/pretokenize.inc says")
sys.exit(not same)
