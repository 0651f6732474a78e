"""kafka-python as a program: `produce BOOTSTRAP TOPIC CODEC` reads records as JSON lines and writes them to partition 0,
`consume BOOTSTRAP TOPIC COUNT` reads partition 0 from its beginning and prints them. No group is involved."""

import base64
import json
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition


def to_bytes(text):
    return None if text is None else base64.b64decode(text)


def to_text(data):
    return None if data is None else base64.b64encode(bytes(data)).decode()


def produce(bootstrap, topic, codec):
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec, enable_idempotence=True, acks="all"
    )
    sent = []
    for line in sys.stdin:
        r = json.loads(line)
        headers = [(h["n"], to_bytes(h["v"])) for h in r["h"]]
        sent.append(
            producer.send(
                topic, key=to_bytes(r["k"]), value=to_bytes(r["v"]), headers=headers, partition=0, timestamp_ms=r["t"]
            )
        )
    producer.flush(60)
    for future in sent:
        future.get(timeout=60)
    producer.close()


def consume(bootstrap, topic, count):
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    seen = 0
    while seen < count:
        for records in consumer.poll(timeout_ms=500).values():
            for r in records:
                headers = [{"n": name, "v": to_text(value)} for name, value in r.headers]
                line = {"t": r.timestamp, "k": to_text(r.key), "v": to_text(r.value), "h": headers}
                sys.stdout.write(json.dumps(line) + "\n")
                seen += 1
    consumer.close()


def main():
    modes = {"produce": lambda a: produce(*a), "consume": lambda a: consume(a[0], a[1], int(a[2]))}
    if len(sys.argv) != 5 or sys.argv[1] not in modes:
        sys.exit("usage: produce BOOTSTRAP TOPIC CODEC | consume BOOTSTRAP TOPIC COUNT")
    modes[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    main()
