#!/bin/sh
# terminal_pieces.sh PRECIS SOURCE: tokens and rendered templates of a stranger's file do not command a terminal, in
# 7-bit or in 8-bit control bytes; a NUL in a string of an array is refused as in a string.
. "$2/tests/common.sh"

cat >"$work/terminal.py" <<'END'
import os, pty, sys
pid, fd = pty.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
out = b""
try:
    while True:
        part = os.read(fd, 65536)
        if not part:
            break
        out += part
except OSError:
    pass
sys.stdout.buffer.write(out)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
odd=$(printf 'a\302\233b\033[31m')
printf '{{ messages[0].content }}' >"$work/t.jinja"
expect 0 python3 "$work/terminal.py" "$precis" tokenize --render "$work/t.jinja" --message "user=$odd"
has out 'b.x1b\[31m'
python3 - "$work/out" <<'END' || failed=1
import sys
b = open(sys.argv[1], 'rb').read()
assert b'\x1b' not in b and b'\xc2\x9b' not in b, b
END
expect 0 python3 "$work/terminal.py" "$precis" tokenize "$model" -p "$odd" --pieces
python3 - "$work/out" <<'END' || failed=1
import sys
b = open(sys.argv[1], 'rb').read()
assert b'\x1b' not in b and b'\x9b' not in b and b'\\x1b' in b and b'\\x9b' in b, b
END
python3 - "$work/nul.gguf" <<'END'
import struct, sys
text = lambda b: struct.pack('<Q', len(b)) + b
head = b'GGUF' + struct.pack('<IQQ', 3, 0, 2) + text(b'general.architecture') + struct.pack('<I', 8) + text(b'none')
head += text(b'tokenizer.ggml.tokens') + struct.pack('<IIQ', 9, 8, 2) + text(b'a') + text(b'b\0c')
open(sys.argv[1], 'wb').write(head + b'\0' * (-len(head) % 32))
END
expect 3 "$precis" inspect "$work/nul.gguf"
has err "NUL byte in a string of the array"
exit $failed
