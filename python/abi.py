"""What include/precis/*.h declares, as the module precis._abi: structs, constants, callbacks and functions for ctypes.

The headers are the only source: nothing is written down twice, and a header that changes changes the package with it.
They keep to a small part of C (one declaration a statement, no bit fields, no unions), which is all that is understood
here; anything else is an error that names it. tests/cli/python.sh compares every size and offset with a C compiler's.

usage: abi.py INCLUDE_FOLDER >precis/_abi.py
"""
import os
import re
import sys

NUMBERS = {
    "char": "c_char", "int": "c_int", "unsigned": "c_uint", "size_t": "c_size_t", "float": "c_float",
    "double": "c_double", "int32_t": "c_int32", "uint8_t": "c_uint8", "uint16_t": "c_uint16", "uint32_t": "c_uint32",
    "int64_t": "c_int64", "uint64_t": "c_uint64",
}


class Header(Exception):
    """A header says something that is not understood here."""


def read(folder, name, seen):
    """The text of a header behind that of those which it includes, each once, without comments."""
    if name in seen:
        return ""
    seen.add(name)
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", " ", f.read(), flags=re.S).replace("\\\n", " ")
    before = "".join(read(folder, inner, seen) for inner in re.findall(r'^#include "(.*)"', text, flags=re.M))
    return before + text


def statements(text):
    """Declarations at the outermost level."""
    text = re.sub(r"^#ifdef __cplusplus\n.*?^#endif", "", text, flags=re.M | re.S)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    depth, start = 0, 0
    for at, c in enumerate(text):
        depth += (c == "{") - (c == "}")
        if c == ";" and not depth:
            yield " ".join(text[start:at].split())
            start = at + 1
    if text[start:].strip():
        raise Header(f"no declaration: {text[start:].strip()[:80]}")


def parts(text, separator):
    """Split at separators that are in no brackets."""
    depth, start = 0, 0
    for at, c in enumerate(text):
        depth += (c in "({[") - (c in ")}]")
        if c == separator and not depth:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()


