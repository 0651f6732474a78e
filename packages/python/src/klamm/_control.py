"""The broker's HTTP side: faults, clock, requests, waits."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, Union
from urllib.parse import quote, urlencode, urlsplit

from ._errors import KlammError, WaitTimeout
from ._words import Action, Match

#: Longer than the broker itself lets a call take: a move of the clock has 30 seconds.
_PATIENCE = 60.0

Duration = Union[int, float, timedelta]


def milliseconds(duration: Duration) -> int:
    """Seconds or a timedelta as whole milliseconds."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    return round(seconds * 1000)


class Control:
    """Calls of the HTTP side, each on a connection of its own: threads share it freely, and no proxy stands between."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname and parts.port
        self._host, self._port = parts.hostname, parts.port

    def call(
        self, method: str, path: str, body: Optional[Mapping[str, Any]] = None, *, timeout: float = _PATIENCE
    ) -> Tuple[int, Dict[str, Any]]:
        """The status and the body of an answer, whatever it says."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        try:
            text = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, text, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise KlammError(f"{method} {path}: the broker does not answer: {error}") from error
        finally:
            connection.close()
        return response.status, answer

    def ask(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
        """The body of an answer that agrees; else a KlammError with the broker's sentence."""
        status, answer = self.call(method, path, body)
        if status != 200:
            raise KlammError(str(answer.get("error", answer)))
        return answer


class Clock:
    """The clock that the broker goes by: sessions, rebalances, transactions, retention follow it."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def now(self) -> datetime:
        """What it shows."""
        return _time(self._control.ask("GET", "/v1/clock"))

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return bool(self._control.ask("GET", "/v1/clock")["frozen"])

    def freeze(self) -> datetime:
        """Lets it stand still until :meth:`resume`; :meth:`advance` and :meth:`set` move it all the same."""
        return _time(self._control.ask("POST", "/v1/clock", {"frozen": True}))

    def resume(self) -> datetime:
        """Lets it go on."""
        return _time(self._control.ask("POST", "/v1/clock", {"frozen": False}))

    def advance(self, duration: Duration) -> datetime:
        """Moves it ahead, in seconds or by a timedelta. All that became due has been done when this returns."""
        return _time(self._control.ask("POST", "/v1/clock", {"advance_ms": milliseconds(duration)}))

    def set(self, time: datetime) -> datetime:
        """Sets it: ahead is a move as by :meth:`advance`; back is the wall clock alone. A time without a zone is local."""
        return _time(self._control.ask("POST", "/v1/clock", {"wall_ms": round(time.timestamp() * 1000)}))


def _time(answer: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(answer["wall_ms"] / 1000, timezone.utc)


class Fault:
    """A rule by which the broker breaks. As a context manager it is removed at the end."""

    def __init__(self, control: Control, rule: int) -> None:
        self._control = control
        self.id = rule

    @property
    def matched(self) -> int:
        """How many requests it was for. A rule that matches nothing is a mistake in the rule, mostly."""
        return int(self._look()["matched"])

    @property
    def struck(self) -> int:
        """How many requests it has struck: those of the matched that nth, every, probability and count leave."""
        return int(self._look()["struck"])

    @property
    def over(self) -> bool:
        """Whether it strikes no more: its count is reached, or its time is over."""
        return bool(self._look()["over"])

    def release(self) -> None:
        """Lets go on what it holds; what comes behind is held again."""
        self._control.ask("POST", f"/v1/faults/release?id={self.id}")

    def remove(self) -> None:
        """Takes it away; what it holds goes on. Once more does nothing."""
        status, answer = self._control.call("DELETE", f"/v1/faults?id={self.id}")
        if status not in (200, 404):
            raise KlammError(str(answer.get("error", answer)))

    def _look(self) -> Dict[str, Any]:
        for rule in self._control.ask("GET", "/v1/faults")["faults"]:
            if rule["id"] == self.id:
                return dict(rule)
        raise KlammError(f"the fault {self.id} was removed")

    def __enter__(self) -> "Fault":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"Fault({self.id})"


@dataclass(frozen=True)
class Request:
    """A request that the broker was sent, with its answer. ``raw`` has all that is known of it."""

    id: str
    at: datetime
    api: str
    version: int
    client_id: Optional[str]
    software: str
    principal: str
    connection: int
    errors: Dict[str, int]
    request: Any
    answer: Any
    raw: Dict[str, Any] = field(repr=False, compare=False)

    def __str__(self) -> str:
        errors = f" {', '.join(self.errors)}" if self.errors else ""
        return f"{self.at:%H:%M:%S.%f} {self.api} v{self.version} {self.client_id or '-'}{errors}"


def _request(raw: Dict[str, Any]) -> Request:
    software = raw.get("software") or {}
    return Request(
        id=raw["id"],
        at=datetime.fromtimestamp(raw["at"] / 1000, timezone.utc),
        api=raw["api"],
        version=raw["version"],
        client_id=raw.get("client_id"),
        software=f"{software.get('name') or ''} {software.get('version') or ''}".strip(),
        principal=raw["principal"],
        connection=raw["connection"],
        errors=raw.get("errors") or {},
        request=raw.get("request"),
        answer=raw.get("answer"),
        raw=raw,
    )


class Controlled:
    """What a test does with a broker beside the protocol; :class:`klamm.Klamm` adds the process."""

    clock: Clock
    _control: Control

    def fault(
        self, match: Match, action: Action, count: Optional[int] = None, *, expires: Optional[Duration] = None
    ) -> Fault:
        """Adds a rule behind those that are there: the first one that is for a request strikes it.

        >>> klamm.fault({"api": "Produce"}, {"error": "NOT_LEADER_OR_FOLLOWER"}, count=2)
        """
        rule: Dict[str, Any] = {"match": match, "action": action}
        if count is not None:
            rule["count"] = count
        if expires is not None:
            rule["expires_ms"] = milliseconds(expires)
        return Fault(self._control, self._control.ask("POST", "/v1/faults", rule)["ids"][0])

    def remove_faults(self) -> int:
        """Takes away all rules, and tells how many there were."""
        return int(self._control.ask("DELETE", "/v1/faults")["removed"])

    def requests(
        self,
        *,
        api: Optional[Union[str, int]] = None,
        client_id: Optional[str] = None,
        topic: Optional[str] = None,
        group: Optional[str] = None,
        principal: Optional[str] = None,
        error: Optional[Union[str, int]] = None,
        since: Optional[datetime] = None,
        limit: Optional[int] = None,
        records: bool = False,
    ) -> List[Request]:
        """The last requests that match, in their order: 100 unless ``limit`` says otherwise."""
        words = _words(api, client_id, topic, group, principal, error, since)
        if limit is not None:
            words["limit"] = limit
        if records:
            words["records"] = "true"
        answer = self._control.ask("GET", "/v1/requests?" + urlencode(words, quote_via=quote))
        return [_request(raw) for raw in answer["requests"]]

    def assert_requests(
        self,
        *,
        at_least: Optional[int] = None,
        at_most: Optional[int] = None,
        api: Optional[Union[str, int]] = None,
        client_id: Optional[str] = None,
        topic: Optional[str] = None,
        group: Optional[str] = None,
        principal: Optional[str] = None,
        error: Optional[Union[str, int]] = None,
        since: Optional[datetime] = None,
    ) -> None:
        """Fails with the broker's sentence, and some of the requests, where more or fewer match."""
        __tracebackhide__ = True  # pytest shows the line of the test
        body: Dict[str, Any] = {"match": _words(api, client_id, topic, group, principal, error, since)}
        if at_least is not None:
            body["at_least"] = at_least
        if at_most is not None:
            body["at_most"] = at_most
        status, answer = self._control.call("POST", "/v1/requests/assert", body)
        if status == 409:
            some = "".join(f"\n  {_request(raw)}" for raw in answer["requests"])
            raise AssertionError(answer["error"] + some)
        if status != 200:
            raise KlammError(str(answer.get("error", answer)))

    def wait_for(
        self,
        *,
        group: Optional[str] = None,
        members: Optional[int] = None,
        lag: Optional[int] = None,
        topic: Optional[str] = None,
        records: Optional[int] = None,
        transactional_id: Optional[str] = None,
        timeout: Duration = 10,
    ) -> None:
        """Returns when all of it is there; a :class:`klamm.WaitTimeout` says what was missing.

        ``group`` with ``members``: it has so many and is stable. With ``lag``: it has committed and is so many records
        behind at most. ``topic`` with ``records``: it has so many at least. ``transactional_id``: its transaction has ended.
        """
        limit = milliseconds(timeout)
        named = dict(group=group, members=members, lag=lag, topic=topic, records=records, transactional_id=transactional_id)
        words = {name: value for name, value in named.items() if value is not None}
        path = "/v1/wait?" + urlencode({**words, "timeout_ms": limit}, quote_via=quote)
        status, answer = self._control.call("GET", path, timeout=limit / 1000 + _PATIENCE)
        if status == 408:
            raise WaitTimeout(answer["error"])
        if status != 200:
            raise KlammError(str(answer.get("error", answer)))

    def reset(self, snapshot: Optional[str] = None) -> None:
        """Puts it back to its beginning, or to a snapshot: the topics and users of its options, and nothing else.

        Records, groups, faults and kept requests are gone, the clock is the machine's. Make clients and faults anew.
        """
        self._control.ask("POST", "/v1/reset", {} if snapshot is None else {"snapshot": snapshot})

    def snapshot(self, name: str) -> None:
        """Keeps all that is there now, for :meth:`reset`; one of that name is replaced. Clients lose their connections."""
        self._control.ask("POST", "/v1/snapshots", {"name": name})


def _words(
    api: Optional[Union[str, int]],
    client_id: Optional[str],
    topic: Optional[str],
    group: Optional[str],
    principal: Optional[str],
    error: Optional[Union[str, int]],
    since: Optional[datetime],
) -> Dict[str, Any]:
    words = dict(api=api, client_id=client_id, topic=topic, group=group, principal=principal, error=error)
    found: Dict[str, Any] = {name: value for name, value in words.items() if value is not None}
    if since is not None:
        found["since"] = round(since.timestamp() * 1000)
    return found
