//! The comparison of what both brokers' tools printed, call by call.

use crate::accepted::{ACCEPTED, Accepted};
use crate::runner::{Answered, Runner};
use crate::{SCRIPTS, table};
use compat_tests::broker::{self, Peer};
use compat_tests::pair::{self, Pair};
use compat_tests::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// Few partitions for what both brokers create by themselves, quick groups, and what Apache Kafka's brokers here are told, too.
const SETTINGS: &[(&str, &str)] = &[
    ("node.id", "1"),
    ("process.roles", "broker,controller"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "4"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.num.partitions", "4"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
];
/// A call that takes longer is named, so that one sees where the time goes.
const SLOW: Duration = Duration::from_secs(5);

/// How a call compares.
pub struct Verdict {
    pub tool: String,
    /// Why its differences are accepted; none where there is no difference.
    pub reasons: BTreeSet<&'static str>,
}

/// What the tests of this suite have in common.
#[derive(Default)]
pub struct Shared {
    pair: Mutex<Option<Pair>>,
    /// One for each broker, the reference first.
    runners: Mutex<Option<[Runner; 2]>>,
    verdicts: Mutex<Vec<Verdict>>,
    /// The scripts that found nothing wrong.
    passed: Mutex<usize>,
}

impl Shared {
    pub fn compare(&self, name: &'static str, script: &'static str) -> Result<()> {
        let places = pair::places(&self.pair, SETTINGS)?;
        let log = places[0].log.clone();
        let [reference, subject] = {
            let mut runners = self.runners.lock().expect("no panic");
            let runners = runners.get_or_insert_with(|| {
                let [reference, subject] = places;
                [Runner::start(reference, true), Runner::start(subject, false)]
            });
            [runners[0].begin(script)?, runners[1].begin(script)?]
        };
        let reference = reference.recv().context("Apache Kafka")?.context("Apache Kafka")?;
        let subject = subject.recv().context("the broker under test")?.context("the broker under test")?;
        self.judge(name, &reference, &subject)
            .inspect_err(|_| print!("\n{}", log.excerpt("Apache Kafka, the reference")))?;
        *self.passed.lock().expect("no panic") += 1;
        Ok(())
    }

    fn judge(&self, name: &str, reference: &[Answered], subject: &[Answered]) -> Result<()> {
        ensure!(reference.len() == subject.len(), "{} and {} calls", reference.len(), subject.len());
        let (mut list, mut found, mut verdicts) = (List::of(name), Vec::new(), Vec::new());
        for (theirs, ours) in reference.iter().zip(subject) {
            show(theirs, ours);
            let (reasons, left) = list.judge(&theirs.call, &differences(theirs, ours));
            if !left.is_empty() {
                found.push(format!(
                    "line {}: {}{}{}",
                    theirs.line,
                    theirs.call,
                    left.concat(),
                    circumstances(theirs, ours)
                ));
            }
            if !theirs.tool.is_empty() && !theirs.lines.is_empty() {
                verdicts.push(Verdict { tool: theirs.tool.clone(), reasons });
            }
        }
        found.extend(list.unused());
        if !found.is_empty() {
            bail!("{} differences\n{}", found.len(), found.join("\n"));
        }
        self.verdicts.lock().expect("no panic").extend(verdicts);
        Ok(())
    }

    /// Ends all processes; the table counts only if every script has run and found nothing wrong.
    pub fn finish(&self, keep: &Path) -> Result<()> {
        if let Some(runners) = self.runners.lock().expect("no panic").take() {
            runners.into_iter().for_each(Runner::end);
        }
        pair::finish(&self.pair, keep)?;
        let verdicts = self.verdicts.lock().expect("no panic");
        table::print(&verdicts);
        let is_whole = *self.passed.lock().expect("no panic") == SCRIPTS.len();
        if is_whole && broker::peer() == Peer::Klamm { table::keep(&verdicts) } else { Ok(()) }
    }
}

/// Names calls that took long; with `KLAMM_TRACE=1` all calls with what Apache Kafka's tool printed.
fn show(theirs: &Answered, ours: &Answered) {
    if theirs.took.max(ours.took) > SLOW {
        println!("    {:.1} and {:.1} s: {}", theirs.took.as_secs_f64(), ours.took.as_secs_f64(), theirs.call);
    }
    if std::env::var_os("KLAMM_TRACE").is_some() {
        let lines: Vec<String> = theirs.lines.iter().map(|line| format!("\n      {line}")).collect();
        println!("{:4} {} ({} ms){}", theirs.line, theirs.call, theirs.took.as_millis(), lines.concat());
    }
}

/// What is not compared and helps to find a difference's cause: the time, for a look into the log, and the clients' warnings.
fn circumstances(theirs: &Answered, ours: &Answered) -> String {
    let of = |who: &str, answered: &Answered| {
        let (ago, took) = (answered.began.elapsed().as_secs_f64(), answered.took.as_secs_f64());
        let warnings: String = answered.warnings.iter().map(|line| format!("\n      {line}")).collect();
        format!("\n    ({who}'s began {ago:.1} s ago and took {took:.1} s{warnings})")
    };
    of("kafka", theirs) + &of("klamm", ours)
}

/// A line that one broker's tool prints and the other's does not.
struct Line<'a> {
    who: &'static str,
    text: &'a str,
}

