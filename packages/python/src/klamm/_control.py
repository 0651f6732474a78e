"""What a test does with a broker beside the protocol: faults, clock, requests, waits, fixtures, deeds, resets."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Type, Union, cast

from ._errors import KlammError, WaitTimeout
from ._http import PATIENCE, Control, agreed
from ._words import Action, BrokerState, Filter, GroupState, Loaded, Match, Snapshot, StoredRecord, TopicState

if TYPE_CHECKING:  # what it is comes with type checkers; nothing is installed for it
    from typing_extensions import Unpack
elif sys.version_info >= (3, 11):
    from typing import Unpack

#: How many records the broker shows at most.
_MOST_RECORDS = 1000

Duration = Union[int, float, timedelta]


def milliseconds(duration: Duration) -> int:
    """Seconds or a timedelta as whole milliseconds."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    return round(seconds * 1000)


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
        self._control.ask("POST", "/v1/faults/release", words={"id": self.id})

    def remove(self) -> None:
        """Takes it away; what it holds goes on. Once more does nothing."""
        status, answer = self._control.call("DELETE", "/v1/faults", words={"id": self.id})
        if status != 404:
            agreed(status, answer)

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

    def faults(self) -> List[Dict[str, Any]]:
        """The rules in their order, each with ``matched``, ``struck`` and ``over``."""
        return list(self._control.ask("GET", "/v1/faults")["faults"])

    def requests(
        self, *, limit: Optional[int] = None, records: bool = False, **filter: "Unpack[Filter]"
    ) -> List[Request]:
        """The last requests that match, in their order: 100 unless ``limit`` says otherwise.

        The words of the filter are those of :class:`klamm.Filter`. ``records`` shows the records of their batches.
        """
        words = _words("requests", filter)
        if limit is not None:
            words["limit"] = limit
        if records:
            words["records"] = "true"
        answer = self._control.ask("GET", "/v1/requests", words=words)
        return [_request(raw) for raw in answer["requests"]]

    def assert_requests(
        self, *, at_least: Optional[int] = None, at_most: Optional[int] = None, **filter: "Unpack[Filter]"
    ) -> None:
        """Fails with the broker's sentence, and some of the requests, where more or fewer match.

        The words of the filter are those of :class:`klamm.Filter`.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        if at_least is None and at_most is None:
            raise TypeError("assert_requests() wants at_least, at_most or both")
        body: Dict[str, Any] = {"match": _words("assert_requests", filter)}
        if at_least is not None:
            body["at_least"] = at_least
        if at_most is not None:
            body["at_most"] = at_most
        status, answer = self._control.call("POST", "/v1/requests/assert", body)
        if status == 409:
            some = "".join(f"\n  {_request(raw)}" for raw in answer["requests"])
            raise AssertionError(answer["error"] + some)
        agreed(status, answer)

    def wait_for(
        self,
        *,
        group: Optional[str] = None,
        members: Optional[int] = None,
        lag: Optional[int] = None,
        topic: Optional[str] = None,
        records: Optional[int] = None,
        fetched: Optional[int] = None,
        partition: Optional[int] = None,
        client_id: Optional[str] = None,
        transactional_id: Optional[str] = None,
        timeout: Duration = 10,
    ) -> None:
        """Returns when all of it is there; a :class:`klamm.WaitTimeout` says what was missing.

        ``group`` with ``members``: it has so many and is stable. With ``lag``: it has committed and is so many records
        behind at most. ``topic`` with ``records``: it has so many at least. With ``fetched``: a client, or the one with ``client_id``,
        has asked for its ``partition`` (0) from this offset on. ``transactional_id``: its last transaction has ended.
        """
        limit = milliseconds(timeout)
        named = dict(group=group, members=members, lag=lag, topic=topic, records=records, transactional_id=transactional_id)
        named.update(fetched=fetched, partition=partition, client_id=client_id)
        words = {name: value for name, value in named.items() if value is not None}
        status, answer = self._control.call(
            "GET", "/v1/wait", words={**words, "timeout_ms": limit}, timeout=limit / 1000 + PATIENCE
        )
        if status == 408:
            raise WaitTimeout(answer["error"])
        agreed(status, answer)

    def reset(self, snapshot: Optional[str] = None) -> None:
        """Puts it back to its beginning, or to a snapshot: the topics and users of its options, and nothing else.

        Records, groups, faults and kept requests are gone, the clock is the machine's. Make clients and faults anew.
        """
        self._control.ask("POST", "/v1/reset", {} if snapshot is None else {"snapshot": snapshot})

    def snapshot(self, name: str) -> None:
        """Keeps all that is there now, for :meth:`reset`; one of that name is replaced. Clients lose their connections."""
        self._control.ask("POST", "/v1/snapshots", {"name": name})

    def snapshots(self) -> List[Snapshot]:
        """The snapshots that there are."""
        return list(self._control.ask("GET", "/v1/snapshots")["snapshots"])

    def forget_snapshot(self, name: str) -> None:
        """Forgets a snapshot; its memory is free again."""
        self._control.ask("DELETE", "/v1/snapshots", words={"name": name})

    def load_fixtures(self, lines: Union[str, "os.PathLike[str]", Iterable[Mapping[str, Any]]]) -> Loaded:
        """Makes topics and writes records: JSON lines as a text, the path of a file with them, or the objects themselves.

        >>> klamm.load_fixtures([{"topic": "orders", "key": "k1", "value": {"json": {"amount": 5}}}])

        A line that is wrong is refused with its number, and nothing is written.
        """
        if isinstance(lines, os.PathLike):
            text = Path(lines).read_bytes()
        elif isinstance(lines, str):
            text = lines.encode()
        else:
            text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        answer = self._control.ask("POST", "/v1/fixtures", text)
        return {"topics": answer["topics"], "records": answer["records"]}

    def dump_fixtures(self, topic: Optional[str] = None) -> str:
        """Topics and their committed records as JSON lines, for :meth:`load_fixtures`: one topic, or all but internal ones."""
        return self._control.ask_text("/v1/fixtures", {} if topic is None else {"topic": topic})

    def expire_members(self, group: str, member: Optional[str] = None) -> None:
        """Expires a member of a group by its id, or all of them: they hear of it as when their sessions had ended."""
        self._deed("expire_member", {"group": group} if member is None else {"group": group, "member": member})

    def force_rebalance(self, group: str) -> None:
        """Lets all members of a group join again."""
        self._deed("rebalance", {"group": group})

    def fence_producer(self, transactional_id: str) -> None:
        """Fences the producer of a transactional id by a successor; what it had open is aborted."""
        self._deed("fence_producer", {"transactional_id": transactional_id})

    def compact(self, topic: Optional[str] = None) -> None:
        """Compacts a topic now, its active segment as well, or all topics that are compacted; returns when that is done."""
        self._deed("compact", {} if topic is None else {"topic": topic})

    def apply_retention(self, topic: Optional[str] = None) -> None:
        """Deletes now what a topic, or all, keep no longer."""
        self._deed("retain", {} if topic is None else {"topic": topic})

    def move_leader(self, topic: str, partition: int, to: int) -> None:
        """Lets another broker lead a partition, by its id; a new leader epoch begins."""
        self._deed("move_leader", {"topic": topic, "partition": partition, "to": to})

    def move_coordinator(self, *, to: int, group: Optional[str] = None, transactional_id: Optional[str] = None) -> None:
        """Lets another broker coordinate a group or a transactional id, and all that share its partition."""
        if (group is None) == (transactional_id is None):
            raise TypeError("move_coordinator() wants group or transactional_id")
        key = {"transactional_id": transactional_id} if group is None else {"group": group}
        self._deed("move_coordinator", {**key, "to": to})

    def take_broker_down(self, broker: int) -> None:
        """Takes a broker down by its id: its connections are closed, and others lead what it has led."""
        self._deed("broker_down", {"broker": broker})

    def bring_broker_up(self, broker: int) -> None:
        """Brings it back. It leads what has no leader; other leaders stay where they are."""
        self._deed("broker_up", {"broker": broker})

    def set_follower(
        self, topic: str, partition: int, broker: Optional[int], *, start: Optional[int] = None, end: Optional[int] = None
    ) -> None:
        """Lets the leader of a partition send consumers to a broker, which serves them; None: as before.

        ``start`` and ``end`` say what it has of the log.
        """
        extent = {name: offset for name, offset in (("start", start), ("end", end)) if offset is not None}
        self._deed("follower", {"topic": topic, "partition": partition, "broker": broker, **extent})

    def set_rack(self, broker: int, rack: Optional[str]) -> None:
        """Puts a broker into a rack, or into none."""
        self._deed("rack", {"broker": broker, "rack": rack})

    def hide_broker(self, broker: int, hidden: bool = True) -> None:
        """Takes a broker out of the lists that clients are told, or puts it back; its connections stay."""
        self._deed("hide", {"broker": broker, "hidden": hidden})

    def tell_leader(
        self, topic: str, partition: int, leader: Optional[int] = None, epoch: Optional[int] = None
    ) -> None:
        """Tells clients this leader of a partition and its epoch, whether there are such or not; without them what is so."""
        told = {} if leader is None else {"leader": leader, "epoch": epoch}
        self._deed("told_leader", {"topic": topic, "partition": partition, **told})

    def set_address(self, broker: int, host: Optional[str] = None, port: Optional[int] = None) -> None:
        """Tells clients another host and port of a broker; without them its own."""
        address = {} if host is None else {"host": host, "port": port}
        self._deed("address", {"broker": broker, **address})

    def set_disk(
        self, *, full: Optional[bool] = None, sync_time: Optional[Duration] = None, syncs_fail: Optional[bool] = None
    ) -> None:
        """Troubles the disk until a reset; what is not said stays as it is.

        ``full``: no log of records grows. ``sync_time``: so long each sync takes. ``syncs_fail``: the next sync finds that the
        device has failed, and the broker ends as Kafka does.
        """
        said = dict(full=full, sync_ms=None if sync_time is None else milliseconds(sync_time), syncs_fail=syncs_fail)
        self._deed("disk", {name: value for name, value in said.items() if value is not None})

    def corrupt_batch(self, topic: str, partition: int, offset: int) -> int:
        """Breaks the stored batch that has this offset: its checksum is wrong. Answers the batch's first offset."""
        return int(self._deed("corrupt", {"topic": topic, "partition": partition, "offset": offset})["base_offset"])

    def _deed(self, name: str, of: Mapping[str, Any]) -> Dict[str, Any]:
        return dict(self._control.ask("POST", "/v1/deeds", {name: of}))

    def brokers(self) -> List[BrokerState]:
        """The brokers that this process plays, in the order of their ids."""
        return list(self._control.ask("GET", "/v1/brokers")["brokers"])

    def topics(self, topic: Optional[str] = None) -> List[TopicState]:
        """Topics with their configs and partitions: one, or all."""
        return list(self._control.ask("GET", "/v1/topics", words={} if topic is None else {"topic": topic})["topics"])

    def records(
        self,
        topic: str,
        partition: int = 0,
        *,
        limit: int = _MOST_RECORDS,
        before: Optional[int] = None,
        as_json: bool = False,
    ) -> List[StoredRecord]:
        """The last records of a partition, in the order of their offsets, 1000 at most; those below the offset ``before``.

        With ``as_json`` a key, a value or a header that is an object or an array of JSON is ``{"json": …}``.
        """
        words: Dict[str, Any] = {"topic": topic, "partition": partition, "limit": limit}
        if before is not None:
            words["before"] = before
        if as_json:
            words["json"] = "true"
        page = self._control.ask("GET", "/v1/records", words=words)
        newest_first = page["records"]
        # A page has fewer where they are large, or where a compacted log has few among its offsets.
        while len(newest_first) < limit and page["next"] is not None:
            words.update(limit=limit - len(newest_first), before=page["next"])
            page = self._control.ask("GET", "/v1/records", words=words)
            newest_first += page["records"]
        # Of markers the broker shows neither keys, values nor headers.
        return [cast("StoredRecord", {"key": None, "value": None, "headers": [], **one}) for one in reversed(newest_first)]

    def groups(self, group: Optional[str] = None) -> List[GroupState]:
        """Groups with members, committed offsets, lag, and why their consumers do not read: one, or all."""
        return list(self._control.ask("GET", "/v1/groups", words={} if group is None else {"group": group})["groups"])

    def metrics(self) -> str:
        """What the broker counts, in Prometheus's text format."""
        return self._control.ask_text("/metrics")


def _words(call: str, filter: Mapping[str, Any]) -> Dict[str, Any]:
    """The words of a filter as the broker takes them."""
    unknown = filter.keys() - Filter.__annotations__.keys()
    if unknown:
        known = ", ".join(Filter.__annotations__)
        raise TypeError(f"{call}() looks for nothing by {', '.join(sorted(unknown))}; it does by {known}")
    found = {name: value for name, value in filter.items() if value is not None}
    if isinstance(found.get("since"), datetime):
        found["since"] = round(found["since"].timestamp() * 1000)
    return found
