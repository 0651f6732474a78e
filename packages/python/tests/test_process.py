"""The broker as a process: where its program is, how it starts, that it ends."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from klamm import Klamm, StartError
from klamm._binary import find


def ended(pid: int) -> bool:
    """Waits until the process is gone; what is no child is seen by a descriptor of it, where the kernel has those."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready, _, _ = select.select([process], [], [], 30)
    os.close(process)
    return bool(ready)


def test_it_ends_with_close() -> None:
    klamm = Klamm(tls=True)
    assert klamm.tls and Path(klamm.tls.ca_pem).exists()
    klamm.close()
    klamm.close()
    assert ended(klamm.pid)
    assert not Path(klamm.tls.ca_pem).exists()


def test_it_ends_with_its_process() -> None:
    program = "import os, klamm; k = klamm.Klamm(); print(k.pid, flush=True); os._exit(3)"
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert run.returncode == 3
    assert ended(int(run.stdout))


def test_it_ends_where_a_fork_goes_on() -> None:
    klamm = Klamm()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        # It has the pipe by which the broker lives, too.
        os.close(tell)
        os.read(told, 1)
        os._exit(0)
    klamm.close()
    assert ended(klamm.pid)
    os.close(tell)
    assert os.waitpid(child, 0) == (child, 0)
    os.close(told)


def test_a_start_that_fails_shows_why() -> None:
    with pytest.raises(StartError, match="(?s)code 1;.*Not a number of type LONG") as failure:
        Klamm(overrides={"log.retention.ms": "long"})
    assert "\n" in str(failure.value)


def test_a_start_that_takes_too_long(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\necho it thinks >&2\nexec cat\n")
    slow.chmod(0o755)
    with pytest.raises(StartError, match="not ready after 0.5 s; its log ends with:\nit thinks"):
        Klamm(binary=slow, start_timeout=0.5)


def test_a_program_that_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartError, match="binary= names"):
        Klamm(binary=tmp_path / "none")
    monkeypatch.setenv("KLAMM_BIN", str(tmp_path))
    with pytest.raises(StartError, match="KLAMM_BIN names"):
        find()
    text = tmp_path / "text"
    text.write_bytes(b"\x7fELF")
    text.chmod(0o755)
    with pytest.raises(StartError, match="cannot be run"):
        Klamm(binary=text)


def test_where_the_program_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = tmp_path / "own" / "klamm", tmp_path / "path" / "klamm"
    for program in (own, other):
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.delenv("KLAMM_BIN", raising=False)
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.setattr("klamm._binary._folders", lambda: [str(own.parent)])
    assert find() == str(own)
    monkeypatch.setattr("klamm._binary._folders", lambda: [])
    assert find() == str(other)
    monkeypatch.setenv("KLAMM_BIN", str(own))
    assert find() == str(own)
    assert find(other) == str(other)
    monkeypatch.delenv("KLAMM_BIN")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StartError, match="the program klamm is not found"):
        find()


def test_data_on_the_disk(tmp_path: Path) -> None:
    with Klamm(data_dir=tmp_path / "data", memory="32M", port=0):
        assert (tmp_path / "data").exists()
    assert not (tmp_path / "data").exists()
