//! What something costs that a broker may have besides: rules of an authorizer, the HTTP side with readers, all that was built
//! since another binary. Klamm alone, once without it and once with each: the same loads one broker directly after the other,
//! several rounds, and the ratio of each round.

use crate::grid::{self, Cell};
use crate::peer::{Kind, Peer};
use crate::report::{Spread, heading, number};
use crate::run::{Run, Sample};
use compat_tests::raw::{Raw, text};
use compat_tests::{Context, Result, bail, ensure};
use kafka_protocol::messages::CreateAclsRequest;
use kafka_protocol::messages::create_acls_request::AclCreation;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const USAGE: &str = "price [--rounds N] [--only TEXT]… [--out DIRECTORY]";
const ROUNDS: usize = 9;
/// Another binary of Klamm, measured with the others where it is named.
const BEFORE: &str = "KLAMM_BEFORE";
/// What a load has written goes before the next broker needs the room: see `KEEPS_NOTHING`.
const DELETES_WITHIN: Duration = Duration::from_millis(300);
const SCRAPES_EVERY: Duration = Duration::from_millis(100);
/// A request with more of them is larger than brokers take.
const RULES_OF_A_REQUEST: usize = 1000;
const CREATE_ACLS_VERSION: i16 = 3;

/// Codes of `ResourceType`, `PatternType`, `AclOperation` and `AclPermissionType`.
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const ALL: i8 = 2;
const WRITE: i8 = 4;
const ALLOW: i8 = 3;

type Settings = &'static [(&'static str, &'static str)];

/// A broker, and what goes on beside its loads.
struct Variant {
    name: &'static str,
    settings: Settings,
    rules: usize,
    reader: Option<Reader>,
    binary: Option<PathBuf>,
}

#[derive(Clone, Copy)]
enum Reader {
    /// Takes `/metrics` ten times a second, as no Prometheus does.
    Scrapes,
    /// Follows all requests as the page does.
    Follows,
}

const KEEPS_NOTHING: Settings = &[("log.segment.delete.delay.ms", "0")];
const AUTHORIZER: Settings = &[
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("allow.everyone.if.no.acl.found", "true"),
];
const HTTP: Settings = &[("klamm.http.listeners", "http://127.0.0.1:0")];
const JOURNAL: Settings = &[("klamm.http.listeners", "http://127.0.0.1:0"), ("klamm.http.requests", "10000")];

fn variants() -> Vec<Variant> {
    let variant = |name, settings, rules, reader| Variant { name, settings, rules, reader, binary: None };
    let mut variants = vec![
        variant("nothing", &[], 0, None),
        variant("nothing, once more", &[], 0, None),
        variant("an authorizer with 10 rules", AUTHORIZER, 10, None),
        variant("an authorizer with 1,000 rules", AUTHORIZER, 1_000, None),
        variant("an authorizer with 100,000 rules", AUTHORIZER, 100_000, None),
        variant("`/metrics` ten times a second", HTTP, 0, Some(Reader::Scrapes)),
        variant("the last 10,000 requests of each shard kept", JOURNAL, 0, None),
        variant("the same, and the page open", JOURNAL, 0, Some(Reader::Follows)),
    ];
    if let Some(binary) = std::env::var_os(BEFORE) {
        variants.push(Variant { binary: Some(binary.into()), ..variant("the binary of before", &[], 0, None) });
    }
    variants
}

pub fn main(given: &[String]) -> Result<()> {
    let (mut rounds, mut only, mut out) = (ROUNDS, Vec::new(), None);
    let mut given = given.iter();
    while let Some(argument) = given.next() {
        let value = given.next().with_context(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--rounds" => rounds = value.parse()?,
            "--only" => only.push(value.as_str()),
            "--out" => out = Some(PathBuf::from(value)),
            other => bail!("{other}: {USAGE}"),
        }
    }
    let run = Run { broker: Vec::new(), load: Vec::new() };
    let mut variants = variants();
    // The first is what the others are compared with.
    let first = variants.remove(0);
    variants.retain(|variant| only.is_empty() || only.iter().any(|part| variant.name.contains(part)));
    variants.insert(0, first);
    let peers: Vec<Peer> = variants.iter().map(|variant| start(&run, variant)).collect::<Result<_>>()?;
    let mut rows: Vec<Row> = grid::priced().into_iter().map(|cell| Row { cell, rounds: Vec::new() }).collect();
    for round in 0..rounds {
        for row in &mut rows {
            row.rounds.push(measure(&run, &variants, &peers, &row.cell, round)?);
        }
    }
    peers.into_iter().try_for_each(Peer::finish)?;
    let report = report(&variants, &rows);
    println!("{report}");
    out.map_or(Ok(()), |out| write(&out, &report))
}

fn start(run: &Run, variant: &Variant) -> Result<Peer> {
    let peer = Peer::start_klamm(variant.binary.as_deref(), &[KEEPS_NOTHING, variant.settings].concat())?;
    if variant.rules > 0 {
        add_rules(peer.port(), variant.rules)?;
    }
    run.warm_up(Kind::Klamm, &peer, crate::doors::Door::Plain)?;
    peer.pause();
    Ok(peer)
}

