//! Which loads are run.

use crate::clients::{Copying, Sending, Transacting};
use crate::doors::Door;
use crate::drive::{Consumers, Handshakes, Manner, Producers, Reading};

/// What a cell of Kafka's tools or librdkafka's sends: some seconds, so that the beginning and the end weigh little.
const JAVA_BYTES: u64 = 300_000_000;
const RDKAFKA_BYTES: u64 = 1_000_000_000;
/// `rdkafka_performance` sends millions of the small ones a second.
const MOST_JAVA_RECORDS: u64 = 2_000_000;
const MOST_RDKAFKA_RECORDS: u64 = 8_000_000;
/// What a cell with transactions of Java's clients takes, after the first seconds, which do not count: a virtual machine has
/// compiled what matters by then.
const JAVA_SECONDS: f64 = 5.0;
const JAVA_WARM_SECONDS: f64 = 3.0;
/// What a loop that reads, processes and writes has to read: more than it can in that time.
const COPIED_RECORDS: u64 = 4_000_000;
/// What a load of records of 1 KiB sends where something is measured that Klamm has besides.
const PRICED_RECORDS: u64 = 2_000_000;
/// Short, as there are many pairs of them.
const PRICED_SECONDS: f64 = 2.0;
/// What our generator's cells take; the first quarter of those at a fixed rate does not count.
const CLOSED_SECONDS: f64 = 3.0;
const OPEN_SECONDS: f64 = 6.0;
const FILL_BYTES: u64 = 256 << 20;
/// What a consumer of others reads: it ends where the topic does.
const CONSUMED_BYTES: u64 = 1 << 30;
/// What a reader that has fallen behind takes where all brokers are to carry the same.
const CATCH_UP_BYTES_PER_SECOND: f64 = 1e9;
const KIB: usize = 1024;
/// Kafka's limit of a request is a mebibyte, with all that goes around the value.
const LARGEST: usize = 1_000_000;

#[derive(Clone, Debug)]
pub struct Cell {
    pub group: &'static str,
    pub name: String,
    pub load: Load,
    pub partitions: i32,
    pub topic: Vec<(&'static str, &'static str)>,
    pub measure: Measure,
    /// Whether a broker that keeps everything in memory takes part: not where it is about files.
    pub in_memory: bool,
    /// Where its clients come in.
    pub door: Door,
    /// Whether it is measured beside what the kernel's `sendfile` gives to one connection at the time.
    pub beside_sendfile: bool,
}

impl Cell {
    pub fn is_of_transactions(&self) -> bool {
        self.group.starts_with(TRANSACTIONS)
    }
}

/// What the cell's one figure is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    RecordsPerSecond,
    MegabytesPerSecond,
    /// Committed ones.
    TransactionsPerSecond,
    /// Of TLS, each on a connection of its own.
    HandshakesPerSecond,
    /// The 99th percentile, in microseconds, from when a record should have been sent to when a consumer had it.
    EndToEndP99,
    /// The same up to the acknowledgement.
    AcknowledgedP99,
    Milliseconds,
    Kilobytes,
    Megabytes,
    /// Of one processor.
    PerMille,
}

impl Measure {
    pub fn is_better_high(self) -> bool {
        matches!(self, Measure::RecordsPerSecond | Measure::MegabytesPerSecond) || self.is_of_requests()
    }

    /// Whether it counts requests, and costs are told for each of them.
    pub fn is_of_requests(self) -> bool {
        matches!(self, Measure::TransactionsPerSecond | Measure::HandshakesPerSecond)
    }

    pub fn unit(self) -> &'static str {
        match self {
            Measure::RecordsPerSecond => "records/s",
            Measure::MegabytesPerSecond => "MB/s",
            Measure::TransactionsPerSecond => "transactions/s",
            Measure::HandshakesPerSecond => "handshakes/s",
            Measure::EndToEndP99 | Measure::AcknowledgedP99 => "µs at p99",
            Measure::Milliseconds => "ms",
            Measure::Kilobytes => "kB",
            Measure::Megabytes => "MB",
            Measure::PerMille => "‰ of a processor",
        }
    }
}

