"""Members of groups in Python: `member.py kafka-python|aiokafka|confluent BOOTSTRAP JSON`. Each prints what it is assigned and
which records it gets, commits what it has printed, and leaves when its input ends. src/member.rs says what the JSON holds and
what is printed."""

import asyncio
import json
import sys
import threading

ended = threading.Event()


def watch_input():
    while sys.stdin.buffer.read1(1024):
        pass
    ended.set()


def show(event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Shown:
    """Prints an assignment when it has changed."""

    def __init__(self):
        self.names = None

    def update(self, partitions):
        names = sorted(f"{topic}-{number}" for topic, number in partitions)
        if names != self.names and (names or self.names is not None):
            self.names = names
            show({"e": "assigned", "p": names})


def records(batch):
    show({"e": "records", "r": [f"{topic}-{number}@{offset}" for topic, number, offset in batch]})


def kafka_python(bootstrap, spec):
    from kafka import KafkaConsumer
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

    assignors = {
        "range": RangePartitionAssignor,
        "roundrobin": RoundRobinPartitionAssignor,
        "sticky": StickyPartitionAssignor,
        "cooperative-sticky": CooperativeStickyAssignor,
    }
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=spec["group"],
        group_instance_id=spec["instance"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=spec["session_ms"],
        heartbeat_interval_ms=500,
        metadata_max_age_ms=1000,
        partition_assignment_strategy=[assignors[spec["assignor"]]],
    )
    if spec["pattern"]:
        consumer.subscribe(pattern=spec["pattern"])
    else:
        consumer.subscribe([spec["topic"]])
    shown = Shown()
    while not ended.is_set():
        found = consumer.poll(timeout_ms=100)
        shown.update(consumer.assignment())
        if found:
            records((r.topic, r.partition, r.offset) for part in found.values() for r in part)
            consumer.commit()
    consumer.close()


async def aiokafka(bootstrap, spec):
    from aiokafka import AIOKafkaConsumer
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

    assignors = {
        "range": RangePartitionAssignor,
        "roundrobin": RoundRobinPartitionAssignor,
        "sticky": StickyPartitionAssignor,
    }
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=spec["group"],
        group_instance_id=spec["instance"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=spec["session_ms"],
        rebalance_timeout_ms=10000,
        heartbeat_interval_ms=500,
        metadata_max_age_ms=1000,
        partition_assignment_strategy=[assignors[spec["assignor"]]],
    )
    if spec["pattern"]:
        consumer.subscribe(pattern=spec["pattern"])
    else:
        consumer.subscribe([spec["topic"]])
    await consumer.start()
    shown = Shown()
    while not ended.is_set():
        found = await consumer.getmany(timeout_ms=100)
        shown.update(consumer.assignment())
        if found:
            records((r.topic, r.partition, r.offset) for part in found.values() for r in part)
            await consumer.commit()
    await consumer.stop()


def confluent(bootstrap, spec):
    from confluent_kafka import Consumer

    config = {
        "bootstrap.servers": bootstrap,
        "group.id": spec["group"],
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "topic.metadata.refresh.interval.ms": 1000,
    }
    if spec["instance"]:
        config["group.instance.id"] = spec["instance"]
    if spec["protocol"] == "consumer":
        config.update({"group.protocol": "consumer", "group.remote.assignor": spec["assignor"]})
    else:
        config.update({"session.timeout.ms": spec["session_ms"], "heartbeat.interval.ms": 500})
        config["partition.assignment.strategy"] = spec["assignor"]
    consumer = Consumer(config)
    consumer.subscribe([spec["pattern"] or spec["topic"]])
    shown = Shown()
    while not ended.is_set():
        found = consumer.consume(num_messages=500, timeout=0.1)
        shown.update((p.topic, p.partition) for p in consumer.assignment())
        good = [m for m in found if m.error() is None]
        if good:
            records((m.topic(), m.partition(), m.offset()) for m in good)
            consumer.commit(asynchronous=False)
    consumer.close()


def main():
    library, bootstrap, text = sys.argv[1:]
    spec = json.loads(text)
    threading.Thread(target=watch_input, daemon=True).start()
    if library == "aiokafka":
        asyncio.run(aiokafka(bootstrap, spec))
    else:
        {"kafka-python": kafka_python, "confluent": confluent}[library](bootstrap, spec)
    show({"e": "left"})


if __name__ == "__main__":
    main()
