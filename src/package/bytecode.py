# Compiles Python sources to unchecked-hash byte code (PEP 552). Runs in the image's own interpreter and imports nothing that is
# not frozen into it, so that the bytes depend on the sources and the interpreter only.
# In: u32 length of the path in the image, the path, u64 length of the source, the source; repeated; numbers little-endian.
# Out, for each: u64 length of the byte code, the byte code; length 0 for a source that does not compile.
import _imp
import sys
from _frozen_importlib_external import _code_to_hash_pyc, _RAW_MAGIC_NUMBER

incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer


def take(count):
    data = incoming.read(count)
    if len(data) != count:
        sys.exit("the input ends early")
    return data


while True:
    head = incoming.read(4)
    if not head:
        break
    path = take(int.from_bytes(head, "little")).decode("utf-8", "surrogateescape")
    source = take(int.from_bytes(take(8), "little"))
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        result = b""
    else:
        result = bytes(_code_to_hash_pyc(code, _imp.source_hash(_RAW_MAGIC_NUMBER, source), False))
    outgoing.write(len(result).to_bytes(8, "little"))
    outgoing.write(result)
    outgoing.flush()