#[derive(Clone, Debug)]
pub enum Load {
    Java(Sending),
    JavaConsume {
        records: u64,
        value_bytes: usize,
    },
    Rdkafka(Sending),
    RdkafkaConsume {
        records: u64,
        value_bytes: usize,
    },
    JavaTransactions(Transacting),
    JavaCopy {
        copying: Copying,
        filled: Filled,
    },
    /// By our generator, for so many seconds.
    Drive {
        seconds: f64,
        producers: Option<Producers>,
        consumers: Option<Consumers>,
        filled: Option<Filled>,
        beside: Beside,
    },
    Handshakes {
        seconds: f64,
        of: Handshakes,
    },
}

/// What else the broker has to do while a load is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beside {
    Nothing,
    /// One partition of another topic takes a hundred megabytes a second.
    HotPartition,
}

impl Beside {
    /// The hot partition's producers.
    pub fn producers(self) -> Option<Producers> {
        let manner = Manner::Open { records_per_second: 100_000.0 };
        (self == Beside::HotPartition).then(|| producers(2, KIB, 64, manner))
    }
}

/// What is in the topic before.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    pub bytes: u64,
    pub value_bytes: usize,
    /// Nothing of it is in the page cache.
    pub is_cold: bool,
}

fn sending(is_java: bool, value_bytes: usize, acks: &'static str, codec: &'static str) -> Sending {
    let (bytes, most) = if is_java { (JAVA_BYTES, MOST_JAVA_RECORDS) } else { (RDKAFKA_BYTES, MOST_RDKAFKA_RECORDS) };
    let records = (bytes / value_bytes as u64).clamp(200, most);
    Sending { records, value_bytes, acks, codec }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_000_000 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn cell(group: &'static str, name: String, load: Load, partitions: i32, measure: Measure) -> Cell {
    Cell {
        group,
        name,
        load,
        partitions,
        topic: Vec::new(),
        measure,
        in_memory: true,
        door: Door::Plain,
        beside_sendfile: false,
    }
}

/// The cells of one run.
pub fn cells(is_full: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    programs(&mut cells, is_full);
    connections(&mut cells, is_full);
    fetches(&mut cells);
    fixed_rates(&mut cells);
    transactions(&mut cells);
    cells
}

/// The loads of a run that is about TLS and logins, each once without them, for the price.
pub fn secured() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (door, how) in [(Door::Plain, "plain"), (Door::Tls, "TLS 1.3")] {
        let mut add = |group, name: String, producers, consumers, filled, measure| {
            let (seconds, beside) = (CLOSED_SECONDS, Beside::Nothing);
            let load = Load::Drive { seconds, producers, consumers, filled, beside };
            cells.push(Cell { door, ..cell(group, format!("{name}, {how}"), load, 12, measure) });
        };
        for (connections, value_bytes, records) in [(1, KIB, 16), (16, KIB, 16), (16, 100, 1)] {
            let load = producers(connections, value_bytes, records, Manner::Closed { in_flight: 5 });
            let (connections, records) = (counted(connections, "connection"), counted(records, "record"));
            let name = format!("{connections}, {records} of {} a request", size(value_bytes));
            add("secured: produce, as much as it takes", name, Some(load), None, None, Measure::RecordsPerSecond);
        }
        for connections in [1, 16] {
            let filled = Some(Filled { bytes: FILL_BYTES, value_bytes: KIB, is_cold: false });
            let load = Some(consumers(connections, Reading::Whole));
            let name = format!("{}, all of 12 partitions", counted(connections, "connection"));
            add("secured: fetch, as much as it gives", name, None, load, filled, Measure::MegabytesPerSecond);
        }
    }
    let mut add = |door, name: &str, are_resumed| {
        let load = Load::Handshakes { seconds: CLOSED_SECONDS, of: Handshakes { at_once: 4, are_resumed } };
        let name = format!("4 at once, {name}");
        cells.push(Cell { door, ..cell("secured: handshakes", name, load, 1, Measure::HandshakesPerSecond) });
    };
    add(Door::Tls, "ECDSA P-256", false);
    add(Door::TlsRsa, "RSA 2048", false);
    add(Door::Tls, "resumed", true);
    for (door, how) in [(Door::Plain, "plain"), (Door::SaslTls, "SASL_SSL")] {
        let producers = Some(producers(10, 100, 10, Manner::Open { records_per_second: 50_000.0 }));
        let (consumers, filled, beside) = (Some(consumers(4, Reading::Tail)), None, Beside::Nothing);
        let load = Load::Drive { seconds: OPEN_SECONDS, producers, consumers, filled, beside };
        let name = format!("50,000 records of 100 B a second, 10 to a request, tailed, {how}");
        cells.push(Cell { door, ..cell("secured: at a fixed rate", name, load, 12, Measure::EndToEndP99) });
    }
    cells
}

