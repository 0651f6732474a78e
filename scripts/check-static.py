"""Whether a file is a static ELF binary of an architecture: `check-static.py x86_64|aarch64 FILE`. With `--limited` also whether
it is as small as a release of Klamm is promised to be.

The class, the byte order and the machine of its header are looked at, and that no program header asks for an interpreter and no
entry of its dynamic section for a library (a static binary may still relocate itself)."""

import struct
import sys

MACHINES = {"x86_64": 62, "aarch64": 183}
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED = 0, 1
MOST_MIB = 20


def main():
    arch, path, *flags = sys.argv[1:]
    with open(path, "rb") as file:
        binary = file.read()
    if binary[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"{path} is no little-endian ELF file of 64 bits")
    (machine,) = struct.unpack_from("<H", binary, 18)
    if machine != MACHINES[arch]:
        sys.exit(f"{path} is for machine {machine}, not for {arch} ({MACHINES[arch]})")
    (table,) = struct.unpack_from("<Q", binary, 32)
    size, count = struct.unpack_from("<HH", binary, 54)
    for number in range(count):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", binary, table + number * size)
        if kind == PT_INTERP:
            sys.exit(f"{path} asks for an interpreter: it is not static")
        if kind == PT_DYNAMIC:
            for at in range(offset, offset + length, 16):
                tag, _ = struct.unpack_from("<qQ", binary, at)
                if tag == DT_NULL:
                    break
                if tag == DT_NEEDED:
                    sys.exit(f"{path} asks for a library: it is not static")
    if flags == ["--limited"] and len(binary) > MOST_MIB << 20:
        sys.exit(f"{path} has {len(binary)} bytes, more than the {MOST_MIB} MiB that are allowed")
    print(f"static, {arch}, {len(binary)} bytes")


main()
