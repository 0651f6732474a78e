"""Where the program is: what the caller names, ``KLAMM_BIN``, the one of this package, the one in ``PATH``."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import sysconfig
from pathlib import Path
from typing import Optional, Tuple, Union

from ._errors import StartError

NAME = "klamm"
#: ``e_machine`` of ELF's header, by the names of ``uname -m``.
_MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
#: ``PT_INTERP``
_INTERPRETER = 3


def find(explicit: Optional[Union[str, "os.PathLike[str]"]] = None) -> str:
    """The program's path. One that is named must be there: the next place is not tried instead of it."""
    for named, origin in ((explicit, "binary="), (os.environ.get("KLAMM_BIN"), "KLAMM_BIN")):
        if named:
            path = os.fspath(named)
            if not _runs(path):
                raise StartError(f"{origin} names {path}, which is no program that can be run")
            return path
    for folder in _folders():
        if _runs(os.path.join(folder, NAME)):
            return os.path.join(folder, NAME)
    found = shutil.which(NAME)
    if found is None:
        raise StartError(
            f"the program klamm is not found: install the package's wheel for {platform.system()} on {platform.machine()}, "
            "which has it, or name one by Klamm(binary=...), by KLAMM_BIN or in PATH"
        )
    return found


def why_not(program: str, error: OSError) -> str:
    """Why a program that is there does not run: it was built for another machine or C library, mostly."""
    sentence = f"{program} cannot be run: {error}"
    machine, loader = _built_for(program)
    if machine and machine != platform.machine():
        return f"{sentence}; it was built for {machine}, and this machine is {platform.machine()}"
    if loader and not os.path.exists(loader):
        return f"{sentence}; it was built for another C library (musl or glibc): its loader {loader} is not here"
    return sentence


def _built_for(program: str) -> Tuple[Optional[str], Optional[str]]:
    """The machine that a program of ELF was built for, and its loader; a static one has none."""
    try:
        with open(program, "rb") as file:
            head = file.read(64)
            if head[:4] != b"\x7fELF" or head[4:6] != b"\x02\x01":
                return None, None
            machine = struct.unpack_from("<H", head, 18)[0]
            segments, size, count = (struct.unpack_from(form, head, at)[0] for form, at in (("<Q", 32), ("<H", 54), ("<H", 56)))
            name = _MACHINES.get(machine, f"the machine {machine} of ELF")
            for number in range(count):
                file.seek(segments + number * size)
                kind, _, offset, _, _, length = struct.unpack("<IIQQQQ", file.read(40))
                if kind == _INTERPRETER:
                    file.seek(offset)
                    return name, file.read(min(length, 4096)).rstrip(b"\0").decode()
            return name, None
    except (OSError, ValueError, struct.error):
        return None, None


def _runs(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _folders() -> "list[str]":
    """Where installers put the programs of this package: beside it, wherever it was installed."""
    folders = [sysconfig.get_path("scripts")]
    # `pip install --target DIR` puts programs into DIR/bin.
    folders.append(str(Path(__file__).parent.parent / "bin"))
    if os.name == "posix":
        folders.append(sysconfig.get_path("scripts", "posix_user"))
    return folders
