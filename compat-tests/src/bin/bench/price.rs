//! What something costs that a broker may have besides: rules of an authorizer, the HTTP side with readers, all that was built
//! since another binary. Klamm alone, once without it and once with it, in turns.
//!
//! What can come and go while a broker runs is switched on and off in one process (`Switch`): two processes of one binary differ by
//! more than what is looked for, as each has its memory elsewhere. What cannot is measured by two processes that run side by side, of
//! which one stands still; they are started anew for each pair of loads, so that no process is lucky all the time.

use crate::grid::{self, Cell};
use crate::peer::{Kind, Peer};
use crate::report::{Spread, heading, number};
use crate::run::{Run, Sample};
use compat_tests::raw::{Raw, text};
use compat_tests::{Context, Result, bail, ensure};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{CreateAclsRequest, DeleteAclsRequest};
use std::fmt::Write as _;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const USAGE: &str = "price [--pairs N] [--only TEXT]… [--out DIRECTORY]";
const PAIRS: usize = 20;
/// Another binary of Klamm, measured with the others where it is named.
const BEFORE: &str = "KLAMM_BEFORE";
/// What a load has written goes before the next broker needs the room: see `KEEPS_NOTHING`.
const DELETES_WITHIN: Duration = Duration::from_millis(300);
const SCRAPES_EVERY: Duration = Duration::from_millis(100);
/// A request with more of them is larger than brokers take.
const RULES_OF_A_REQUEST: usize = 1000;
const CREATE_ACLS_VERSION: i16 = 3;
const DELETE_ACLS_VERSION: i16 = 3;

/// Codes of `ResourceType`, `PatternType`, `AclOperation` and `AclPermissionType`.
const TOPIC: i8 = 2;
const ANY: i8 = 1;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const ALL: i8 = 2;
const WRITE: i8 = 4;
const ALLOW: i8 = 3;

type Settings = &'static [(&'static str, &'static str)];

/// What is priced.
struct Question {
    name: &'static str,
    kind: Asked,
}

enum Asked {
    /// One process, with these settings: what comes and goes.
    Switch(Settings, Switch),
    /// Two processes: what the second has and the first has not.
    Beside { settings: Settings, rules: usize, binary: Option<PathBuf> },
}

