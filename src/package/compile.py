# Compiles modules in the image's own interpreter. Reads (path length, source length, path, source) from standard input,
# writes (1 or 0, length, byte code) for each to standard output; lengths are 32-bit little endian. Uses nothing but
# built-in and frozen modules. The byte code is an unchecked hash-based pyc (PEP 552): it holds no time, and Python never
# looks at the source again.
import _imp
import marshal
import sys
from _frozen_importlib_external import MAGIC_NUMBER

KEY = int.from_bytes(MAGIC_NUMBER, "little")
HASH_BASED = (1).to_bytes(4, "little")

stdin = sys.stdin.buffer
stdout = sys.stdout.buffer
while header := stdin.read(8):
    path = stdin.read(int.from_bytes(header[:4], "little")).decode()
    source = stdin.read(int.from_bytes(header[4:], "little"))
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except Exception:
        # Templates, and test data for other versions of the language: Python would refuse to import them, too.
        stdout.write(bytes(5))
    else:
        pyc = MAGIC_NUMBER + HASH_BASED + _imp.source_hash(KEY, source) + marshal.dumps(code)
        stdout.write(b"\1" + len(pyc).to_bytes(4, "little") + pyc)
    stdout.flush()
