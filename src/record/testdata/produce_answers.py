#!/usr/bin/env python3
"""Asks a running Apache Kafka what it answers to good and bad produce requests and prints the table produce_answers.txt.

Usage: produce_answers.py HOST:PORT > produce_answers.txt     (a fresh broker with one node; it gets topics)

Every line of the table: name, topic, Produce version, the broker's clock at that moment, error code, the batch indexes
of the record errors, and for what was accepted the stored attributes, base timestamp, max timestamp and number of
records; last the records field that was sent, in hex. The test in validate.rs reads it.
"""
import gzip, socket, struct, sys, time

HOST, PORT = sys.argv[1].rsplit(":", 1)
NOW = int(time.time() * 1000)
TABLE = [0] * 256
for n in range(256):
    c = n
    for _ in range(8):
        c = (c >> 1) ^ (0x82F63B78 if c & 1 else 0)
    TABLE[n] = c


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = TABLE[(c ^ b) & 255] ^ (c >> 8)
    return c ^ 0xFFFFFFFF


def rotl(x, r):
    return ((x << r) | (x >> (32 - r))) & 0xFFFFFFFF


def xxh32(data):  # enough for inputs under 16 bytes
    p1, p2, p3, p4, p5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
    h = (p5 + len(data)) & 0xFFFFFFFF
    while len(data) >= 4:
        h = rotl((h + struct.unpack("<I", data[:4])[0] * p3) & 0xFFFFFFFF, 17) * p4 & 0xFFFFFFFF
        data = data[4:]
    for b in data:
        h = rotl((h + b * p5) & 0xFFFFFFFF, 11) * p1 & 0xFFFFFFFF
    h = (h ^ (h >> 15)) * p2 & 0xFFFFFFFF
    h = (h ^ (h >> 13)) * p3 & 0xFFFFFFFF
    return h ^ (h >> 16)


def varint(n):
    n = ((n << 1) ^ (n >> 63)) & 0xFFFFFFFFFFFFFFFF
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def uvarint(n):
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def pack(codec, data):
    """Smallest legal stream of each codec; only gzip really compresses."""
    if codec == 1:
        return gzip.compress(data, mtime=0)
    if codec == 2:
        assert 0 < len(data) <= 65536
        return uvarint(len(data)) + bytes([61 << 2]) + struct.pack("<H", len(data) - 1) + data
    if codec == 3:
        descriptor = bytes([0x60, 0x40])
        head = struct.pack("<I", 0x184D2204) + descriptor + bytes([xxh32(descriptor) >> 8 & 255])
        return head + struct.pack("<I", len(data) | 0x80000000) + data + bytes(4)
    if codec == 4:
        head = struct.pack("<I", 0xFD2FB528) + bytes([0xA0]) + struct.pack("<I", len(data))
        return head + struct.pack("<I", 1 | len(data) << 3)[:3] + data
    return data


def nullable(b):
    return varint(-1) if b is None else varint(len(b)) + b


def record(delta=0, ts=0, key=b"k", value=b"v", headers=(), attributes=0, body=None):
    if body is None:
        body = bytes([attributes]) + varint(ts) + varint(delta) + nullable(key) + nullable(value)
        body += varint(len(headers)) + b"".join(nullable(k) + nullable(v) for k, v in headers)
    return varint(len(body)) + body


def batch(records=None, codec=0, attributes=0, base_offset=0, epoch=-1, magic=2, delta=None, base_ts=None, max_ts=None,
          pid=-1, pepoch=-1, seq=-1, count=None, length=None, payload=None, crc=None):
    records = [record()] if records is None else records
    payload = pack(codec, b"".join(records)) if payload is None else payload
    base_ts = NOW if base_ts is None else base_ts
    body = struct.pack(">hiqqqhii", attributes | codec, len(records) - 1 if delta is None else delta, base_ts,
                       base_ts if max_ts is None else max_ts, pid, pepoch, seq,
                       len(records) if count is None else count) + payload
    crc = crc32c(body) if crc is None else crc
    length = len(body) + 9 if length is None else length
    return struct.pack(">qiibI", base_offset, length, epoch, magic, crc) + body


def legacy(magic):
    body = struct.pack(">bb", magic, 0) + (struct.pack(">q", NOW) if magic else b"")
    body += struct.pack(">i", 1) + b"k" + struct.pack(">i", 1) + b"v"
    import zlib
    message = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", 0, len(message)) + message


HOUR = 3600_000
three = [record(0), record(1), record(2)]
good = batch()
CASES = []


