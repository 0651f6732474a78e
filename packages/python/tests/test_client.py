"""confluent-kafka before a broker of each test: what README.md shows."""

from datetime import timedelta
from typing import Any, Callable, List

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from klamm import Fault, Klamm, KlammError, Topic, WaitTimeout


def producer(klamm: Klamm, **settings: Any) -> Producer:
    return Producer({"bootstrap.servers": klamm.bootstrap_servers, **settings})


def consumer(klamm: Klamm, **settings: Any) -> Consumer:
    return Consumer(
        {"bootstrap.servers": klamm.bootstrap_servers, "group.id": "readers", "auto.offset.reset": "earliest", **settings}
    )


def send(klamm: Klamm, topic: str, *values: str, **settings: Any) -> List[Any]:
    """Produces, and returns the errors that the client was told of."""
    errors: List[Any] = []
    one = producer(klamm, **settings)
    for value in values:
        one.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert one.flush(30) == 0
    return [error for error in errors if error is not None]


def read(klamm: Klamm, topic: str, count: int, **settings: Any) -> List[str]:
    one = consumer(klamm, **settings)
    one.subscribe([topic])
    messages: List[Message] = []
    while len(messages) < count:
        found = one.consume(count - len(messages), timeout=30)
        assert found, f"{len(messages)} of {count} records"
        messages += found
    one.commit(asynchronous=False)
    one.close()
    values = [message.value() for message in messages]
    return [value.decode() for value in values if value is not None]


def offsets(klamm: Klamm, topic: str) -> Any:
    one = consumer(klamm)
    try:
        return one.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    finally:
        one.close()


def test_produce_and_consume(klamm: Klamm) -> None:
    assert send(klamm, "orders", "a", "b", "c") == []
    assert read(klamm, "orders", 3) == ["a", "b", "c"]
    klamm.wait_for(group="readers", lag=0)


def test_each_test_has_a_broker_of_its_own(klamm: Klamm) -> None:
    with pytest.raises(WaitTimeout, match="orders"):
        klamm.wait_for(topic="orders", records=1, timeout=0.02)


@pytest.mark.klamm(topics=[Topic("orders", partitions=1)])
def test_a_refusal_is_retried(klamm: Klamm) -> None:
    fault = klamm.fault({"api": "Produce", "topic": "orders"}, {"error": "NOT_LEADER_OR_FOLLOWER"}, count=2)
    assert send(klamm, "orders", "a", **{"retry.backoff.ms": 10}) == []
    assert (fault.struck, fault.over) == (2, True)
    klamm.assert_requests(api="Produce", topic="orders", error="NOT_LEADER_OR_FOLLOWER", at_least=2, at_most=2)
    klamm.assert_requests(api="Produce", topic="orders", at_least=3, at_most=3)


@pytest.mark.klamm(topics=["orders"])
def test_a_lost_acknowledgement_writes_once(klamm: Klamm) -> None:
    with klamm.fault({"api": "Produce"}, {"close": True, "after": True}, count=1) as lost:
        assert send(klamm, "orders", "a", **{"enable.idempotence": True, "retry.backoff.ms": 10}) == []
        assert lost.struck == 1
    assert offsets(klamm, "orders") == (0, 1)
    klamm.assert_requests(api="Produce", at_least=2)


@pytest.mark.klamm(topics=["orders"])
def test_an_error_that_is_not_retried(klamm: Klamm) -> None:
    klamm.fault({"api": "Produce"}, {"error": "MESSAGE_TOO_LARGE"})
    (error,) = send(klamm, "orders", "a")
    assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert klamm.remove_faults() == 1
    assert send(klamm, "orders", "a") == []


@pytest.mark.klamm(topics=["orders"])
def test_a_held_request_goes_on(klamm: Klamm) -> None:
    fault = klamm.fault({"api": "Produce"}, {"hold": True})
    one = producer(klamm)
    one.produce("orders", "a")
    one.poll(0)
    while fault.struck == 0:
        one.poll(0.01)
    assert len(one) == 1
    fault.remove()
    assert one.flush(30) == 0
    fault.remove()
    with pytest.raises(KlammError, match="was removed"):
        fault.matched


@pytest.mark.klamm(topics=["orders:1:retention.ms=60000"])
def test_an_hour_passes(klamm: Klamm) -> None:
    klamm.clock.freeze()
    assert send(klamm, "orders", "a", "b") == []
    before = klamm.clock.now()
    assert offsets(klamm, "orders") == (0, 2)
    klamm.clock.advance(timedelta(hours=1))
    assert klamm.clock.now() - before == timedelta(hours=1)
    assert offsets(klamm, "orders") == (2, 2)


