"""A Kafka broker for each test: :class:`Klamm` starts one, the pytest plugin has it as the fixture ``klamm``."""

from ._broker import Klamm, Tls, Topic
from ._control import Clock, Fault, Request
from ._errors import KlammError, StartError, WaitTimeout
from ._words import Action, BrokerState, Filter, GroupState, Loaded, Match, PartitionState, Snapshot, StoredRecord, TopicState

__all__ = [
    "Action",
    "BrokerState",
    "Clock",
    "Fault",
    "Filter",
    "GroupState",
    "Klamm",
    "KlammError",
    "Loaded",
    "Match",
    "PartitionState",
    "Request",
    "Snapshot",
    "StartError",
    "StoredRecord",
    "Tls",
    "Topic",
    "TopicState",
    "WaitTimeout",
]