/// The loads by which something is measured that Klamm has besides.
pub fn priced() -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut add = |name: &str, producers, consumers, partitions, measure| {
        let filled = (measure == Measure::MegabytesPerSecond).then_some(Filled {
            bytes: FILL_BYTES,
            value_bytes: KIB,
            is_cold: false,
        });
        let load = Load::Drive { seconds: PRICED_SECONDS, producers, consumers, filled, beside: Beside::Nothing };
        cells.push(cell("price", name.to_string(), load, partitions, measure));
    };
    let pipelined = Manner::Closed { in_flight: 5 };
    let single = Some(producers(16, 100, 1, pipelined.clone()));
    add("produce, 16 connections, one record of 100 B a request", single, None, 12, Measure::RecordsPerSecond);
    // All brokers keep it on one disk.
    let most = Some(PRICED_RECORDS);
    let sixteen = Some(Producers { at_most_records: most, ..producers(16, KIB, 16, pipelined) });
    add("produce, 16 connections, 16 records of 1 KiB a request", sixteen, None, 12, Measure::RecordsPerSecond);
    let all = Some(consumers(1, Reading::Whole));
    add("fetch, 1 connection, all of 100 partitions", None, all, 100, Measure::MegabytesPerSecond);
    cells
}

fn programs(cells: &mut Vec<Cell>, is_full: bool) {
    let rate = Measure::RecordsPerSecond;
    let mut produce = |value_bytes, acks, codec, partitions: i32, is_java: bool| {
        let sending = sending(is_java, value_bytes, acks, codec);
        let (group, load) = match is_java {
            true => ("produce, kafka-producer-perf-test", Load::Java(sending)),
            false => ("produce, rdkafka_performance", Load::Rdkafka(sending)),
        };
        let name =
            format!("{}, acks={acks}, {codec}, {}", size(value_bytes), counted(partitions as usize, "partition"));
        cells.push(cell(group, name, load, partitions, rate));
    };
    if is_full {
        for is_java in [true, false] {
            for value_bytes in [100, KIB, 16 * KIB, LARGEST] {
                for acks in ["1", "all"] {
                    for codec in ["none", "lz4", "zstd"] {
                        for partitions in [1, 12, 100] {
                            produce(value_bytes, acks, codec, partitions, is_java);
                        }
                    }
                }
            }
        }
    } else {
        produce(100, "all", "none", 12, true);
        produce(KIB, "all", "none", 12, true);
        produce(KIB, "all", "zstd", 12, true);
        produce(100, "all", "none", 1, false);
        produce(KIB, "all", "none", 1, false);
        produce(KIB, "1", "none", 12, false);
        produce(KIB, "all", "lz4", 12, false);
        produce(KIB, "all", "none", 100, false);
        produce(16 * KIB, "all", "none", 12, false);
        produce(LARGEST, "all", "none", 1, false);
    }
    let records = CONSUMED_BYTES / KIB as u64;
    let consume = Load::JavaConsume { records, value_bytes: KIB };
    cells.push(cell("consume, kafka-consumer-perf-test", "1 KiB, 12 partitions".into(), consume, 12, rate));
    let consume = Load::RdkafkaConsume { records, value_bytes: KIB };
    cells.push(cell("consume, rdkafka_performance", "1 KiB, 1 partition".into(), consume, 1, rate));
}

