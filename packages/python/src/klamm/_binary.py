"""Where the program is: what the caller names, ``KLAMM_BIN``, the one of this package, the one in ``PATH``."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path
from typing import Optional, Union

from ._errors import StartError

NAME = "klamm"


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
            "the program klamm is not found: install the package's wheel, which has it, "
            "or name one by Klamm(binary=...), by KLAMM_BIN or in PATH"
        )
    return found


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
