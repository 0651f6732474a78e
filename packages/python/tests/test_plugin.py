"""The plugin: scopes, options, workers, reports. Each of these tests runs pytest on a small suite."""

import pytest

#: How long such a run may take on a busy machine.
DEADLINE = 60

TWO_TESTS = """
    import pathlib

    def test_one(klamm): pathlib.Path("one").write_text(f"{klamm.pid} {klamm.bootstrap_servers}")
    def test_two(klamm): pathlib.Path("two").write_text(f"{klamm.pid} {klamm.bootstrap_servers}")
"""


def seen(pytester: pytest.Pytester) -> "list[str]":
    return [(pytester.path / name).read_text() for name in ("one", "two")]


def test_a_broker_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TWO_TESTS)
    pytester.runpytest_subprocess(timeout=DEADLINE).assert_outcomes(passed=2)
    one, two = seen(pytester)
    assert one != two


@pytest.mark.parametrize("scope", ["module", "session"])
def test_a_broker_that_is_shared(pytester: pytest.Pytester, scope: str) -> None:
    pytester.makeini(f"[pytest]\nklamm_scope = {scope}")
    pytester.makepyfile(TWO_TESTS)
    pytester.runpytest_subprocess(timeout=DEADLINE).assert_outcomes(passed=2)
    one, two = seen(pytester)
    assert one == two


def test_each_worker_has_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nklamm_scope = session")
    pytester.makepyfile(TWO_TESTS)
    pytester.runpytest_subprocess("-n", "2", "--dist", "each", timeout=DEADLINE).assert_outcomes(passed=4)
    pytester.runpytest_subprocess("-n", "2", "--dist", "load", timeout=DEADLINE).assert_outcomes(passed=2)
    one, two = seen(pytester)
    assert one != two


def test_a_scope_that_does_not_exist(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nklamm_scope = forever")
    pytester.makepyfile(TWO_TESTS)
    result = pytester.runpytest_subprocess(timeout=DEADLINE)
    assert result.ret != 0
    result.stdout.fnmatch_lines_random(["*klamm_scope is 'forever'; it is one of session, package, module, class, function*"])


def test_options(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def klamm_options(): return {"topics": ["orders"], "users": {"alice": "secret"}}

        def test_of_the_fixture(klamm):
            klamm.wait_for(topic="orders")
            assert klamm.security_protocol == "SASL_PLAINTEXT"

        @pytest.mark.klamm(users=None, topics=["bills"])
        class TestMarked:
            def test_of_the_class(self, klamm):
                assert klamm.security_protocol == "PLAINTEXT"
                klamm.wait_for(topic="bills")

            @pytest.mark.klamm(topics=["carts"])
            def test_of_the_test(self, klamm):
                assert klamm.security_protocol == "PLAINTEXT"
                klamm.wait_for(topic="carts")
        """
    )
    pytester.runpytest_subprocess(timeout=DEADLINE).assert_outcomes(passed=3)


def test_a_marker_of_the_module_is_seen_by_a_broker_of_the_module(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nklamm_scope = module")
    pytester.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.klamm(topics=["orders"])

        def test_it(klamm): klamm.wait_for(topic="orders")
        """
    )
    pytester.runpytest_subprocess(timeout=DEADLINE).assert_outcomes(passed=1)


def test_a_marker_without_an_effect_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nklamm_scope = session")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.klamm(topics=["orders"])
        def test_it(klamm): pass
        """
    )
    result = pytester.runpytest_subprocess(timeout=DEADLINE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the marker klamm of *test_it has no effect: with klamm_scope=session the broker is shared*"])


def test_the_report_of_a_failure(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from confluent_kafka import Producer

        def test_it(klamm):
            producer = Producer({"bootstrap.servers": klamm.bootstrap_servers, "client.id": "shop"})
            producer.produce("orders", "a")
            producer.flush(30)
            klamm.assert_requests(api="Produce", at_most=0)
        """
    )
    result = pytester.runpytest_subprocess(timeout=DEADLINE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*AssertionError: 1 request* match* 0 were expected*", "*klamm: its last requests*", "*Produce v* shop*", "*klamm: its log*", "*listener=PLAINTEXT*"]
    )


def test_the_program_can_be_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TWO_TESTS)
    result = pytester.runpytest_subprocess("--klamm-bin", "no/such/program", timeout=DEADLINE)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*binary= names no/such/program*"])
