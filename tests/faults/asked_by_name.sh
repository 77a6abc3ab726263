#!/bin/sh
# No op, format, method, architecture or role of a tensor is asked for by its name outside its own file: what others must
# know is a field of the row. usage: asked_by_name.sh PRECIS SOURCE_FOLDER
. "$(dirname "$0")/../common.sh"
cat >"$work/look.py" <<'PY'
import os, re, subprocess, sys

precis, root = sys.argv[1:3]


def listed(table):
    lines = subprocess.run([precis, "list", table], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[0] for line in lines if line.strip()]


def roles():
    return re.findall(r"^ROLE\((\w+),", open(os.path.join(root, "src/model/roles.def")).read(), re.M)


def model_types():
    folder = os.path.join(root, "src/graph/arch")
    text = "".join(open(os.path.join(folder, f)).read() for f in os.listdir(folder))
    return re.findall(r'\{ "(\w+)", (?:"\w+"|NULL), [\d.e-]+, ', text)


# What is a name: the whole of a word that is compared, or a part of one for roles ("attn_v.", ".attn_q.weight").
ROW = {n.lower() for t in ("ops", "formats", "methods", "architectures") for n in listed(t)} | set(model_types())
PART = [r for r in roles() if "_" in r] + ["blk."]
CALL = re.compile(r"\b(strn?cmp|strn?casecmp|strstr|strcasestr|memcmp|sscanf|pcs_ends|pcs_is|is|same|is_kind|starts)\s*\(")
# Words of others that are spelt like a name of ours: tokenizers (GGUF calls them after models), and how other programs
# say that they have quantized a model; types of caches, in a plan's file; and words of a configuration of training.
OTHERS = {
    "src/text/": "bert gpt2 llama", "src/read/tokenizer": "bert gpt2 llama qwen2", "src/read/hf_special.c": "bert",
    "src/write/hf_config.c": "bert gpt2 llama", "src/read/hf_quant": "awq gptq bitnet", "src/job/planning.c": "f16",
    "src/train/config.c": "f32 llama",
    # Words of attributes of ONNX, of .npy, of Jinja; an op's own modes.
    "src/read/onnx/": "mean max tanh swish", "src/read/npy.c": "shape",
    "src/read/pt2/": "floor", # a word of an argument of torch
    "src/run/net.c": "U8 u8", "src/text/jinja": "and or not", "src/graph/op/pool.c": "max mean",
    "src/graph/op/put.h": "add mul max min", "src/write/hf_tokenizer.c": "bert gpt2 llama",
}


def words(text):
    """Strings among the arguments of comparisons of a line."""
    for m in CALL.finditer(text):
        depth, at = 1, m.end()
        while at < len(text) and depth:
            depth += (text[at] == "(") - (text[at] == ")")
            at += 1
        yield from re.findall(r'"((?:[^"\\]|\\.)*)"', text[m.end() : at])


def look(path, text):
    own = os.path.splitext(os.path.basename(path))[0]
    allowed = {w for k, v in OTHERS.items() if path.startswith(k) for w in v.split()}
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(("*", "/*", "//")):
            continue
        for word in words(line):
            row = word.lower() in ROW and word.lower() != own and word not in allowed
            part = any(p in word for p in PART) and path != "src/model/roles.c"
            if row or part:
                yield f"{path}:{number}: \"{word}\" is asked for by its name: {line.strip()[:100]}"


def self_test():
    seen = ['if (!strcmp(n->op->name, "matmul"))', 'x = strstr(t->name, "attn_v.") != NULL;',
            'strcmp(f->name, "Q8_K") && y', 'sscanf(name, "blk.%9u.%n", &l, &u)', '!strcmp(arch, "gemma2")',
            'strcmp(set.coder->name, "rtn")', 'strcmp(type, "qwen3_moe")']
    for line in seen:
        assert list(look("src/quant/x.c", line)), line
    for path, line in (("src/quant/rtn.c", '!strcmp(m->name, "rtn")'), ("src/read/tokenizer_words.c", '!strcmp(k, "bert")'),
                       ("src/quant/x.c", 'pcs_fail(ctx, "matmul %s", strerror(e))'), ("src/quant/x.c", '/* "matmul" */')):
        assert not list(look(path, line)), line


self_test()
found, files = [], 0
for folder, _, names in os.walk(os.path.join(root, "src")):
    for name in sorted(names):
        if name.endswith((".c", ".h")):
            path = os.path.relpath(os.path.join(folder, name), root)
            files += 1
            found += look(path, open(os.path.join(root, path)).read())
print("\n".join(found))
assert files > 200, files
sys.exit(bool(found))
PY
expect 0 python3 "$work/look.py" "$precis" "$root"
[ $failed = 0 ] || cat "$work/out" "$work/err"
exit $failed