class Abi:
    def __init__(self, text):
        self.constants, self.structs, self.callbacks, self.functions, self.initial = {}, {}, {}, {}, {}
        self.names = dict(NUMBERS)  # of types, as ctypes calls them
        self.opaque = set()
        for name, value in re.findall(r"^#define (PRECIS_\w+) (\d+)$", text, flags=re.M):
            self.constants[name] = int(value)
        for s in statements(text):
            self.declare(s)
        for name, body in re.findall(r"^#define (PRECIS_\w+)_INIT\s*(\{.*\})\s*$", text, flags=re.M):
            self.initial[name.lower()] = body

    # ---- types -------------------------------------------------------------------------------------------
    def type_of(self, text, field):
        """ctypes' type of a C type (no name in it). field: in a struct, where arrays are arrays."""
        lengths = re.findall(r"\[(\w*)\]", text)
        text = re.sub(r"\[\w*\]", "", text)
        stars = text.count("*")
        words = [w for w in re.sub(r"[*]", " ", text).split() if w not in ("volatile", "struct")]
        constant = words and words[0] == "const"
        words = [w for w in words if w != "const"]
        if len(words) != 1:
            raise Header(f"no type: {text}")
        base = words[0]
        if lengths and not field:
            stars, lengths = stars + 1, []
        out = self.pointed(base, constant, stars)
        for n in reversed(lengths):
            out = f"{out} * {self.number(n)}"
        return out

    def pointed(self, base, constant, stars):
        if base in self.callbacks:
            return base
        bare = base == "void" or base in self.opaque or base not in self.names
        if not stars:
            if bare:
                raise Header(f"{base} has no size")
            return self.names[base]
        if bare or base == "char":  # what the library owns is a bare pointer, so that ctypes makes no copy of it
            inner = "c_char_p" if base == "char" and constant else "c_void_p"
        else:
            inner = f"POINTER({self.names[base]})"
        for _ in range(stars - 1):
            inner = f"POINTER({inner})"
        return inner

    def number(self, text):
        return text if text.isdigit() else str(self.constants[text])

    def declarators(self, text, field):
        """("name", ctypes type) of "const char *a, *b[2]", of a pointer to a function, of a struct within one."""
        m = re.fullmatch(r"(.*)\(\*(\w+)\)\((.*)\)", text)
        if m:
            yield m[2], self.callback(m[1], m[3])
            return
        first, *rest = parts(text, ",")
        m = re.fullmatch(r"(.*?)((?:\*\s*(?:const\s*)?)*)(\w+)((?:\[\w*\])*)", first)
        if not m:
            raise Header(f"no declaration: {text}")
        base = m[1].strip()
        for one in [f"{m[2]}{m[3]}{m[4]}"] + rest:
            k = re.fullmatch(r"((?:\*\s*(?:const\s*)?)*)(\w+)((?:\[\w*\])*)", one)
            yield k[2], self.type_of(f"{base} {k[1]} {k[3]}", field)

    def callback(self, result, arguments):
        types = [] if arguments.strip() == "void" else [self.argument(a) for a in parts(arguments, ",")]
        result = "None" if result.strip() == "void" else self.type_of(result, False)
        return f"CFUNCTYPE({', '.join([result] + types)})"

    def argument(self, text):
        (_, found), = self.declarators(text, False)
        return found

    # ---- declarations ------------------------------------------------------------------------------------
    def declare(self, s):
        enum = re.fullmatch(r"(?:typedef )?enum ?(\w*) ?\{(.*)\} ?(\w*)", s)
        struct = re.fullmatch(r"typedef struct (\w+) \{(.*)\} (\w+)", s)
        function = re.fullmatch(r"PRECIS_API (.*?)(\w+)\((.*)\)", s)
        callback = re.fullmatch(r"typedef (.*?)(\w+)\((.*)\)", s)
        opaque = re.fullmatch(r"(?:typedef )?struct (\w+)(?: \1)?", s)
        alias = re.fullmatch(r"typedef (\w+) (\w+)", s)
        if enum:
            self.enumerate(enum[2])
            self.names[enum[3]] = "c_int"
        elif struct:
            self.struct(struct[1], struct[2])
        elif function:
            types = [] if function[3] == "void" else [self.argument(a) for a in parts(function[3], ",")]
            result = "None" if function[1].strip() == "void" else self.type_of(function[1], False)
            self.functions[function[2]] = (result, types)
        elif callback and not alias:
            self.callbacks[callback[2]] = self.callback(callback[1], callback[3])
        elif opaque:
            self.opaque.add(opaque[1])
        elif alias:
            self.names[alias[2]] = self.names[alias[1]]
        else:
            raise Header(f"not understood: {s[:120]}")

    def enumerate(self, body):
        value = 0
        for item in parts(body, ","):
            name, _, given = (x.strip() for x in item.partition("="))
            value = int(given) if given else value
            self.constants[name] = value
            value += 1

    def struct(self, name, body):
        fields = []
        for field in parts(body, ";"):
            inner = re.fullmatch(r"struct \{(.*)\} (\w+)((?:\[\w*\])*)", field)
            if inner:
                own = f"{name}_{inner[2]}"
                self.struct(own, inner[1])
                fields.append((inner[2], self.type_of(own + inner[3], True)))
            else:
                fields += self.declarators(field, True)
        self.opaque.discard(name)
        self.names[name] = name
        self.structs[name] = fields

    # ---- what options are before anybody sets them -------------------------------------------------------
    def value(self, text):
        if text in self.constants:
            return self.constants[text]
        if text == "NULL" or text.startswith("sizeof"):
            return 0
        limit = re.fullmatch(r"(U?)INT(\d+)_MAX", text)
        if limit:
            return (1 << int(limit[2]) - (not limit[1])) - 1
        nested = re.fullmatch(r"(PRECIS_\w+)_INIT", text)
        if nested:
            return self.defaults(nested[1].lower())
        if re.fullmatch(r'"[^"\\]*"', text):
            return text[1:-1].encode()
        if text.startswith("{"):
            return 0 if not text.strip("{ }0,") else self.refuse(text)
        try:
            return float(text.rstrip("f")) if re.search(r"[.f]", text) else int(text)
        except ValueError:
            return self.refuse(text)

    def refuse(self, text):
        raise Header(f"no value: {text}")

    def defaults(self, name):
        values = [self.value(x) for x in parts(self.initial[name].strip()[1:-1], ",")]
        names = [field for field, _ in self.structs[name]]
        if len(values) != len(names):
            raise Header(f"{name.upper()}_INIT has {len(values)} values, {name} {len(names)} members")
        return {field: v for field, v in zip(names, values) if v}

    def write(self):
        yield '"""Made from include/precis/*.h by python/abi.py; not to be changed by hand."""'
        yield "from ctypes import *  # noqa: F401, F403"
        yield ""
        for name, value in self.constants.items():
            yield f"{name} = {value}"
        for name in self.structs:
            yield f"\n\nclass {name}(Structure):\n    pass"
        yield "\n"
        for name, made in self.callbacks.items():
            yield f"{name} = {made}"
        for name, fields in self.structs.items():
            yield f"{name}._fields_ = ["
            yield from (f'    ("{field}", {kind}),' for field, kind in fields)
            yield "]"
        yield "STRUCTS = [" + ", ".join(self.structs) + "]"
        yield "INITIAL = {"
        yield from (f"    {name}: {self.defaults(name)!r}," for name in self.initial if name in self.structs)
        yield "}"
        yield "FUNCTIONS = {"
        for name, (result, types) in self.functions.items():
            yield f'    "{name}": ({result}, [{", ".join(types)}]),'
        yield "}"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: abi.py INCLUDE_FOLDER")
    try:
        print("\n".join(Abi(read(sys.argv[1], "precis/precis.h", set())).write()))
    except (Header, KeyError) as e:
        sys.exit(f"abi.py: {e}")


if __name__ == "__main__":
    main()
