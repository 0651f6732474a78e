"""The words of rules and filters, and what the broker shows, for type checkers.

The broker judges the words of a rule: one that it does not know is refused with a sentence.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, List, Optional, TypedDict, Union


class Match(TypedDict, total=False):
    """Which requests a rule is for. All that are given must be so."""

    api: Union[str, int, List[Union[str, int]]]
    versions: Union[int, str]
    #: The broker that is asked, by its id.
    broker: int
    client_id: str
    principal: str
    topic: str
    partition: int
    group: str
    transactional_id: str
    fields: Dict[str, object]
    nth: int
    every: int
    probability: float
    seed: int


class Action(TypedDict, total=False):
    """What happens to them: one of these, and ``after`` where the request shall have its effect first."""

    error: Union[str, int]
    #: Alone, or beside one of the others, which happens when the time is over.
    delay_ms: int
    hold: bool
    close: bool
    no_answer: bool
    throttle_ms: int
    truncate: int
    corrupt: bool
    #: Answered by what the cluster looked like when the rule was added.
    stale: bool
    offer: Dict[str, Optional[List[int]]]
    expire_member: bool
    after: bool


class Filter(TypedDict, total=False):
    """Which requests are meant. All that are given must be so; what is None is not given."""

    #: Name or key.
    api: Optional[Union[str, int]]
    client_id: Optional[str]
    topic: Optional[str]
    group: Optional[str]
    principal: Optional[str]
    #: An error code in the answer, by name or number.
    error: Optional[Union[str, int]]
    #: Requests that came then or later, by the broker's clock. A time without a zone is local.
    since: Optional[datetime]
    #: The broker that was asked, by its id.
    broker: Optional[int]
    #: One request, by its id.
    id: Optional[str]


class BrokerState(TypedDict):
    """A broker that the process plays."""

    broker: int
    rack: Optional[str]
    up: bool
    #: It stands in no list that clients are told.
    hidden: bool
    #: How many partitions it leads.
    leads: int
    #: Each with ``listener``, ``host`` and ``port``.
    listeners: List[Dict[str, Any]]


class PartitionState(TypedDict, total=False):
    """A partition. What begins with ``start`` is there where this broker has it."""

    partition: int
    leader: int
    leader_epoch: int
    replicas: List[int]
    isr: List[int]
    start: int
    end: int
    last_stable: int
    bytes: int
    segments: int


class TopicState(TypedDict):
    """A topic with the configs that are set on it."""

    topic: str
    id: str
    internal: bool
    records: int
    bytes: int
    configs: Dict[str, str]
    partitions: List[PartitionState]


class _Record(TypedDict):
    offset: int
    timestamp: int
    bytes: int
    key: Any
    value: Any
    headers: List[List[Any]]


class StoredRecord(_Record, total=False):
    """A record in a log. A key, a value or a header is a text, None, ``{"base64": …}`` or ``{"json": …}``."""

    #: ``open``, ``committed`` or ``aborted``
    transaction: str
    #: A marker of a transaction, which has neither key, value nor headers.
    control: str


class GroupState(TypedDict):
    """A group, how far it is behind, and why its consumers do not read."""

    group: str
    type: str
    state: str
    protocol: str
    members: List[Dict[str, Any]]
    partitions: List[Dict[str, Any]]
    more_members: int
    more_partitions: int
    #: None where nothing is committed.
    lag: Optional[int]
    why: List[str]


class Snapshot(TypedDict):
    """A snapshot, and what it takes in memory."""

    name: str
    bytes: int


class Loaded(TypedDict):
    """How many topics were made, and how many records were written."""

    topics: int
    records: int
