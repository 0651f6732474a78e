"""A service that writes an invoice for each order, with a test of it; and one planted bug.

It commits what it has polled before it has written the invoices. A test on a broker without troubles never shows that:

    klamm explore --allow doubled:invoices -- python3 invoices.py

finds that an invoice is lost where a connection is cut before it is written. With `--mended` the service commits behind its
work: an invoice may be written twice, and none is lost. Needs confluent-kafka.
"""

import os
import sys

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

COMMON = {"bootstrap.servers": os.environ["KLAMM_BOOTSTRAP_SERVERS"], "log_level": 2}
COUNT = 3
COMMITS_FIRST = "--mended" not in sys.argv


def write(producer, topic, key, value):
    """Writes a record and waits until it is acknowledged."""
    failures = []
    producer.produce(topic, key=key, value=value, callback=lambda error, _: failures.append(error))
    producer.flush(20)
    if failures[0] is not None:
        raise KafkaException(failures[0])


def serve_once():
    """Serves until all orders are committed. An error of the broker's ends it."""
    group = {"group.id": "invoices", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    # A member that could not say that it leaves is not waited for long.
    consumer = Consumer({**COMMON, **group, "client.id": "invoices", "session.timeout.ms": 3000})
    consumer.subscribe(["orders"])
    # What fails is done again from the last commit, so that the producer need not try again.
    producer = Producer({**COMMON, "client.id": "invoices", "retries": 0})
    try:
        while consumer.committed([TopicPartition("orders", 0)])[0].offset < COUNT:
            orders = consumer.consume(2, timeout=0.5)
            if orders and COMMITS_FIRST:
                consumer.commit(asynchronous=False)
            for order in orders:
                write(producer, "invoices", order.key(), b"invoice of " + order.value())
            if orders and not COMMITS_FIRST:
                consumer.commit(asynchronous=False)
    finally:
        consumer.close()


def serve():
    """Starts the service again when it has failed, as a supervisor does."""
    while True:
        try:
            return serve_once()
        except KafkaException as error:
            print("the service starts again:", repr(error), flush=True)


def test_invoices():
    shop = Producer({**COMMON, "client.id": "shop", "enable.idempotence": True})
    for number in range(COUNT):
        write(shop, "orders", "customer-%d" % (number % 2), "order-%d" % number)
    serve()


if __name__ == "__main__":
    test_invoices()
