"""The fixtures ``klamm`` and ``klamm_factory``; what a broker was sent stands in the report of a test that failed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Callable, Dict, Generator, Iterator, Tuple, Type

import pytest

from ._broker import Klamm
from ._errors import KlammError

#: Where a marker may stand for a fixture of each scope: at what lives as long, or longer.
_PLACES: Dict[str, Tuple[Type[Any], ...]] = {
    "session": (pytest.Session,),
    "package": (pytest.Session, pytest.Package),
    "module": (pytest.Session, pytest.Package, pytest.Module),
    "class": (pytest.Session, pytest.Package, pytest.Module, pytest.Class),
    "function": (object,),
}
#: How many requests the report of a failure has.
_LAST_REQUESTS = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("klamm_scope", "which tests share a broker: function, class, module, package or session", default="function")
    parser.getgroup("klamm").addoption("--klamm-bin", metavar="PATH", help="the program klamm, where it is not the package's own")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "klamm(**options): the broker of the fixture klamm is started with these options of Klamm")


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    scope = config.getini("klamm_scope")
    if scope not in _PLACES:
        raise pytest.UsageError(f"klamm_scope is {scope!r}; it is one of {', '.join(_PLACES)}")
    return scope


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marker that no broker would see is a mistake, and is said."""
    scope = item.config.getini("klamm_scope")
    if "klamm" not in getattr(item, "fixturenames", ()):
        return
    for node, _ in item.iter_markers_with_node("klamm"):
        if not isinstance(node, _PLACES[scope]):
            pytest.fail(
                f"the marker klamm of {node.nodeid} has no effect: with klamm_scope={scope} the broker is shared. "
                "Override the fixture klamm_options, or take a broker of the test's own from klamm_factory",
                pytrace=False,
            )


@pytest.fixture(scope=_scope)
def klamm_options() -> Dict[str, Any]:
    """Options of every broker of the fixture klamm; override it in a conftest.py or in a module."""
    return {}


@pytest.fixture(scope=_scope)
def klamm(request: pytest.FixtureRequest, klamm_options: Dict[str, Any]) -> Iterator[Klamm]:
    """A Kafka broker. ``klamm_scope`` says how long it lives; without it each test has its own."""
    options = {"binary": request.config.getoption("--klamm-bin"), **klamm_options}
    # The farthest first, so that a nearer marker wins.
    for marker in reversed(list(request.node.iter_markers("klamm"))):
        options.update(marker.kwargs)
    with Klamm(**options) as broker:
        yield broker


@pytest.fixture
def klamm_factory(request: pytest.FixtureRequest) -> Iterator[Callable[..., Klamm]]:
    """Starts further brokers, with the options of Klamm; they end with the test."""
    with ExitStack() as brokers:
        binary = request.config.getoption("--klamm-bin")
        yield lambda **options: brokers.enter_context(Klamm(**{"binary": binary, **options}))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    broker = getattr(item, "funcargs", {}).get("klamm")
    if report.when != "call" or not report.failed or not isinstance(broker, Klamm):
        return
    try:
        requests = "\n".join(map(str, broker.requests(limit=_LAST_REQUESTS)))
    except KlammError as error:
        requests = str(error)
    report.sections.append(("klamm: its last requests", requests))
    report.sections.append(("klamm: its log", broker.log()))
