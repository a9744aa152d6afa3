# Compiles Python sources to unchecked-hash byte code (PEP 552). Runs in the image's own interpreter and imports nothing that is
# not frozen into it, so that the bytes depend on the sources and the interpreter only.
# In: u32 length of the path in the image, the path, u64 length of the source, the source; repeated; numbers little-endian.
# Out, for each: u64 length of the byte code, the byte code; length 0 for a source that does not compile, and one of the two
# largest numbers in place of a length for one that is too much for the interpreter or for the memory that it may use.
import _imp
import sys
from _frozen_importlib_external import _code_to_hash_pyc, _RAW_MAGIC_NUMBER

TOO_COMPLEX, TOO_LARGE = 2**64 - 2, 2**64 - 1
incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer


def take(count):
    data = incoming.read(count)
    if len(data) != count:
        sys.exit("the input ends early")
    return data


def compiled(path, source):
    try:
        code = compile(source, path, "exec", dont_inherit=True)
        result = bytes(_code_to_hash_pyc(code, _imp.source_hash(_RAW_MAGIC_NUMBER, source), False))
        return len(result), result
    except RecursionError:
        return TOO_COMPLEX, b""
    except MemoryError as error:
        # The parser's own limit is the same on every machine; its error has words, that of the system has none.
        return TOO_COMPLEX if "too complex" in str(error) else TOO_LARGE, b""
    except (SyntaxError, ValueError):
        return 0, b""


while True:
    head = incoming.read(4)
    if not head:
        break
    path = take(int.from_bytes(head, "little")).decode("utf-8", "surrogateescape")
    length, result = compiled(path, take(int.from_bytes(take(8), "little")))
    outgoing.write(length.to_bytes(8, "little"))
    outgoing.write(result)
    outgoing.flush()