/// Stands for all lines where both have the same ones in another order or number.
const ORDER: &str = "the same lines in another order or number";

fn differences<'a>(theirs: &'a Answered, ours: &'a Answered) -> Vec<Line<'a>> {
    let only = |a: &'a Answered, b: &Answered, who| {
        let lines = a.lines.iter().filter(|line| !b.lines.contains(line));
        lines.map(|text| Line { who, text }).collect::<Vec<_>>()
    };
    let mut lines = only(theirs, ours, "kafka");
    lines.extend(only(ours, theirs, "klamm"));
    if lines.is_empty() && theirs.lines != ours.lines {
        lines.push(Line { who: "both", text: ORDER });
    }
    lines
}

/// The accepted differences of one script, and which of them have been met.
struct List {
    accepted: Vec<&'static Accepted>,
    /// For each of those: whether each of its beginnings of lines was met, or any line where it names none.
    met: Vec<Vec<bool>>,
}

impl List {
    fn of(script: &str) -> List {
        let is_peer = broker::peer() == Peer::Klamm;
        let accepted: Vec<_> = ACCEPTED.iter().filter(|accepted| is_peer && accepted.script == script).collect();
        let met = accepted.iter().map(|accepted| vec![false; accepted.lines.len().max(1)]).collect();
        List { accepted, met }
    }

    /// Why a call's differences are accepted, and those that are not, as lines to show.
    fn judge(&mut self, call: &str, lines: &[Line]) -> (BTreeSet<&'static str>, Vec<String>) {
        let (mut reasons, mut left) = (BTreeSet::new(), Vec::new());
        for line in lines {
            match self.find(call, line.text) {
                Some((at, beginning)) => {
                    self.met[at][beginning] = true;
                    reasons.insert(self.accepted[at].reason);
                }
                None => left.push(format!("\n    {}: {}", line.who, line.text)),
            }
        }
        (reasons, left)
    }

    fn find(&self, call: &str, line: &str) -> Option<(usize, usize)> {
        let calls = self.accepted.iter().enumerate().filter(|(_, accepted)| begins(call, accepted.call));
        calls.filter_map(|(at, accepted)| Some((at, accepted.beginning_of(line)?))).next()
    }

    fn unused(&self) -> Vec<String> {
        let mut unused = Vec::new();
        for (accepted, met) in self.accepted.iter().zip(&self.met) {
            for (at, _) in met.iter().enumerate().filter(|(_, met)| !**met) {
                let line = accepted.lines.get(at).unwrap_or(&"any line");
                unused.push(format!("no difference any more at `{}`: {line} ({})", accepted.call, accepted.reason));
            }
        }
        unused
    }
}

/// Whether a call begins with these words.
fn begins(call: &str, words: &str) -> bool {
    call.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
