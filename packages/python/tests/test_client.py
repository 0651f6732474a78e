"""confluent-kafka before a broker of each test."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from klamm import Fault, Filter, Klamm, KlammError, Topic, WaitTimeout

#: How long anything here may take on a busy machine.
DEADLINE = 60


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
    assert one.flush(DEADLINE) == 0
    return [error for error in errors if error is not None]


def read(klamm: Klamm, topic: str, count: int, **settings: Any) -> List[str]:
    one = consumer(klamm, **settings)
    one.subscribe([topic])
    messages: List[Message] = []
    while len(messages) < count:
        found = one.consume(count - len(messages), timeout=DEADLINE)
        assert found, f"{len(messages)} of {count} records"
        messages += found
    one.commit(asynchronous=False)
    one.close()
    values = [message.value() for message in messages]
    return [value.decode() for value in values if value is not None]


def offsets(klamm: Klamm, topic: str) -> Any:
    one = consumer(klamm)
    try:
        return one.get_watermark_offsets(TopicPartition(topic, 0), timeout=DEADLINE)
    finally:
        one.close()


def test_produce_and_consume(klamm: Klamm) -> None:
    assert send(klamm, "orders", "a", "b", "c") == []
    assert read(klamm, "orders", 3) == ["a", "b", "c"]
    klamm.wait_for(group="readers", lag=0)
    klamm.wait_for(topic="orders", fetched=0, partition=0)
    with pytest.raises(WaitTimeout, match="by the client none"):
        klamm.wait_for(topic="orders", fetched=0, client_id="none", timeout=0.02)


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
    late = time.monotonic() + DEADLINE
    while fault.struck == 0:
        assert time.monotonic() < late, f"no Produce was held in {DEADLINE} s"
        one.poll(0.01)
    assert len(one) == 1
    fault.remove()
    assert one.flush(DEADLINE) == 0
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
    assert klamm.requests(client_id="none") == klamm.requests(broker=7) == []
    assert [one.id for one in klamm.requests(id=sent.id, broker=1)] == [sent.id]


@pytest.mark.klamm(topics=["orders"])
def test_an_assertion_fails_with_a_sentence(klamm: Klamm) -> None:
    send(klamm, "orders", "a")
    with pytest.raises(AssertionError, match=r"(?s)^1 requests? match.* 0 were expected\n  .* Produce v"):
        klamm.assert_requests(api="Produce", at_most=0)
    with pytest.raises(KlammError, match="Produces"):
        klamm.assert_requests(api="Produces", at_most=0)
    with pytest.raises(TypeError, match="at_least, at_most or both"):
        klamm.assert_requests(api="Produce")


@pytest.mark.klamm(topics=["orders"])
def test_a_filter_has_one_list_of_words(klamm: Klamm) -> None:
    send(klamm, "orders", "a", **{"client.id": "shop"})
    words: Filter = {"api": "Produce", "client_id": "shop", "topic": None}
    klamm.assert_requests(at_least=1, **words)
    assert [request.api for request in klamm.requests(**words)] == ["Produce"]
    with pytest.raises(TypeError, match="requests.. looks for nothing by client; it does by api, client_id, topic"):
        klamm.requests(**{"client": "shop"})  # type: ignore[arg-type]


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
    assert one.consume(1, timeout=DEADLINE)
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


LINES = """{"topic":"orders","partitions":2,"configs":{"cleanup.policy":"compact"}}
{"topic":"orders","partition":1,"key":"k1","value":{"json":{"amount":5}},"headers":[["trace","a"]],"timestamp":1767225600000}
{"topic":"orders","partition":1,"key":"k2","value":null}
"""


def test_topics_and_records_in_and_out(klamm: Klamm, tmp_path: Path) -> None:
    assert klamm.load_fixtures(LINES) == {"topics": 1, "records": 2}
    assert [record["key"] for record in klamm.records("orders", 1)] == ["k1", "k2"]
    (first,) = klamm.records("orders", 1, before=1, as_json=True)
    assert (first["offset"], first["timestamp"], first["headers"]) == (0, 1767225600000, [["trace", "a"]])
    assert first["value"] == {"json": {"amount": 5}}
    assert klamm.records("orders") == []
    (topic,) = klamm.topics("orders")
    assert (topic["records"], topic["configs"]) == (2, {"cleanup.policy": "compact"})
    assert [partition["end"] for partition in topic["partitions"]] == [0, 2]
    dumped = klamm.dump_fixtures()
    assert klamm.dump_fixtures("orders") == dumped
    klamm.reset()
    (tmp_path / "lines").write_text(dumped)
    assert klamm.load_fixtures(tmp_path / "lines") == {"topics": 1, "records": 2}
    assert klamm.dump_fixtures() == dumped
    assert klamm.load_fixtures({**json.loads(line), "partition": 0} for line in LINES.splitlines()[1:]) == {"topics": 0, "records": 2}
    assert 'kafka_topic_partition_current_offset{topic="orders",partition="0"} 2\n' in klamm.metrics()


def test_what_is_not_there_is_said(klamm: Klamm) -> None:
    with pytest.raises(KlammError, match="^line 2: "):
        klamm.load_fixtures([{"topic": "orders"}, {"topic": 7}])
    for call in (klamm.dump_fixtures, klamm.topics, klamm.records):
        with pytest.raises(KlammError, match="none"):
            call("none")
    with pytest.raises(KlammError, match="none"):
        klamm.groups("none")


def member_id(klamm: Klamm, group: str) -> str:
    (described,) = klamm.groups(group)
    return ", ".join(str(member["member_id"]) for member in described["members"])


def test_a_member_is_expired_and_joins_again(klamm: Klamm) -> None:
    send(klamm, "orders", "a")
    one = consumer(klamm)
    one.subscribe(["orders"])
    assert one.consume(1, timeout=DEADLINE)
    klamm.wait_for(group="readers", members=1, timeout=DEADLINE)
    for by_name in (True, False):
        before = member_id(klamm, "readers")
        klamm.expire_members("readers", before if by_name else None)
        late = time.monotonic() + DEADLINE
        while member_id(klamm, "readers") in ("", before):
            assert time.monotonic() < late, f"no member has joined again in {DEADLINE} s"
            one.poll(0.01)
    one.close()
    with pytest.raises(KlammError, match="there is no group readers"):
        klamm.expire_members("readers")


def test_a_rebalance_is_forced(klamm: Klamm) -> None:
    send(klamm, "orders", "a")
    assigned: List[int] = []
    one = consumer(klamm)
    one.subscribe(["orders"], on_assign=lambda _, partitions: assigned.append(len(partitions)))
    assert one.consume(1, timeout=DEADLINE)
    klamm.force_rebalance("readers")
    late = time.monotonic() + DEADLINE
    while len(assigned) < 2:
        assert time.monotonic() < late, f"{len(assigned)} assignments in {DEADLINE} s"
        one.poll(0.01)
    one.close()


@pytest.mark.klamm(topics=["accounts:1:cleanup.policy=compact", "orders:1:retention.ms=1000"])
def test_logs_are_compacted_and_retained_now(klamm: Klamm) -> None:
    lines = [{"topic": "accounts", "key": "a", "value": value} for value in ("1", "2")]
    klamm.load_fixtures([*lines, {"topic": "orders", "value": "old", "timestamp": 1}])
    klamm.compact("accounts")
    klamm.apply_retention()
    assert [one["value"] for one in klamm.records("accounts")] == ["2"]
    assert klamm.records("orders") == []
    with pytest.raises(KlammError, match="not compacted"):
        klamm.compact("orders")


@pytest.mark.klamm(topics=["orders"])
def test_a_producer_is_fenced(klamm: Klamm) -> None:
    one = producer(klamm, **{"transactional.id": "payments"})
    one.init_transactions(DEADLINE)
    one.begin_transaction()
    one.produce("orders", "a")
    assert one.flush(DEADLINE) == 0
    klamm.fence_producer("payments")
    with pytest.raises(KafkaException) as failure:
        one.commit_transaction(DEADLINE)
    assert failure.value.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)
    sent, marker = klamm.records("orders")
    assert (sent["value"], sent["transaction"]) == ("a", "aborted")
    assert (marker["value"], marker["headers"], marker["control"]) == (None, [], "Abort")


def leader(klamm: Klamm) -> int:
    (topic,) = klamm.topics("orders")
    return topic["partitions"][0]["leader"]


@pytest.mark.klamm(brokers=3, topics=["orders"])
def test_leaders_and_coordinators_move_and_a_broker_goes_down(klamm: Klamm) -> None:
    addresses = klamm.bootstrap_servers.split(",")
    listeners = [broker["listeners"][0] for broker in klamm.brokers()]
    assert [f"{of['host']}:{of['port']}" for of in listeners] == addresses
    assert [(broker["broker"], broker["rack"]) for broker in klamm.brokers()] == [(id, f"rack-{id}") for id in (1, 2, 3)]
    assert send(klamm, "orders", "a") == []
    # The metadata of before are shown once more, and the one that leads now is asked.
    stale = klamm.fault({"api": "Metadata"}, {"stale": True}, count=1)
    moved = leader(klamm) % 3 + 1
    refusal = klamm.fault({"api": "Produce", "broker": moved}, {"error": "NOT_ENOUGH_REPLICAS"}, count=1)
    klamm.move_leader("orders", 0, to=moved)
    assert leader(klamm) == moved
    assert send(klamm, "orders", "b", **{"retry.backoff.ms": 10}) == []
    assert (stale.struck, refusal.struck) == (1, 1)
    assert read(klamm, "orders", 2) == ["a", "b"]
    klamm.move_coordinator(group="readers", to=moved)
    assert send(klamm, "orders", "c") == []
    assert read(klamm, "orders", 1) == ["c"]

    klamm.take_broker_down(moved)
    assert [broker["broker"] for broker in klamm.brokers() if not broker["up"]] == [moved]
    assert klamm.brokers()[moved - 1]["leads"] == 0
    assert send(klamm, "orders", "d") == []
    with pytest.raises(KlammError, match=f"the broker {moved} is down"):
        klamm.move_leader("orders", 0, to=moved)
    klamm.bring_broker_up(moved)
    assert all(broker["up"] for broker in klamm.brokers())
    assert leader(klamm) != moved
    assert read(klamm, "orders", 4, **{"group.id": "others"}) == ["a", "b", "c", "d"]


@pytest.mark.klamm(brokers=3, topics=["orders"])
def test_consumers_are_sent_to_a_follower_and_told_of_other_brokers(klamm: Klamm) -> None:
    assert send(klamm, "orders", "a") == []
    follower = leader(klamm) % 3 + 1
    klamm.set_follower("orders", 0, follower)
    assert read(klamm, "orders", 1) == ["a"]
    klamm.assert_requests(api="Fetch", broker=follower, at_least=1)
    klamm.set_follower("orders", 0, follower, start=0, end=1)
    klamm.set_follower("orders", 0, None)

    def told() -> List[Tuple[Optional[str], bool]]:
        return [(broker["rack"], broker["hidden"]) for broker in klamm.brokers()]

    klamm.set_rack(1, "a")
    klamm.set_rack(2, None)
    klamm.hide_broker(3)
    assert told() == [("a", False), (None, False), ("rack-3", True)]
    klamm.hide_broker(3, False)
    assert told() == [("a", False), (None, False), ("rack-3", False)]
    klamm.tell_leader("orders", 0, leader=9, epoch=7)
    klamm.tell_leader("orders", 0)
    with pytest.raises(KlammError, match="there is no partition orders-1"):
        klamm.tell_leader("orders", 1)
    klamm.set_address(2, "proxy.test", 9192)
    klamm.set_address(2)
    with pytest.raises(KlammError, match="there is no broker 4"):
        klamm.set_address(4)


@pytest.mark.klamm(brokers=3, topics=["orders"])
def test_the_coordinator_of_a_transaction_moves(klamm: Klamm) -> None:
    one = producer(klamm, **{"transactional.id": "payments"})
    one.init_transactions(DEADLINE)
    one.begin_transaction()
    one.produce("orders", "a")
    assert one.flush(DEADLINE) == 0
    for to in (1, 2, 3):
        klamm.move_coordinator(transactional_id="payments", to=to)
    one.commit_transaction(DEADLINE)
    klamm.wait_for(transactional_id="payments")
    assert klamm.records("orders")[0]["transaction"] == "committed"


def test_one_broker_has_no_other(klamm: Klamm) -> None:
    (broker,) = klamm.brokers()
    assert (broker["up"], len(klamm.bootstrap_servers.split(","))) == (True, 1)
    with pytest.raises(KlammError, match="this process plays one broker"):
        klamm.take_broker_down(broker["broker"])
    with pytest.raises(TypeError, match="group or transactional_id"):
        klamm.move_coordinator(to=1)


@pytest.mark.klamm(topics=["orders"])
def test_the_disk_is_full_and_a_batch_is_broken(klamm: Klamm) -> None:
    klamm.set_disk(full=True)
    with pytest.raises(KlammError, match="error 56"):
        klamm.load_fixtures([{"topic": "orders", "value": "a"}])
    klamm.set_disk(full=False, sync_time=timedelta(milliseconds=1), syncs_fail=False)
    klamm.load_fixtures([{"topic": "orders", "value": "a"}, {"topic": "orders", "value": "b"}])
    assert klamm.corrupt_batch("orders", 0, 1) == 0
    with pytest.raises(KlammError, match="no batch with the offset 7"):
        klamm.corrupt_batch("orders", 0, 7)
    one = consumer(klamm, **{"check.crcs": True})
    one.subscribe(["orders"])
    message = one.poll(DEADLINE)
    error = message.error() if message else None
    assert error is not None and error.code() == KafkaError._BAD_MSG
    one.close()


@pytest.mark.klamm(topics=["orders"])
def test_records_that_fill_no_page_are_all_shown(klamm: Klamm) -> None:
    large = "x" * 16_000
    klamm.load_fixtures({"topic": "orders", "value": large} for _ in range(400))
    assert [record["offset"] for record in klamm.records("orders")] == list(range(400))
    assert [record["offset"] for record in klamm.records("orders", limit=3)] == [397, 398, 399]


def test_snapshots_are_listed_and_forgotten(klamm: Klamm) -> None:
    klamm.snapshot("a & b")
    (snapshot,) = klamm.snapshots()
    assert (snapshot["name"], snapshot["bytes"] > 0) == ("a & b", True)
    klamm.forget_snapshot("a & b")
    assert klamm.snapshots() == []
    with pytest.raises(KlammError, match="no such snapshot"):
        klamm.forget_snapshot("a & b")


def test_rules_are_listed(klamm: Klamm) -> None:
    fault = klamm.fault({"api": "Fetch"}, {"hold": True})
    fault.release()
    assert [(rule["id"], rule["struck"]) for rule in klamm.faults()] == [(fault.id, 0)]
