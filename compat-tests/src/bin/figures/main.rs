//! Prints what Klamm costs: from exec to the first answer, idle memory, size of the binary, and a load of 100 MB of text by
//! kcat next to Apache Kafka on the same machine, alternating, in one run. With `groups`: what groups cost; with
//! `fixtures`: what brokers for tests cost; with
//! `transactions`: what transactional ids cost. `scripts/figures.sh` calls it.

mod fixtures;
mod groups;
mod transactions;

use compat_tests::broker::{Broker, Setup};
use compat_tests::program::{self, Input};
use compat_tests::raw::Raw;
use compat_tests::{Result, corpus, ensure, klamm};
use std::path::Path;
use std::time::{Duration, Instant};

const STARTS: usize = 20;
const LOAD_BYTES: u64 = 100_000_000;
const DEADLINE: Duration = Duration::from_secs(600);

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let word =
        arguments.first().filter(|first| ["fixtures", "groups", "transactions"].contains(&first.as_str())).cloned();
    if word.is_some() {
        arguments.remove(0);
    }
    let rounds = arguments.first().map_or(Ok(5), |n| n.parse())?;
    let shards = std::thread::available_parallelism()?.get() as u32;
    match word.as_deref() {
        Some("fixtures") => return fixtures::measure(rounds),
        Some("groups") => return groups::measure(shards, rounds),
        Some(_) => return transactions::measure(shards, rounds),
        None => {}
    }
    for io in ["uring", "epoll"] {
        starts(&Setup::klamm(io, shards))?;
    }
    sizes()?;
    loads(shards, rounds)
}

fn median<T: Copy + PartialOrd>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).expect("comparable"));
    sorted[sorted.len() / 2]
}

fn starts(setup: &Setup) -> Result<()> {
    let (mut first_answers, mut resident, mut anonymous) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let broker = Broker::start(setup)?;
        Raw::connect(broker.port())?.api_versions()?;
        first_answers.push(broker.age());
        resident.push(broker.rss_bytes()?);
        anonymous.push(broker.resident_bytes()?);
        broker.finish(None)?;
    }
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "{}: exec to first ApiVersions answer {:.1} ms (median of {STARTS}, min {:.1}, max {:.1})",
        setup.name(),
        median(&first_answers).as_secs_f64() * 1e3,
        first_answers.iter().min().expect("some").as_secs_f64() * 1e3,
        first_answers.iter().max().expect("some").as_secs_f64() * 1e3,
    );
    println!(
        "{}: idle resident memory {:.1} MiB, of which anonymous {:.1} MiB (medians)",
        setup.name(),
        mebibytes(median(&resident)),
        mebibytes(median(&anonymous)),
    );
    Ok(())
}

fn sizes() -> Result<()> {
    let binary = klamm::binary()?;
    let directory = tempfile::tempdir()?;
    let stripped = directory.path().join("klamm");
    let mut strip = program::command("strip", &["-o"]);
    strip.arg(&stripped).arg(&binary);
    program::run(strip, Input::Nothing)?;
    let megabytes = |path: &Path| Ok::<_, std::io::Error>(std::fs::metadata(path)?.len() as f64 / 1e6);
    println!("binary: {:.2} MB, stripped {:.2} MB", megabytes(&binary)?, megabytes(&stripped)?);
    Ok(())
}

/// One load's figures.
#[derive(Clone, Copy)]
struct Load {
    records_per_second: f64,
    processor_ns_per_record: f64,
}

fn load(broker: &Broker, topic: &str, text: &Path, lines: usize) -> Result<Load> {
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic(topic, 1, &[])?;
    let mut kcat = program::command("kcat", &["-b", &broker.bootstrap(), "-P", "-t", topic, "-p", "0", "-l"]);
    kcat.arg(text);
    let (began, used) = (Instant::now(), broker.processor_time()?);
    program::run_within(kcat, Input::Nothing, DEADLINE)?;
    let (took, used) = (began.elapsed(), broker.processor_time()? - used);
    let end = raw.end_offset(topic, 0)?;
    ensure!(end == lines as i64, "{end} records for {lines} lines");
    Ok(Load {
        records_per_second: lines as f64 / took.as_secs_f64(),
        processor_ns_per_record: used.as_nanos() as f64 / lines as f64,
    })
}

fn loads(shards: u32, rounds: usize) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let text = directory.path().join("text");
    let lines = corpus::write(&text, LOAD_BYTES)?;
    println!(
        "load: kcat -P -l, {lines} lines, {LOAD_BYTES} bytes, no compression, acks=all, one partition, {rounds} rounds"
    );
    let brokers = [Setup::klamm("uring", shards), Setup::klamm("epoll", shards), Setup::kafka()]
        .map(|setup| Broker::start(&setup));
    let brokers: Vec<Broker> = brokers.into_iter().collect::<Result<_>>()?;
    // The JVM compiles what it has seen often; nobody's first loads count.
    for round in 0..2 {
        for broker in &brokers {
            load(broker, &format!("warm-{round}"), &text, lines)?;
        }
    }
    let mut found: Vec<Vec<Load>> = vec![Vec::new(); brokers.len()];
    for round in 0..rounds {
        for (broker, found) in brokers.iter().zip(&mut found) {
            let one = load(broker, &format!("round-{round}"), &text, lines)?;
            let (speed, cost) = (one.records_per_second, one.processor_ns_per_record);
            println!(
                "  round {round} {:>8}: {speed:>9.0} records/s, {cost:>6.0} ns of the broker's processors per record",
                broker.setup().name()
            );
            found.push(one);
        }
    }
    let medians: Vec<(f64, f64)> = found
        .iter()
        .map(|loads| {
            let speeds: Vec<f64> = loads.iter().map(|l| l.records_per_second).collect();
            let costs: Vec<f64> = loads.iter().map(|l| l.processor_ns_per_record).collect();
            (median(&speeds), median(&costs))
        })
        .collect();
    let kafka = medians[medians.len() - 1];
    for (broker, (speed, cost)) in brokers.iter().zip(&medians) {
        println!(
            "{:>8}: {speed:.0} records/s ({:.2} of Kafka's), {cost:.0} ns per record ({:.3} of Kafka's); resident {} MiB",
            broker.setup().name(),
            speed / kafka.0,
            cost / kafka.1,
            broker.rss_bytes()? >> 20,
        );
    }
    brokers.into_iter().try_for_each(|broker| broker.finish(None))
}