def case(name, data, topic="plain", version=8):
    CASES.append((name, topic, version, data))


def both(name, topic="plain", **how):
    """The same fault uncompressed and compressed: Kafka reads the two in different ways."""
    case(name, batch(**how), topic)
    if how.get("pid", -1) > 0:
        how["pid"] += 1000  # the same one would have sent a duplicate
    case(name + "-gzip", batch(codec=1, **how), topic)


for v in (3, 5, 6, 7, 8):
    case(f"good-v{v}", good, version=v)
case("good-three", batch(three))
case("good-headers", batch([record(headers=[(b"h", b"1"), (b"", None)])]))
case("good-empty-record", batch([record(key=None, value=None)]))
for codec, name in enumerate(["gzip", "snappy", "lz4", "zstd"], 1):
    for topic in ("plain", "compact", "append", "to-gzip", "to-snappy", "to-lz4", "to-zstd", "to-none"):
        case(f"good-{name}", batch(three, codec=codec), topic)
for topic in ("compact", "append", "to-gzip", "to-snappy", "to-lz4", "to-zstd", "to-none"):
    case("good-none", batch(three), topic)
case("zstd-v6", batch(codec=4), version=6)
case("zstd-v7", batch(codec=4), version=7)
# What is no batch, or not one.
case("null", None)
case("empty", b"")
for n in (1, 11, 12, 16, 17, 60, 61, len(good) - 1):
    case(f"cut-{n}", good[:n])
for n in (-2147483648, -1, 0, 13, 14, 15, 30, 48, 49, 50, 2147483647):
    case(f"length-{n}", batch(length=n))
case("length-one-less", batch(length=len(good) - 13))
case("length-one-more", batch(length=len(good) - 11))
for m in (0, 1, 3, 127, -1, -128):
    case(f"magic-{m}", batch(magic=m))
case("legacy-0", legacy(0))
case("legacy-1", legacy(1))
case("two-batches", good + good)
case("two-batches-second-cut", good + good[:-1])
case("batch-and-legacy", good + legacy(1))
for n in (1, 11, 12, 17, 40):
    case(f"zeros-behind-{n}", good + bytes(n))
    case(f"ones-behind-{n}", good + b"\xff" * n)
case("header-only", batch([], count=0, delta=0))
case("header-only-count-1", batch([], count=1, delta=0))
# Faults of the header.
case("base-offset-1", batch(base_offset=1))
case("base-offset-minus-1", batch(base_offset=-1))
case("base-offset-and-crc", batch(base_offset=1, crc=1))
case("crc", batch(crc=1))
case("crc-and-count", batch(crc=1, count=9))
case("large", batch([record(value=bytes(300))]), "small")
case("large-and-crc", batch([record(value=bytes(300))], crc=1), "small")
case("large-and-base-offset", batch([record(value=bytes(300))], base_offset=1), "small")
case("large-unpacked-only", batch([record(value=bytes(3000))], codec=1), "small")
case("large-after-repacking", batch([record(value=bytes(3000))], codec=1), "small-none")
for codec in (5, 6, 7):
    case(f"codec-{codec}", batch(attributes=codec))
    case(f"codec-{codec}-v6", batch(attributes=codec), version=6)
    case(f"codec-{codec}-and-crc", batch(attributes=codec, crc=1))
    case(f"codec-{codec}-and-count", batch(attributes=codec, count=9))
for d in (-2147483648, -2, -1, 1, 2147483647):
    both(f"delta-{d}", delta=d)
for c in (-2147483648, -1, 0, 2, 2147483647):
    both(f"count-{c}", count=c)
