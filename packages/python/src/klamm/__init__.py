"""A Kafka broker for each test: :class:`Klamm` starts one, the pytest plugin has it as the fixture ``klamm``."""

from ._broker import Klamm, Tls, Topic
from ._control import Clock, Fault, Request
from ._errors import KlammError, StartError, WaitTimeout
from ._words import Action, Match

__all__ = [
    "Action",
    "Clock",
    "Fault",
    "Klamm",
    "KlammError",
    "Match",
    "Request",
    "StartError",
    "Tls",
    "Topic",
    "WaitTimeout",
]
