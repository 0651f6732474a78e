"""The broker as a process that lives as long as this one, at most."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Dict, IO, Iterable, List, Mapping, Optional, Type, Union

from . import _binary
from ._control import Clock, Controlled
from ._errors import StartError
from ._http import Control

#: How long a stop may take before the process is killed; it takes some milliseconds.
_STOP_SECONDS = 10.0
#: How much of the log an error shows.
_LAST_LINES = 15
#: What the line must have by which a broker says that it is ready.
_PROMISED = ("bootstrap_servers", "http", "cluster_id", "pid", "security_protocol")

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Topic:
    """A topic that is there from the beginning. A plain string ``name:partitions:key=value`` does as well."""

    name: str
    partitions: int = 1
    config: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return ":".join([self.name, str(self.partitions), *(f"{k}={_text(v)}" for k, v in self.config.items())])


@dataclass(frozen=True)
class Tls:
    """Paths of throw-away certificates, and the password of the PKCS12 and JKS stores and of no other file."""

    ca_pem: str
    client_pem: str
    client_key: str
    client_p12: str
    client_jks: str
    truststore_p12: str
    truststore_jks: str
    password: str


class Klamm(Controlled):
    """A broker, or several, of its own port, data and clock, in memory. It is ready when the constructor returns.

    >>> with Klamm(topics=["orders:3"]) as klamm:
    ...     producer = Producer({"bootstrap.servers": klamm.bootstrap_servers})

    :param topics: topics from the beginning, each a :class:`Topic` or as in ``"orders:3:retention.ms=60000"``
    :param users: names and passwords; clients then log in by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
    :param tls: clients come by TLS; :attr:`tls` has the certificates
    :param as_version: offer what that release of Apache Kafka does, ``"2.8"`` to ``"4.4"``
    :param overrides: any of Kafka's settings of a broker
    :param memory: the most that data take in memory, as in ``"64M"``
    :param data_dir: data on the disk instead; a directory that was not there is removed at the end
    :param port: the port; a free one without it
    :param brokers: how many brokers this process plays, with ids from 1, each on a port and in a rack of its own: 1 without it
    :param binary: the program, where it is not the one of this package
    :param start_timeout: seconds in which it must be ready
    """

    #: What clients take as ``bootstrap.servers``: an address of each broker, with commas between them.
    bootstrap_servers: str
    #: The address of the HTTP side.
    http: str
    cluster_id: str
    pid: int
    #: What clients take as ``security.protocol``.
    security_protocol: str
    #: What clients may take as ``sasl.mechanism``; empty without users.
    sasl_mechanisms: List[str]
    #: The certificates, where the broker has TLS.
    tls: Optional[Tls]

    def __init__(
        self,
        *,
        topics: Iterable[Union[str, Topic]] = (),
        users: Optional[Mapping[str, str]] = None,
        tls: bool = False,
        as_version: Optional[str] = None,
        overrides: Optional[Mapping[str, object]] = None,
        memory: Optional[Union[int, str]] = None,
        data_dir: Optional[Path] = None,
        port: Optional[int] = None,
        brokers: Optional[int] = None,
        binary: Optional[Path] = None,
        start_timeout: float = 30.0,
    ) -> None:
        program = _binary.find(binary)
        # The broker makes it and takes it away, so that it goes however this process ends.
        self._certificates = os.path.join(tempfile.gettempdir(), f"klamm-tls-{secrets.token_hex(16)}") if tls else None
        arguments = ["test"]
        for topic in topics:
            arguments += ["--topic", str(topic)]
        for name, password in (users or {}).items():
            arguments += ["--user", f"{name}:{password}"]
        if self._certificates:
            arguments += ["--tls", self._certificates]
        for option, value in (
            ("--as-version", as_version),
            ("--memory", memory),
            ("--dir", None if data_dir is None else os.fspath(data_dir)),
            ("--port", port),
            ("--brokers", brokers),
        ):
            if value is not None:
                arguments += [option, str(value)]
        for key, setting in (overrides or {}).items():
            arguments += ["--override", f"{key}={_text(setting)}"]
        # A file without a name: no thread must read it, and it goes with this process however that ends.
        self._log: IO[bytes] = tempfile.TemporaryFile()
        # It lives by the pipe of its standard input. It gets no Ctrl-C of the terminal: the test ends it, behind its clients.
        try:
            self._process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            self._release()
            raise StartError(_binary.why_not(program, error)) from error
        try:
            self._take(self._first_line(start_timeout))
        except BaseException:
            self.close()
            raise
        self._control = Control(self.http)
        self.clock = Clock(self._control)

    def _first_line(self, limit: float) -> Dict[str, Any]:
        """The line of JSON by which it says that it is ready."""
        assert self._process.stdout
        output, line, end = self._process.stdout.fileno(), b"", time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in line:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise self._failed(f"the broker is not ready after {limit:g} s")
                some = os.read(output, 65536)
                if not some:
                    raise self._failed(self._end(end))
                line += some
        first = line.split(b"\n", 1)[0].decode(errors="replace")
        try:
            ready = json.loads(first)
        except ValueError:
            ready = None
        if not isinstance(ready, dict):
            raise self._failed(f"the broker's first line is no object of JSON: {first[:200]!r}")
        missing = [name for name in _PROMISED if name not in ready]
        if missing == ["http"]:
            raise self._failed("the broker has no HTTP side, without which nothing here works: a setting has switched it off")
        if missing:
            raise self._failed(f"the broker's first line has no {', '.join(missing)}: {first[:200]!r}")
        return ready

    def _end(self, end: float) -> str:
        """What became of a process that has closed its output."""
        try:
            code = self._process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "the broker has closed its output before its first line"
        by = f"by the signal {-code}" if code < 0 else f"with code {code}"
        return f"the broker has ended {by} before its first line"

    def _failed(self, sentence: str) -> StartError:
        log = self.log()
        return StartError(f"{sentence}; its log ends with:\n{log}" if log else f"{sentence}; its log is empty")

    def _take(self, ready: Mapping[str, Any]) -> None:
        self.bootstrap_servers = ready["bootstrap_servers"]
        self.http = ready["http"]
        self.cluster_id = ready["cluster_id"]
        self.pid = ready["pid"]
        self.security_protocol = ready["security_protocol"]
        self.sasl_mechanisms = list(ready.get("sasl_mechanisms", ()))
        known = Tls.__dataclass_fields__
        tls = ready.get("tls")
        self.tls = None if tls is None else Tls(**{name: path for name, path in tls.items() if name in known})

    def log(self, lines: int = _LAST_LINES) -> str:
        """The last lines of the broker's log."""
        if self._log.closed:
            return ""
        # Its end alone, and not by seeking: the broker writes at the same place of the file.
        size = os.fstat(self._log.fileno()).st_size
        start = max(0, size - lines * 1024)
        text = os.pread(self._log.fileno(), size - start, start).decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def close(self) -> None:
        """Stops it; what it had in memory is gone. Once more does nothing."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
            # A process that was forked off this one may hold the pipe open.
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._release()

    def _release(self) -> None:
        self._log.close()
        if self._certificates:
            # It is there only where the broker was killed.
            shutil.rmtree(self._certificates, ignore_errors=True)

    def __enter__(self) -> "Klamm":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Klamm {self.bootstrap_servers}>"


def _text(value: object) -> str:
    """A value as Kafka's settings are written."""
    return str(value).lower() if isinstance(value, bool) else str(value)