def test_the_clock_is_set(klamm: Klamm) -> None:
    later = klamm.clock.freeze() + timedelta(minutes=5)
    assert klamm.clock.frozen
    assert klamm.clock.set(later) == later
    assert klamm.clock.now() == later
    klamm.clock.resume()
    assert not klamm.clock.frozen
    with pytest.raises(KlammError):
        klamm.clock.advance(timedelta(days=10_000))


@pytest.mark.klamm(topics=["orders"])
def test_what_was_sent(klamm: Klamm) -> None:
    send(klamm, "orders", "a", **{"client.id": "shop"})
    (sent,) = klamm.requests(api="Produce", topic="orders", client_id="shop", records=True)
    assert (sent.api, sent.errors, sent.client_id) == ("Produce", {}, "shop")
    assert "rdkafka" in sent.software
    batch = sent.request["topicData"][0]["partitionData"][0]["records"]["batches"][0]
    assert batch["records"][0]["value"] == "a"
    assert sent.answer["responses"][0]["partitionResponses"][0]["baseOffset"] == 0
    assert "Produce v" in str(sent)
    assert klamm.requests(client_id="none") == []


@pytest.mark.klamm(topics=["orders"])
def test_an_assertion_fails_with_a_sentence(klamm: Klamm) -> None:
    send(klamm, "orders", "a")
    with pytest.raises(AssertionError, match=r"(?s)^1 requests? match.* 0 were expected\n  .* Produce v"):
        klamm.assert_requests(api="Produce", at_most=0)
    with pytest.raises(KlammError, match="Produces"):
        klamm.assert_requests(api="Produces", at_most=0)


@pytest.mark.klamm(topics=["orders"], users={"alice": "secret"}, tls=True)
def test_a_login_over_tls(klamm: Klamm) -> None:
    assert klamm.security_protocol == "SASL_SSL"
    assert klamm.tls and "SCRAM-SHA-512" in klamm.sasl_mechanisms
    settings = {
        "security.protocol": klamm.security_protocol,
        "ssl.ca.location": klamm.tls.ca_pem,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "alice",
        "sasl.password": "secret",
    }
    assert send(klamm, "orders", "a", **settings) == []
    klamm.assert_requests(api="Produce", principal="User:alice", at_least=1, at_most=1)


def test_brokers_side_by_side(klamm_factory: Callable[..., Klamm]) -> None:
    old, new = klamm_factory(as_version="2.8"), klamm_factory(overrides={"auto.create.topics.enable": False})
    assert old.bootstrap_servers != new.bootstrap_servers
    assert send(old, "orders", "a") == []
    (error,) = send(new, "orders", "a", **{"message.timeout.ms": 2000, "topic.metadata.propagation.max.ms": 0})
    assert error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)


def test_a_member_comes(klamm: Klamm) -> None:
    send(klamm, "orders", "a")
    one = consumer(klamm)
    one.subscribe(["orders"])
    assert one.consume(1, timeout=30)
    klamm.wait_for(group="readers", members=1)
    one.close()
    klamm.wait_for(group="readers", members=0)


@pytest.mark.klamm(topics=["orders"])
def test_back_to_a_snapshot_and_to_the_beginning(klamm: Klamm) -> None:
    assert send(klamm, "orders", "a", "b") == []
    klamm.snapshot("seeded")
    assert send(klamm, "orders", "c") == []
    assert offsets(klamm, "orders") == (0, 3)
    klamm.reset("seeded")
    klamm.wait_for(topic="orders", records=2)
    assert offsets(klamm, "orders") == (0, 2)
    assert read(klamm, "orders", 2) == ["a", "b"]
    klamm.reset()
    klamm.wait_for(topic="orders", records=0)
    assert offsets(klamm, "orders") == (0, 0)
    assert send(klamm, "orders", "d") == []
    assert read(klamm, "orders", 1) == ["d"]
    with pytest.raises(KlammError, match="there is no such snapshot"):
        klamm.reset("none")


def test_a_rule_that_is_wrong_is_refused(klamm: Klamm) -> None:
    with pytest.raises(KlammError, match='there is no error "NOPE"'):
        klamm.fault({"api": "Produce"}, {"error": "NOPE"})
    unused: Fault = klamm.fault({"client_id": "no such client"}, {"close": True}, expires=60)
    assert (unused.matched, unused.struck, unused.over) == (0, 0, False)
