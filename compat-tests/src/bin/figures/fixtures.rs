//! What a broker for tests costs, `klamm test` beside Apache Kafka's own distribution with its defaults, alternating: from exec to the first
//! answer, to the first record that a consumer of a group has read, memory then, the stop, and the way back to nothing.

use crate::median;
use compat_tests::broker::{Broker, Setup};
use compat_tests::http::Http;
use compat_tests::raw::Raw;
use compat_tests::test_process::TestProcess;
use compat_tests::{Result, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const RESETS: usize = 20;

/// Milliseconds, and bytes of memory.
struct Figures {
    answer: f64,
    record: f64,
    stop: f64,
    resident_bytes: u64,
}

pub fn measure(rounds: usize) -> Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(klamm()?);
        theirs.push(kafka()?);
    }
    println!(
        "medians of {rounds} rounds: exec to first answer, to the first record read in a group; stop; resident memory"
    );
    for (name, all) in [("klamm test", &ours), ("Apache Kafka", &theirs)] {
        let of = |value: fn(&Figures) -> f64| median(&all.iter().map(value).collect::<Vec<_>>());
        println!(
            "{name}: {:.1} ms, {:.0} ms; {:.1} ms; {:.1} MiB",
            of(|figures| figures.answer),
            of(|figures| figures.record),
            of(|figures| figures.stop),
            of(|figures| figures.resident_bytes as f64) / f64::from(1 << 20),
        );
    }
    resets()
}

fn klamm() -> Result<Figures> {
    let began = Instant::now();
    let mut process = TestProcess::start(&["--topic", "t"])?;
    Raw::connect(process.port())?.api_versions()?;
    let answer = began.elapsed();
    let record = read_one(process.bootstrap(), began)?;
    let resident_bytes = process.resident_bytes()?;
    let stopping = Instant::now();
    process.close_input();
    let (status, _, said) = process.ended_within(PATIENCE)?;
    ensure!(status.success(), "{status}: {said}");
    Ok(Figures { answer: ms(answer), record, stop: ms(stopping.elapsed()), resident_bytes })
}

fn kafka() -> Result<Figures> {
    let broker = Broker::start(&Setup::kafka())?;
    // Its directory was formatted before that.
    let began = Instant::now() - broker.age();
    let mut raw = Raw::connect(broker.port())?;
    raw.api_versions()?;
    let answer = began.elapsed();
    raw.create_topic("t", 1, &[])?;
    let record = read_one(&format!("127.0.0.1:{}", broker.port()), began)?;
    let resident_bytes = broker.rss_bytes()?;
    let stopping = Instant::now();
    broker.finish(None)?;
    Ok(Figures { answer: ms(answer), record, stop: ms(stopping.elapsed()), resident_bytes })
}

/// Until a consumer of a group has read a record that was produced before.
fn read_one(bootstrap: &str, began: Instant) -> Result<f64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "g").set("auto.offset.reset", "earliest");
    let producer: BaseProducer = config.create()?;
    producer.send(BaseRecord::<str, str>::to("t").payload("x")).map_err(|(error, _)| error)?;
    producer.flush(PATIENCE)?;
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&["t"])?;
    loop {
        ensure!(began.elapsed() < PATIENCE, "no record came");
        if let Some(Ok(_)) = consumer.poll(Duration::from_millis(1)) {
            return Ok(ms(began.elapsed()));
        }
    }
}

fn resets() -> Result<()> {
    let process = TestProcess::start(&["--topic", "t"])?;
    let http = Http::of_test(&process)?;
    let mut took = Vec::new();
    for _ in 0..RESETS {
        Raw::connect(process.port())?.api_versions()?;
        let began = Instant::now();
        http.change("/v1/reset", &serde_json::json!({}))?;
        Raw::connect(process.port())?.api_versions()?;
        took.push(ms(began.elapsed()));
    }
    println!("klamm test: reset to the first answer behind it {:.1} ms (median of {RESETS})", median(&took));
    Ok(())
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}