#[derive(Clone, Copy)]
enum Switch {
    Nothing,
    /// So many rules beside the one by which the load may use its topics.
    Rules(usize),
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

fn questions() -> Vec<Question> {
    let switch = |name, settings, switch| Question { name, kind: Asked::Switch(settings, switch) };
    let beside = |name, settings, rules| Question { name, kind: Asked::Beside { settings, rules, binary: None } };
    let mut questions = vec![
        switch("nothing: the same process", &[], Switch::Nothing),
        switch("1,000 rules more than one", AUTHORIZER, Switch::Rules(1_000)),
        switch("`/metrics` ten times a second", HTTP, Switch::Scrapes),
        switch("the page open, beside the journal alone", JOURNAL, Switch::Follows),
        beside("nothing: another process", &[], 0),
        beside("an authorizer with 10 rules", AUTHORIZER, 10),
        beside("an authorizer with 1,000 rules", AUTHORIZER, 1_000),
        beside("an authorizer with 100,000 rules", AUTHORIZER, 100_000),
        beside("the last 10,000 requests of each shard kept", JOURNAL, 0),
    ];
    if let Some(binary) = std::env::var_os(BEFORE) {
        let kind = Asked::Beside { settings: &[], rules: 0, binary: Some(binary.into()) };
        questions.push(Question { name: "what came since the binary of before", kind });
    }
    questions
}

pub fn main(given: &[String]) -> Result<()> {
    let (mut pairs, mut only, mut out) = (PAIRS, Vec::new(), None);
    let mut given = given.iter();
    while let Some(argument) = given.next() {
        let value = given.next().with_context(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--pairs" => pairs = value.parse()?,
            "--only" => only.push(value.as_str()),
            "--out" => out = Some(PathBuf::from(value)),
            other => bail!("{other}: {USAGE}"),
        }
    }
    let run = Run { broker: Vec::new(), load: Vec::new() };
    let mut questions = questions();
    questions.retain(|question| only.is_empty() || only.iter().any(|part| question.name.contains(part)));
    let mut rows = Vec::new();
    for cell in grid::priced() {
        for question in &questions {
            let found = match &question.kind {
                Asked::Switch(settings, switch) => switched(&run, settings, *switch, &cell, pairs)?,
                Asked::Beside { settings, rules, binary } => {
                    beside(&run, (settings, *rules, binary.as_deref()), &cell, pairs)?
                }
            };
            let (load, unit) = (cell.name.clone(), cell.measure.unit());
            let row = Row { load, unit, question: question.name, pairs: found };
            println!("{}: {}", row.load, row.line());
            rows.push(row);
        }
    }
    let report = report(&rows);
    println!("{report}");
    out.map_or(Ok(()), |out| write(&out, &report))
}

fn start(run: &Run, settings: Settings, rules: usize, binary: Option<&Path>) -> Result<Peer> {
    let peer = Peer::start_klamm(binary, &[KEEPS_NOTHING, settings].concat())?;
    if rules > 0 {
        add_rules(peer.port(), &[&[own_rule()], &other_rules(rules - 1)[..]].concat())?;
    }
    run.warm_up(Kind::Klamm, &peer, crate::doors::Door::Plain)?;
    Ok(peer)
}

/// A load without and one with it; which of them comes first changes from pair to pair.
struct Pair {
    without: Sample,
    with: Sample,
}

fn in_turns(number: usize, mut measure: impl FnMut(bool) -> Result<Sample>) -> Result<Pair> {
    let is_first = number.is_multiple_of(2);
    let (first, second) = (measure(is_first)?, measure(!is_first)?);
    let (with, without) = if is_first { (first, second) } else { (second, first) };
    Ok(Pair { without, with })
}

fn switched(run: &Run, settings: Settings, switch: Switch, cell: &Cell, pairs: usize) -> Result<Vec<Pair>> {
    let rules = usize::from(matches!(switch, Switch::Rules(_)));
    let peer = start(run, settings, rules, None)?;
    let found = (0..pairs).map(|number| in_turns(number, |is_on| load_with(run, &peer, cell, switch, is_on)));
    let found = found.collect::<Result<Vec<Pair>>>()?;
    peer.finish()?;
    Ok(found)
}

fn load_with(run: &Run, peer: &Peer, cell: &Cell, switch: Switch, is_on: bool) -> Result<Sample> {
    let reader = match switch {
        Switch::Nothing => None,
        Switch::Rules(count) if is_on => add_rules(peer.port(), &other_rules(count)).map(|()| None)?,
        Switch::Rules(_) => delete_other_rules(peer.port()).map(|()| None)?,
        Switch::Scrapes => is_on.then_some(Reader::Scrapes),
        Switch::Follows => is_on.then_some(Reader::Follows),
    };
    let reading = reader.map(|reader| Reading::start(peer, reader)).transpose()?;
    let sample = run.cell(peer, cell);
    reading.map_or(Ok(()), Reading::stop)?;
    thread::sleep(DELETES_WITHIN);
    sample
}

fn beside(
    run: &Run,
    (settings, rules, binary): (Settings, usize, Option<&Path>),
    cell: &Cell,
    pairs: usize,
) -> Result<Vec<Pair>> {
    let one = |number: usize| -> Result<Pair> {
        // Another binary is the one without: it has not what came since.
        let (without, with) = (start(run, &[], 0, binary)?, start(run, settings, rules, None)?);
        let both = [&without, &with];
        both.iter().for_each(|peer| peer.pause());
        let pair = in_turns(number, |is_on| {
            let peer = both[usize::from(is_on)];
            peer.go_on();
            let sample = run.cell(peer, cell);
            thread::sleep(DELETES_WITHIN);
            peer.pause();
            sample
        });
        without.finish()?;
        with.finish()?;
        pair
    };
    (0..pairs).map(one).collect()
}

/// The rule by which the load may use its topics.
fn own_rule() -> AclCreation {
    rule("User:ANONYMOUS", "bench-", PREFIXED, ALL)
}

/// Rules for others.
fn other_rules(count: usize) -> Vec<AclCreation> {
    let one = |number: usize| {
        let pattern = if number.is_multiple_of(2) { LITERAL } else { PREFIXED };
        let (client, topic) =
            (format!("User:client-{}", number % 1000), format!("team-{}.orders-{number}", number % 1000));
        rule(&client, &topic, pattern, WRITE)
    };
    (1..=count).map(one).collect()
}

fn add_rules(port: u16, rules: &[AclCreation]) -> Result<()> {
    let mut raw = Raw::connect(port)?;
    for some in rules.chunks(RULES_OF_A_REQUEST) {
        let answer = raw.call(&CreateAclsRequest::default().with_creations(some.to_vec()), CREATE_ACLS_VERSION)?;
        let refused = answer.results.iter().find(|result| result.error_code != 0);
        ensure!(refused.is_none(), "a rule is refused: {refused:?}");
    }
    Ok(())
}

/// Their operation tells them from the load's own rule.
fn delete_other_rules(port: u16) -> Result<()> {
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(TOPIC)
        .with_pattern_type_filter(ANY)
        .with_operation(WRITE)
        .with_permission_type(ALLOW);
    let request = DeleteAclsRequest::default().with_filters(vec![filter]);
    let answer = Raw::connect(port)?.call(&request, DELETE_ACLS_VERSION)?;
    ensure!(answer.filter_results.iter().all(|result| result.error_code == 0), "{answer:?}");
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

#[derive(Clone, Copy)]
enum Reader {
    Scrapes,
    Follows,
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

/// What one question found with one load.
struct Row {
    load: String,
    /// Of its throughput.
    unit: &'static str,
    question: &'static str,
    pairs: Vec<Pair>,
}

impl Row {
    fn line(&self) -> String {
        let shown = |of: &dyn Fn(&Sample) -> f64| {
            let ratios: Vec<f64> = self.pairs.iter().map(|pair| of(&pair.with) / of(&pair.without)).collect();
            let (low, high) = around_the_middle(&ratios);
            let middle = Spread::of(ratios.into_iter()).map_or(f64::NAN, |spread| spread.middle);
            format!("{middle:.3} ({low:.3} – {high:.3})")
        };
        format!("{} | {} | {}", self.question, shown(&|sample| sample.value), shown(&cost_ns))
    }
}

/// Between these the true middle is, in 95 of 100 runs: so many of the values are below and above a middle as heads and tails
/// fall. Whatever their distribution.
fn around_the_middle(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let mut left_out = 0;
    // The chance that fewer than so many are below the middle.
    let (mut tail, mut of_one) = (0.0, 0.5f64.powi(count as i32));
    while 2 * (left_out + 1) < count {
        tail += of_one;
        if tail > 0.025 {
            break;
        }
        of_one *= (count - left_out) as f64 / (left_out + 1) as f64;
        left_out += 1;
    }
    let at = left_out.saturating_sub(1);
    match sorted.as_slice() {
        [] => (f64::NAN, f64::NAN),
        all => (all[at], all[count - 1 - at]),
    }
}

fn report(rows: &[Row]) -> String {
    let mut text = heading(false);
    text += "\nWhat each costs: throughput, and the processor time of the whole process for each record, with it as ratios of without it. \
             The middle of the pairs, and between which values the true middle lies in 95 of 100 runs.\n\n";
    text += "| | throughput | processor for a record |\n| --- | --: | --: |\n";
    for of_load in rows.chunk_by(|a, b| a.load == b.load) {
        let plain = |of: &dyn Fn(&Sample) -> f64| {
            Spread::of(of_load.iter().flat_map(|row| &row.pairs).map(|pair| of(&pair.without)))
                .map_or(String::new(), |spread| number(spread.middle))
        };
        let (value, cost) = (plain(&|sample| sample.value), plain(&cost_ns));
        let _ = writeln!(text, "| **{}** | {value} {} | {cost} ns |", of_load[0].load, of_load[0].unit);
        of_load.iter().for_each(|row| {
            let _ = writeln!(text, "| {} |", row.line());
        });
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

#[cfg(test)]
mod tests {
    use super::around_the_middle;

    /// By the tables of the sign test.
    #[test]
    fn the_middle_is_where_the_tables_say() {
        let of = |count: u32| around_the_middle(&(1..=count).rev().map(f64::from).collect::<Vec<_>>());
        assert_eq!((of(6), of(10), of(20), of(30)), ((1.0, 6.0), (2.0, 9.0), (6.0, 15.0), (10.0, 21.0)));
        // Too few to say so.
        assert_eq!((of(1), of(5)), ((1.0, 1.0), (1.0, 5.0)));
    }
}