fn producers(connections: usize, value_bytes: usize, records_per_request: usize, manner: Manner) -> Producers {
    let (codec, acks, has_keys, at_most_records) = (0, -1, false, None);
    Producers { connections, value_bytes, records_per_request, codec, acks, has_keys, at_most_records, manner }
}

pub fn consumers(connections: usize, manner: Reading) -> Consumers {
    Consumers { connections, manner, bytes_per_second: None }
}

fn connections(cells: &mut Vec<Cell>, is_full: bool) {
    let group = "produce, as much as it takes";
    let mut add = |name: String, topic: Vec<(&'static str, &'static str)>, producers: Producers, partitions| {
        let load = Load::Drive {
            seconds: CLOSED_SECONDS,
            producers: Some(producers),
            consumers: None,
            filled: None,
            beside: Beside::Nothing,
        };
        let in_memory = topic.is_empty();
        cells.push(Cell { topic, in_memory, ..cell(group, name, load, partitions, Measure::RecordsPerSecond) });
    };
    let pipelined = Manner::Closed { in_flight: 5 };
    let counts: &[usize] = if is_full { &[1, 16, 64, 256] } else { &[1, 16, 256] };
    for count in counts {
        let name = format!("{}, 16 records of 1 KiB a request, 12 partitions", counted(*count, "connection"));
        add(name, Vec::new(), producers(*count, KIB, 16, pipelined.clone()), 12);
    }
    for count in counts {
        let name = format!("{}, one record of 100 B a request, 12 partitions", counted(*count, "connection"));
        add(name, Vec::new(), producers(*count, 100, 1, pipelined.clone()), 12);
    }
    let synced = vec![("flush.messages", "1")];
    add(
        "16 connections, one record of 100 B a request, each synced".into(),
        synced,
        producers(16, 100, 1, pipelined.clone()),
        12,
    );
    let compacted =
        vec![("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.01"), ("segment.bytes", "16777216")];
    let keyed = Producers { has_keys: true, ..producers(16, KIB, 16, pipelined) };
    add("16 connections, 16 keyed records of 1 KiB a request, compacted".into(), compacted, keyed, 12);
}

fn fetches(cells: &mut Vec<Cell>) {
    let group = "fetch, as much as it gives";
    for (connections, is_cold) in [(1, false), (10, false), (1, true)] {
        let manner = if is_cold { Reading::Once } else { Reading::Whole };
        let filled = Some(Filled { bytes: FILL_BYTES, value_bytes: KIB, is_cold });
        let consumers = Some(consumers(connections, manner));
        let load = Load::Drive { seconds: CLOSED_SECONDS, producers: None, consumers, filled, beside: Beside::Nothing };
        let pages = if is_cold { "pages on the disk" } else { "pages in memory" };
        let name = format!("{}, all of 12 partitions, {pages}", counted(connections, "connection"));
        let in_memory = !is_cold;
        let beside_sendfile = connections == 1 && in_memory;
        cells.push(Cell { in_memory, beside_sendfile, ..cell(group, name, load, 12, Measure::MegabytesPerSecond) });
    }
}