/// Rules for others, and one by which the load may use its topics.
fn add_rules(port: u16, count: usize) -> Result<()> {
    let own = rule("User:ANONYMOUS", "bench-", PREFIXED, ALL);
    let others = (1..count).map(|number| {
        let pattern = if number.is_multiple_of(2) { LITERAL } else { PREFIXED };
        let (client, topic) =
            (format!("User:client-{}", number % 1000), format!("team-{}.orders-{number}", number % 1000));
        rule(&client, &topic, pattern, WRITE)
    });
    let rules: Vec<AclCreation> = std::iter::once(own).chain(others).collect();
    let mut raw = Raw::connect(port)?;
    for some in rules.chunks(RULES_OF_A_REQUEST) {
        let answer = raw.call(&CreateAclsRequest::default().with_creations(some.to_vec()), CREATE_ACLS_VERSION)?;
        let refused = answer.results.iter().find(|result| result.error_code != 0);
        ensure!(refused.is_none(), "a rule is refused: {refused:?}");
    }
    Ok(())
}

fn rule(principal: &str, topic: &str, pattern: i8, operation: i8) -> AclCreation {
    AclCreation::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text(topic))
        .with_resource_pattern_type(pattern)
        .with_principal(text(principal))
        .with_host(text("*"))
        .with_operation(operation)
        .with_permission_type(ALLOW)
}

struct Row {
    cell: Cell,
    /// Of each round the samples of all variants.
    rounds: Vec<Vec<Sample>>,
}

/// One load before all, each of them first in some round.
fn measure(run: &Run, variants: &[Variant], peers: &[Peer], cell: &Cell, round: usize) -> Result<Vec<Sample>> {
    let mut samples: Vec<Option<Sample>> = variants.iter().map(|_| None).collect();
    for step in 0..peers.len() {
        let at = (round + step) % peers.len();
        let (variant, peer) = (&variants[at], &peers[at]);
        peer.go_on();
        let reading = variant.reader.map(|reader| Reading::start(peer, reader)).transpose()?;
        let sample = run.cell(peer, cell);
        reading.map_or(Ok(()), Reading::stop)?;
        thread::sleep(DELETES_WITHIN);
        peer.pause();
        let sample = sample?;
        println!("round {round}, {}: {}: {:.0} {}", variant.name, cell.name, sample.value, cell.measure.unit());
        samples[at] = Some(sample);
    }
    Ok(samples.into_iter().flatten().collect())
}

/// A reader of the HTTP side that goes on until it is told to stop.
struct Reading {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Reading {
    fn start(peer: &Peer, reader: Reader) -> Result<Reading> {
        let http = peer.http()?;
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let thread = thread::spawn(move || match reader {
            Reader::Scrapes => {
                while !told.load(Ordering::Relaxed) {
                    ensure!(http.status("/metrics")? == 200, "no metrics");
                    thread::sleep(SCRAPES_EVERY);
                }
                Ok(())
            }
            Reader::Follows => {
                let mut events = http.follow("/v1/requests?follow&bodies=false")?.into_stream()?;
                // A load begins with requests: it never waits for long.
                let mut bytes = vec![0; 1 << 16];
                while !told.load(Ordering::Relaxed) {
                    match events.read(&mut bytes) {
                        Ok(0) => bail!("the events have ended"),
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(())
            }
        });
        Ok(Reading { ends, thread })
    }

    fn stop(self) -> Result<()> {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

fn report(variants: &[Variant], rows: &[Row]) -> String {
    let mut text = heading(false);
    text += "\nWhat each costs, beside the same broker with nothing of it: throughput, and the processor time of the whole process for \
             each record, as ratios of the same round (the middle, the least and the most).\n\n";
    text += "| | throughput | processor for a record |\n| --- | --: | --: |\n";
    for row in rows {
        let plain = |of: &dyn Fn(&Sample) -> f64| Spread::of(row.rounds.iter().map(|samples| of(&samples[0])));
        let value = plain(&|sample| sample.value).map_or(String::new(), |spread| number(spread.middle));
        let cost = plain(&cost_ns).map_or(String::new(), |spread| number(spread.middle));
        let _ = writeln!(text, "| **{}** | {value} {} | {cost} ns |", row.cell.name, row.cell.measure.unit());
        for (at, variant) in variants.iter().enumerate().skip(1) {
            let ratio = |of: &dyn Fn(&Sample) -> f64| {
                let ratios = row.rounds.iter().map(|samples| of(&samples[at]) / of(&samples[0]));
                let shown = |it: Spread| format!("{:.3} ({:.3} – {:.3})", it.middle, it.least, it.most);
                Spread::of(ratios).map_or("–".into(), shown)
            };
            let _ = writeln!(text, "| {} | {} | {} |", variant.name, ratio(&|sample| sample.value), ratio(&cost_ns));
        }
    }
    text
}

fn cost_ns(sample: &Sample) -> f64 {
    sample.used.processor_s * 1e9 / sample.records.max(1) as f64
}

fn write(out: &Path, report: &str) -> Result<()> {
    std::fs::create_dir_all(out)?;
    Ok(std::fs::write(out.join("results-price.md"), report)?)
}