both("delta-and-count-2", delta=1, count=2)
both("delta-and-count-max", delta=2147483646, count=2147483647)
both("count-0-delta-minus-1", delta=-1, count=0)
both("three-counted-two", records=three, count=2, delta=1)
both("control", attributes=0x20)
both("control-with-producer", attributes=0x20, pid=900, pepoch=0)
both("control-and-count", attributes=0x20, count=3)
both("producer-good", pid=1001, pepoch=0, seq=0)
both("producer-without-sequence", pid=1002, pepoch=0)
both("producer-sequence-minus-2", pid=1003, pepoch=0, seq=-2)
both("producer-without-epoch", pid=1004, pepoch=-1, seq=0)
both("producer-epoch-minus-2", pid=1005, pepoch=-2, seq=0)
both("producer-minus-2", pid=-2, pepoch=0, seq=0)
both("sequence-without-producer", seq=5)
both("epoch-without-producer", pepoch=5)
case("producer-without-epoch-repacked", batch(pid=1006, pepoch=-1, seq=0), "to-gzip")
case("producer-good-repacked", batch(three, pid=1007, pepoch=3, seq=0), "to-gzip")
case("leader-epoch-7", batch(epoch=7))
case("transactional-without-id", batch(attributes=0x10, pid=1100, pepoch=0, seq=0))
both("delete-horizon", attributes=0x40)
both("bit-7", attributes=0x80)
both("bits-8-to-14", attributes=0x7F00)
case("bits-repacked", batch(attributes=0x7FC0), "to-gzip")
# Timestamps.
for topic in ("plain", "bounded", "append", "compact", "to-gzip"):
    for name, ts in [("future", NOW + 2 * HOUR), ("near-future", NOW + HOUR // 2), ("past", NOW - 2 * HOUR),
                     ("near-past", NOW - HOUR // 2), ("none", -1), ("minus-5", -5), ("zero", 0),
                     ("max", 2**63 - 1), ("min", -2**63)]:
        both(f"time-{name}", topic, base_ts=ts)
    both("time-mixed", topic, records=[record(0), record(1, ts=2 * HOUR), record(2, ts=-2 * HOUR)], max_ts=NOW + 2 * HOUR)
    both("time-max-too-high", topic, max_ts=NOW + 2 * HOUR)
    both("time-max-too-low", topic, max_ts=NOW - 1000)
    both("time-max-none", topic, max_ts=-1)
    both("time-max-hides", topic, records=[record(0), record(1, ts=2 * HOUR)], max_ts=NOW)
    both("time-max-is-not-first", topic, records=[record(0), record(1, ts=50), record(2, ts=-50)], max_ts=NOW + 50)
    both("stamped", topic, attributes=0x08)
    both("stamped-future", topic, attributes=0x08, max_ts=NOW + 2 * HOUR)
    both("stamped-none", topic, attributes=0x08, records=three, max_ts=-1)
# Keys.
for topic in ("plain", "compact", "compact-to-gzip"):
    both("no-key", topic, records=[record(key=None)])
    both("no-key-second", topic, records=[record(0), record(1, key=None), record(2)])
    both("empty-key", topic, records=[record(key=b"")])
    both("tombstone", topic, records=[record(value=None)])
    both("no-key-and-future", topic, records=[record(0, key=None), record(1, ts=2 * HOUR)], max_ts=NOW + 2 * HOUR)
    both("no-key-in-the-future", topic, base_ts=NOW + 2 * HOUR, records=[record(0, key=None)])
# Inside.
for topic in ("plain", "compact", "to-gzip"):
    both("inside-trailing", topic, records=[record() + b"\0"])
    both("inside-cut", topic, records=[record(value=b"long value")[:-3]])
    both("inside-nothing", topic, records=[b""], delta=0)
    both("inside-size-0", topic, records=[b"\0"])
    both("inside-size-minus-1", topic, records=[b"\x01"])
    both("inside-size-max", topic, records=[b"\xfe\xff\xff\xff\x0f"])
    both("inside-size-overlong", topic, records=[b"\xff\xff\xff\xff\xff\x01"])
    both("inside-size-too-small", topic, records=[varint(5) + record()[1:]])
    both("inside-size-too-large", topic, records=[varint(12) + record()[1:]])
    both("inside-key-minus-2", topic, records=[record(body=b"\0\0\0" + varint(-2) + nullable(b"v") + b"\0")])
    both("inside-value-minus-2", topic, records=[record(body=b"\0\0\0" + nullable(b"k") + varint(-2) + b"\0")])
    both("inside-key-too-long", topic, records=[record(body=b"\0\0\0" + varint(100) + b"k" + nullable(b"v") + b"\0")])
    both("inside-headers-minus-1", topic, records=[record(body=b"\0\0\0" + nullable(b"k") + nullable(b"v") + varint(-1))])
    both("inside-headers-many", topic, records=[record(body=b"\0\0\0" + nullable(b"k") + nullable(b"v") + varint(2**30))])
    both("inside-header-null-key", topic, records=[record(headers=[(None, b"v")])])
    both("inside-attributes", topic, records=[record(attributes=0xFF)])
    both("inside-deltas-reversed", topic, records=[record(1), record(0)])
    both("inside-deltas-gap", topic, records=[record(0), record(5)])
    both("inside-delta-negative", topic, records=[record(-1)])
    for codec, name in enumerate(["gzip", "snappy", "lz4", "zstd"], 1):
        case(f"inside-garbage-{name}", batch(codec=codec, payload=b"no compressed stream at all"), topic)
        case(f"inside-empty-{name}", batch(codec=codec, payload=b""), topic)
        whole = pack(codec, b"".join(three))
        case(f"inside-stream-cut-{name}", batch(three, codec=codec, payload=whole[:-6]), topic)
        case(f"inside-stream-trailing-{name}", batch(three, codec=codec, payload=whole + b"trailing"), topic)

TOPICS = {
    "plain": {}, "compact": {"cleanup.policy": "compact"}, "append": {"message.timestamp.type": "LogAppendTime"},
    "bounded": {"message.timestamp.before.max.ms": "3600000", "message.timestamp.after.max.ms": "3600000"},
    "small": {"max.message.bytes": "200"}, "small-none": {"max.message.bytes": "200", "compression.type": "uncompressed"},
    "to-gzip": {"compression.type": "gzip"}, "to-snappy": {"compression.type": "snappy"},
    "to-lz4": {"compression.type": "lz4"}, "to-zstd": {"compression.type": "zstd"},
    "to-none": {"compression.type": "uncompressed"},
    "compact-to-gzip": {"cleanup.policy": "compact", "compression.type": "gzip"},
}


def string(s):
    return struct.pack(">h", -1) if s is None else struct.pack(">h", len(s)) + s.encode()


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, fmt):
        value, = struct.unpack_from(">" + fmt, self.data, self.at)
        self.at += struct.calcsize(">" + fmt)
        return value

    def bytes(self, n):
        self.at += max(n, 0)
        return self.data[self.at - max(n, 0):self.at]

    def string(self):
        return self.bytes(self.take("h"))


def call(key, version, body):
    with socket.create_connection((HOST, int(PORT)), 5) as s:
        frame = struct.pack(">hhi", key, version, 1) + string("answers") + body
        s.sendall(struct.pack(">i", len(frame)) + frame)
        data = b""
        while len(data) < 4 or len(data) < 4 + struct.unpack(">i", data[:4])[0]:
            try:
                more = s.recv(1 << 20)
            except TimeoutError:
                return None
            if not more:
                return None
            data += more
    reader = Reader(data)
    reader.at = 8
    return reader


def create():
    body = struct.pack(">i", len(TOPICS))
    for name, configs in TOPICS.items():
        body += string(name) + struct.pack(">ihii", 1, 1, 0, len(configs))
        body += b"".join(string(k) + string(v) for k, v in configs.items())
    call(19, 2, body + struct.pack(">ib", 20000, 0))
    time.sleep(3)


def produce(topic, version, data):
    records = struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data
    body = string(None) + struct.pack(">hii", -1, 10000, 1) + string(topic) + struct.pack(">ii", 1, 0) + records
    answer = call(0, version, body)
    if answer is None:
        return "unanswered", [], None
    answer.take("i"), answer.string(), answer.take("i"), answer.take("i")
    code, offset, _ = answer.take("h"), answer.take("q"), answer.take("q")
    indexes = []
    if version >= 5:
        answer.take("q")
    if version >= 8:
        for _ in range(answer.take("i")):
            indexes.append(answer.take("i"))
            answer.string()
    return code, indexes, offset


def stored(topic, offset):
    body = struct.pack(">iiiibi", -1, 0, 0, 1 << 20, 0, 1) + string(topic) + struct.pack(">iiqi", 1, 0, offset, 1 << 20)
    answer = call(1, 4, body)
    answer.take("i"), answer.take("i"), answer.string(), answer.take("i"), answer.take("i"), answer.take("h")
    answer.take("q"), answer.take("q")
    for _ in range(max(answer.take("i"), 0)):
        answer.bytes(16)
    batch = answer.bytes(answer.take("i"))
    attributes, _, base_ts, max_ts = struct.unpack_from(">hiqq", batch, 21)
    assert crc32c(batch[21:12 + struct.unpack_from(">i", batch, 8)[0]]) == struct.unpack_from(">I", batch, 17)[0]
    return attributes, base_ts, max_ts, struct.unpack_from(">i", batch, 57)[0]


create()
print("# name topic version now code record_errors stored=attributes,base_timestamp,max_timestamp,count records")
for name, topic, version, data in CASES:
    code, indexes, offset = produce(topic, version, data)
    kept = ",".join(map(str, stored(topic, offset))) if code == 0 else "-"
    print(name, topic, version, NOW, code, ",".join(map(str, indexes)) or "-", kept,
          "null" if data is None else data.hex() or "empty")
    sys.stdout.flush()