fn fixed_rates(cells: &mut Vec<Cell>) {
    let mut add = |name: &str, producers, consumers, filled, topic: Vec<(&'static str, &'static str)>, measure| {
        let beside = Beside::Nothing;
        let load = Load::Drive { seconds: OPEN_SECONDS, producers: Some(producers), consumers, filled, beside };
        let in_memory = topic.is_empty();
        cells.push(Cell { topic, in_memory, ..cell(FIXED_RATE, name.to_string(), load, 12, measure) });
    };
    let open = |records_per_second| Manner::Open { records_per_second };
    let tail = |connections| Some(consumers(connections, Reading::Tail));
    let each = |connections| Some(consumers(connections, Reading::TailEach));
    let end = Measure::EndToEndP99;
    add(
        "50,000 records of 100 B a second, 10 to a request, tailed",
        producers(10, 100, 10, open(50_000.0)),
        tail(4),
        None,
        vec![],
        end,
    );
    add(
        "50,000 records of 1 KiB a second, 25 to a request, tailed",
        producers(10, KIB, 25, open(50_000.0)),
        tail(4),
        None,
        vec![],
        end,
    );
    add(
        "5,000 records of 1 KiB a second, one to a request, tailed",
        producers(10, KIB, 1, open(5_000.0)),
        tail(4),
        None,
        vec![],
        end,
    );
    add(
        "10,000 records of 1 KiB a second, tailed by 10 each",
        producers(10, KIB, 25, open(10_000.0)),
        each(10),
        None,
        vec![],
        end,
    );
    let filled = Some(Filled { bytes: FILL_BYTES, value_bytes: KIB, is_cold: false });
    let unlimited = consumers(1, Reading::Whole);
    let limited = Consumers { bytes_per_second: Some(CATCH_UP_BYTES_PER_SECOND), ..unlimited.clone() };
    for (how, catching_up) in [("as fast as it can", unlimited), ("with 1 GB/s", limited)] {
        add(
            &format!("10,000 records of 1 KiB a second while one reads all from the beginning, {how}"),
            producers(10, KIB, 25, open(10_000.0)),
            Some(catching_up),
            filled,
            vec![],
            Measure::AcknowledgedP99,
        );
    }
    add(
        "500 records of 1 KiB a second, one to a request, each synced",
        producers(10, KIB, 1, open(500.0)),
        None,
        None,
        vec![("flush.messages", "1")],
        Measure::AcknowledgedP99,
    );
    cells.push(modest("while one partition takes 100,000 of 1 KiB", Beside::HotPartition));
}

/// What the names of groups begin with whose loads are of transactions.
const TRANSACTIONS: &str = "transactions";

fn transactions(cells: &mut Vec<Cell>) {
    let measure = Measure::TransactionsPerSecond;
    let mut add = |group, name, load, partitions, measure| {
        // A topic of its own keeps the states of transactions, in files.
        cells.push(Cell { in_memory: false, ..cell(group, name, load, partitions, measure) });
    };
    let name = |count: usize, records: usize, partitions: i32| {
        let (producers, records) = (counted(count, "producer"), counted(records, "record"));
        format!("{producers}, {records} of 100 B a transaction, {}", counted(partitions as usize, "partition"))
    };
    for count in [1, 16, 64] {
        for (records, partitions) in [(1, 1), (1, 12), (100, 1), (100, 12)] {
            let load = Load::Drive {
                seconds: CLOSED_SECONDS,
                producers: Some(producers(count, 100, records, Manner::Transactional)),
                consumers: None,
                filled: None,
                beside: Beside::Nothing,
            };
            add("transactions, one after the other", name(count, records, partitions), load, partitions, measure);
        }
    }
    let (seconds, warm_seconds) = (JAVA_SECONDS, JAVA_WARM_SECONDS);
    for producers in [1, 16] {
        let load = Load::JavaTransactions(Transacting { producers, records: 1, warm_seconds, seconds });
        add("transactions, Java's producer", name(producers, 1, 12), load, 12, measure);
    }
    let (value_bytes, is_cold) = (100, false);
    let filled = Filled { bytes: COPIED_RECORDS * value_bytes as u64, value_bytes, is_cold };
    let load = Load::JavaCopy { copying: Copying { records: 100, warm_seconds, seconds }, filled };
    let name = "read, process, write: 100 records of 100 B a transaction, 12 partitions".to_string();
    add("transactions, Java's consumer and producer", name, load, 12, Measure::RecordsPerSecond);
}

const FIXED_RATE: &str = "at a fixed rate";

/// A load that leaves the broker most of its time, for what it has to do beside it.
pub fn modest(situation: &str, beside: Beside) -> Cell {
    let producers = Some(producers(10, KIB, 5, Manner::Open { records_per_second: 5_000.0 }));
    let consumers = Some(consumers(4, Reading::Tail));
    let load = Load::Drive { seconds: OPEN_SECONDS, producers, consumers, filled: None, beside };
    let name = format!("5,000 records of 1 KiB a second, 5 to a request, tailed, {situation}");
    cell(FIXED_RATE, name, load, 12, Measure::EndToEndP99)
}
