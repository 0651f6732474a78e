"""The words of rules, for type checkers. The broker judges them: a word that it does not know is refused with a sentence."""

from __future__ import annotations

from typing import Dict, List, Optional, TypedDict, Union


class Match(TypedDict, total=False):
    """Which requests a rule is for. All that are given must be so."""

    api: Union[str, int, List[Union[str, int]]]
    versions: Union[int, str]
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
    delay_ms: int
    hold: bool
    close: bool
    no_answer: bool
    throttle_ms: int
    truncate: int
    corrupt: bool
    offer: Dict[str, Optional[List[int]]]
    expire_member: bool
    after: bool
