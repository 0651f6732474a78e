"""The broker as a process: where its program is, how it starts, that it ends."""

import os
import platform
import select
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from klamm import Klamm, StartError
from klamm._binary import find

#: How long anything here may take on a busy machine.
DEADLINE = 60


def ended(pid: int) -> bool:
    """Waits until the process is gone; what is no child is seen by a descriptor of it, where the kernel has those."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready, _, _ = select.select([process], [], [], DEADLINE)
    os.close(process)
    assert ready, f"the broker {pid} lives {DEADLINE} s after its end was due"
    return True


def program(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(text)
    path.chmod(0o755)
    return path


def elf(folder: Path, machine: int, loader: str) -> Path:
    """A program that says what it was built for, and nothing else."""
    head = struct.pack("<4s5B7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0, 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    name = loader.encode() + b"\0"
    path = folder / "elf"
    path.write_bytes(head + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(name), len(name), 1) + name)
    path.chmod(0o755)
    return path


def test_it_ends_with_close() -> None:
    klamm = Klamm(tls=True)
    assert klamm.tls and Path(klamm.tls.ca_pem).exists()
    klamm.close()
    klamm.close()
    assert ended(klamm.pid)
    assert not Path(klamm.tls.ca_pem).exists()


def test_it_ends_with_its_process() -> None:
    program = "import os, klamm; k = klamm.Klamm(); print(k.pid, flush=True); os._exit(3)"
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=DEADLINE)
    assert run.returncode == 3
    assert ended(int(run.stdout))


def test_nothing_is_left_of_it_when_its_process_is_killed(tmp_path: Path) -> None:
    program = "import klamm; k = klamm.Klamm(tls=True); print(k.pid, k.tls.ca_pem, flush=True); input()"
    scratch = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=scratch)
    assert process.stdout
    pid, certificate = process.stdout.readline().split()
    assert Path(certificate).is_relative_to(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=DEADLINE)
    assert ended(int(pid))
    assert list(tmp_path.iterdir()) == []


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
    with pytest.raises(StartError, match="(?s)code 1 before its first line; its log ends with:\n.*Not a number of type LONG"):
        Klamm(overrides={"log.retention.ms": "long"})


def test_a_start_that_takes_too_long(tmp_path: Path) -> None:
    # It never gets ready; whether it has said something before the limit is the machine's matter.
    with pytest.raises(StartError, match="^the broker is not ready after 0.2 s; its log "):
        Klamm(binary=program(tmp_path, "#!/bin/sh\nexec cat\n"), start_timeout=0.2)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("echo it is well", "the broker's first line is no object of JSON: 'it is well'; its log ends with:\nit thinks"),
        ("echo 7", "the broker's first line is no object of JSON: '7'; its log ends with:\nit thinks"),
        ("exit 3", "the broker has ended with code 3 before its first line; its log ends with:\nit thinks"),
        ("kill -9 $$", "the broker has ended by the signal 9 before its first line; its log ends with:\nit thinks"),
        (
            """echo '{"bootstrap_servers":"a:1","cluster_id":"c","pid":1,"security_protocol":"PLAINTEXT"}'""",
            "the broker has no HTTP side, without which nothing here works: a setting has switched it off; its log ends with:\nit thinks",
        ),
        (
            "echo '{\"pid\":1}'",
            "the broker's first line has no bootstrap_servers, http, cluster_id, security_protocol: '{\"pid\":1}'; its log ends with:\nit thinks",
        ),
    ],
)
def test_a_first_line_that_is_none(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(StartError) as failure:
        Klamm(binary=program(tmp_path, f"#!/bin/sh\necho it thinks >&2\n{text}\n"), start_timeout=DEADLINE)
    assert str(failure.value) == sentence


def test_a_program_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="ended with code 0 before its first line; its log is empty$"):
        Klamm(binary=program(tmp_path, "#!/bin/sh\n"), start_timeout=DEADLINE)


def test_a_broker_without_its_http_side() -> None:
    with pytest.raises(StartError, match="the broker has no HTTP side"):
        Klamm(overrides={"klamm.http.listeners": ""})


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


def test_a_program_of_another_platform(tmp_path: Path) -> None:
    mine, other = {"x86_64": (62, 183), "aarch64": (183, 62)}[platform.machine()]
    with pytest.raises(StartError, match=f"it was built for (aarch64|x86_64), and this machine is {platform.machine()}$"):
        Klamm(binary=elf(tmp_path, other, "/lib/ld-none.so.1"))
    with pytest.raises(StartError, match="another C library .*: its loader /lib/ld-none.so.1 is not here$"):
        Klamm(binary=elf(tmp_path, mine, "/lib/ld-none.so.1"))


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
