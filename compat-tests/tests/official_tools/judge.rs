//! The comparison of what both brokers' tools printed, call by call.

use crate::accepted::{ACCEPTED, Accepted};
use crate::runner::{Answered, Runner};
use crate::{SCRIPTS, table};
use compat_tests::broker::{self, Peer};
use compat_tests::pair::{self, Pair};
use compat_tests::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// Few partitions for what both brokers create by themselves, and quick groups.
const SETTINGS: &[(&str, &str)] = &[
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("share.coordinator.state.topic.num.partitions", "4"),
];
/// A call that takes longer is named, so that one sees where the time goes.
const SLOW: Duration = Duration::from_secs(5);

/// How a call compares.
pub struct Verdict {
    pub tool: String,
    /// Why a difference is accepted; none where there is no difference.
    pub reason: Option<&'static str>,
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
        let [reference, subject] = {
            let places = pair::places(&self.pair, SETTINGS)?;
            let mut runners = self.runners.lock().expect("no panic");
            let runners = runners.get_or_insert_with(|| places.map(Runner::start));
            [runners[0].begin(script)?, runners[1].begin(script)?]
        };
        let reference = reference.recv().context("Apache Kafka")?.context("Apache Kafka")?;
        let subject = subject.recv().context("the broker under test")?.context("the broker under test")?;
        self.judge(name, &reference, &subject)?;
        *self.passed.lock().expect("no panic") += 1;
        Ok(())
    }

    fn judge(&self, name: &str, reference: &[Answered], subject: &[Answered]) -> Result<()> {
        ensure!(reference.len() == subject.len(), "{} and {} calls", reference.len(), subject.len());
        let is_peer = broker::peer() == Peer::Klamm;
        let accepted: Vec<_> = ACCEPTED.iter().filter(|accepted| is_peer && accepted.script == name).collect();
        let mut used = vec![false; accepted.len()];
        let (mut found, mut verdicts) = (Vec::new(), Vec::new());
        for (theirs, ours) in reference.iter().zip(subject) {
            show(theirs, ours);
            let mut reason = None;
            if theirs.lines != ours.lines {
                match accepted.iter().position(|accepted| begins(&theirs.call, accepted)) {
                    Some(at) => (used[at], reason) = (true, Some(accepted[at].reason)),
                    None => found.push(difference(theirs, ours)),
                }
            }
            if !theirs.tool.is_empty() && !theirs.lines.is_empty() {
                verdicts.push(Verdict { tool: theirs.tool.clone(), reason });
            }
        }
        for (accepted, _) in accepted.iter().zip(used).filter(|(_, used)| !used) {
            found.push(format!("no difference any more at `{}` ({})", accepted.call, accepted.reason));
        }
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

/// Whether a call begins with the words of an accepted difference.
fn begins(call: &str, accepted: &Accepted) -> bool {
    call.strip_prefix(accepted.call).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The call, and the lines that only one of the two has.
fn difference(theirs: &Answered, ours: &Answered) -> String {
    let only = |a: &Answered, b: &Answered, who: &str| {
        let lines = a.lines.iter().filter(|line| !b.lines.contains(line));
        lines.map(|line| format!("    {who}: {line}")).collect::<Vec<_>>()
    };
    let mut lines = vec![format!("line {}: {}", theirs.line, theirs.call)];
    lines.extend(only(theirs, ours, "kafka"));
    lines.extend(only(ours, theirs, "klamm"));
    if lines.len() == 1 {
        lines.push(format!("    the same lines in another order or number: {:?} and {:?}", theirs.lines, ours.lines));
    }
    lines.join("\n")
}
