"""Logins: `login.py kafka-python|aiokafka|confluent` reads ways to come in as JSON lines (src/login.rs says what is in them),
writes two records by each and reads them back, and prints a line for each: what it read, or its error."""

import asyncio
import json
import logging
import ssl
import sys
import time

VALUES = [b"one", b"two"]
WITHIN = 15


def protocol(way):
    return ("SASL_" if way["mechanism"] else "") + ("SSL" if way["tls"] else "PLAINTEXT")


def context(way):
    if not way["tls"]:
        return None
    made = ssl.create_default_context(cafile=way["ca"])
    if way["certificate"]:
        made.load_cert_chain(way["certificate"], way["key"])
    return made


def kafka_python(way):
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.net.sasl.oauth import AbstractTokenProvider

    class Tokens(AbstractTokenProvider):
        def token(self):
            return way["token"]

    login = dict(bootstrap_servers=way["bootstrap"], security_protocol=protocol(way), ssl_context=context(way))
    login["bootstrap_timeout_ms"] = 4000
    if way["mechanism"]:
        login |= dict(sasl_mechanism=way["mechanism"], sasl_plain_username=way["user"], sasl_plain_password=way["password"])
    if way["mechanism"] == "OAUTHBEARER":
        login["sasl_oauth_token_provider"] = Tokens()
    producer = KafkaProducer(**login, max_block_ms=WITHIN * 1000)
    try:
        for value in VALUES:
            producer.send(way["topic"], value, partition=0).get(timeout=WITHIN)
    finally:
        producer.close(timeout=1)
    consumer = KafkaConsumer(**login, consumer_timeout_ms=WITHIN * 1000)
    partition = TopicPartition(way["topic"], 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    read = []
    for record in consumer:
        read.append(record.value.decode())
        if len(read) == len(VALUES):
            break
    consumer.close()
    return read


async def aiokafka_login(way):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.abc import AbstractTokenProvider

    class Tokens(AbstractTokenProvider):
        async def token(self):
            return way["token"]

    login = dict(bootstrap_servers=way["bootstrap"], security_protocol=protocol(way), ssl_context=context(way))
    if way["mechanism"]:
        login |= dict(sasl_mechanism=way["mechanism"], sasl_plain_username=way["user"], sasl_plain_password=way["password"])
    if way["mechanism"] == "OAUTHBEARER":
        login["sasl_oauth_token_provider"] = Tokens()
    producer = AIOKafkaProducer(**login)
    try:
        await producer.start()
        for value in VALUES:
            await producer.send_and_wait(way["topic"], value, partition=0)
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(**login)
    await consumer.start()
    try:
        partition = TopicPartition(way["topic"], 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value.decode() for _ in VALUES]
    finally:
        await consumer.stop()


def aiokafka(way):
    return asyncio.run(asyncio.wait_for(aiokafka_login(way), WITHIN))


def confluent(way):
    from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

    errors = []
    login = {"bootstrap.servers": way["bootstrap"], "security.protocol": protocol(way), "message.timeout.ms": WITHIN * 1000}
    login |= {"error_cb": lambda error: errors.append(error.str())}
    if way["tls"]:
        login["ssl.ca.location"] = way["ca"]
    if way["certificate"]:
        login |= {"ssl.certificate.location": way["certificate"], "ssl.key.location": way["key"]}
    if way["mechanism"] == "OAUTHBEARER":
        login |= {"sasl.mechanism": "OAUTHBEARER", "oauth_cb": lambda _: (way["token"], time.time() + 300)}
    elif way["mechanism"]:
        login |= {"sasl.mechanism": way["mechanism"], "sasl.username": way["user"], "sasl.password": way["password"]}
    producer = Producer(login)
    for value in VALUES:
        producer.produce(way["topic"], value, partition=0)
    end = time.time() + WITHIN
    while producer.flush(0.1) > 0 and time.time() < end and not errors:
        pass
    if errors or len(producer) > 0:
        producer.purge()
        raise RuntimeError("; ".join(errors) or "nothing was delivered")
    del login["message.timeout.ms"]
    consumer = Consumer(login | {"group.id": "none"})
    consumer.assign([TopicPartition(way["topic"], 0, 0)])
    read = []
    while len(read) < len(VALUES) and time.time() < end:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            read.append(message.value().decode())
    consumer.close()
    return read


def reasons(error):
    """An error with those that caused it."""
    while error is not None:
        yield f"{type(error).__name__}: {error}"
        error = error.__cause__ or error.__context__


class Heard(logging.Handler):
    """What a library says only in its log."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def main():
    call = {"kafka-python": kafka_python, "aiokafka": aiokafka, "confluent": confluent}[sys.argv[1]]
    heard = Heard()
    logging.getLogger().addHandler(heard)
    for line in sys.stdin:
        heard.lines.clear()
        try:
            answer = {"read": call(json.loads(line))}
        except Exception as error:
            answer = {"error": " / ".join([*reasons(error), *heard.lines])}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
