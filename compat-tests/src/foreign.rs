//! Test suites that others wrote, run unmodified: one process per unit with a deadline of its own, every result judged
//! against a checked-in list of what is expected not to pass.
//!
//! Invariant: whatever is not on the list must pass, and whatever is on the list must end as the list says. A listed test
//! that passes is a failure of the list, so that the list can only shrink; nothing can be left out by leaving it off a list.
//! How a suite is called and what its output means is the business of `tests/existing/`.

use crate::broker::{Broker, Peer, Setup, signal};
use crate::door::Door;
use crate::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// As much of a failed unit's output as is shown.
const TAIL: usize = 6000;
/// The listener that every broker has.
const PLAINTEXT: &str = "PLAINTEXT";
/// A unit that took longer is named, so that one sees where the time goes.
const SLOW: Duration = Duration::from_secs(10);

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Passed,
    Failed,
    Skipped,
    /// It never spoke to the broker and says nothing about it.
    Local,
}

/// How one test ended; a unit may hold several.
#[derive(Clone, Debug)]
pub struct Finding {
    pub test: String,
    pub outcome: Outcome,
}

impl Finding {
    pub fn new(test: impl Into<String>, outcome: Outcome) -> Finding {
        Finding { test: test.into(), outcome }
    }
}

/// What one process is to run.
#[derive(Clone, Debug)]
pub struct Unit {
    pub name: String,
    pub deadline: Duration,
    /// Which of the suite's brokers it talks to.
    pub broker: usize,
}

/// How a unit's process ended. `code` is missing if a signal ended it, ours at the deadline or its own.
pub struct Ended {
    pub code: Option<i32>,
    pub text: String,
    pub directory: PathBuf,
    /// How often it opened a door to the broker, where the suite has them.
    pub connections: usize,
}

/// A suite of somebody else's.
pub trait Foreign: Sync {
    fn name(&self) -> &'static str;
    /// The brokers that it needs, each made from a plain one.
    fn brokers(&self, plain: &Setup) -> Vec<Setup>;
    fn units(&self) -> Result<Vec<Unit>>;
    fn command(&self, unit: &Unit, broker: &Broker, at: &Addresses, directory: &Path) -> Result<Command>;
    fn findings(&self, unit: &Unit, ended: &Ended) -> Result<Vec<Finding>>;
    /// Processes at a time.
    fn jobs(&self) -> usize {
        2
    }
    /// Whether the addresses are doors that count, because tests that never speak to the broker are mixed with the others;
    /// and how long such a door keeps a client waiting.
    fn door(&self, _unit: &Unit) -> Option<Duration> {
        None
    }
    /// The lines of its list.
    fn list(&self) -> &'static str;
    /// Whether this run leaves a test of the list out.
    fn leaves_out(&self, _test: &str) -> bool {
        false
    }
}

/// Where a unit finds the listeners of its broker: at the broker's own ports, or at doors before them.
pub struct Addresses<'a> {
    broker: &'a Broker,
    doors: Vec<(&'static str, Door)>,
}

impl Addresses<'_> {
    fn new(broker: &Broker, door: Option<Duration>) -> Result<Addresses<'_>> {
        let Some(wait) = door else { return Ok(Addresses { broker, doors: Vec::new() }) };
        let more = broker.setup().listeners.iter().map(|(name, _)| *name);
        let open = |name| Ok((name, Door::open_slowly(broker.port_of(name), wait)?));
        let doors = [PLAINTEXT].into_iter().chain(more).map(open).collect::<Result<_>>()?;
        Ok(Addresses { broker, doors })
    }

    /// The address of a listener.
    pub fn of(&self, listener: &str) -> String {
        let door = self.doors.iter().find(|(name, _)| *name == listener);
        door.map_or_else(|| self.broker.address(listener), |(_, door)| door.address())
    }

    pub fn bootstrap(&self) -> String {
        self.of(PLAINTEXT)
    }

    fn connections(&self) -> usize {
        self.doors.iter().map(|(_, door)| door.connections()).sum()
    }
}

/// One line of a list: which test does not pass, how it ends, and why.
#[derive(Debug)]
struct Expected {
    outcome: Outcome,
    used: bool,
}

/// Reads a list: `PEER OUTCOME TEST REASON…`; the peer is `klamm`, `kafka` or `both`, the outcome `fail`, `skip` or
/// `unsteady`.
fn expectations(list: &str, peer: Peer) -> Result<(BTreeMap<String, Expected>, HashSet<String>)> {
    let (mut expected, mut unsteady) = (BTreeMap::new(), HashSet::new());
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        ensure!(words.len() > 3, "`{line}` is no `PEER OUTCOME TEST REASON`");
        let applies = match words[0] {
            "both" => true,
            "klamm" => peer == Peer::Klamm,
            "kafka" => peer == Peer::Kafka,
            other => bail!("`{line}`: no peer is called {other}"),
        };
        let outcome = match words[1] {
            "fail" => Outcome::Failed,
            "skip" => Outcome::Skipped,
            "unsteady" => {
                applies.then(|| unsteady.insert(words[2].to_string()));
                continue;
            }
            other => bail!("`{line}`: no outcome is called {other}"),
        };
        if applies {
            let twice = expected.insert(words[2].to_string(), Expected { outcome, used: false });
            ensure!(twice.is_none(), "`{line}`: listed twice");
        }
    }
    Ok((expected, unsteady))
}

struct Judge {
    expected: BTreeMap<String, Expected>,
    unsteady: HashSet<String>,
    passed: usize,
    failed: usize,
    skipped: usize,
    local: usize,
    second_runs: Vec<String>,
    problems: Vec<String>,
}

impl Judge {
    /// Whether a run of a unit went as expected.
    fn accepts(&self, findings: &[Finding]) -> bool {
        findings.iter().all(|found| match self.expected.get(&found.test) {
            Some(expected) => expected.outcome == found.outcome,
            None => matches!(found.outcome, Outcome::Passed | Outcome::Local) || self.unsteady.contains(&found.test),
        })
    }

    fn count(&mut self, found: &Finding) {
        match (self.expected.get_mut(&found.test), &found.outcome) {
            (None, Outcome::Local) => self.local += 1,
            (Some(expected), outcome) if expected.outcome == *outcome => {
                expected.used = true;
                match outcome {
                    Outcome::Skipped => self.skipped += 1,
                    _ => self.failed += 1,
                }
            }
            (Some(expected), outcome) => {
                expected.used = true;
                let problem = format!("{}: the list says {:?}, it ended {outcome:?}", found.test, expected.outcome);
                self.problems.push(problem);
            }
            (None, Outcome::Passed) => self.passed += 1,
            (None, _) if self.unsteady.contains(&found.test) => self.failed += 1,
            (None, outcome) => self.problems.push(format!("{}: {outcome:?}", found.test)),
        }
    }
}

/// Runs a suite, or those of its units whose names contain one of `filters`.
pub fn run(suite: &dyn Foreign, filters: &[String]) -> ExitCode {
    match judged(suite, filters) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{}: {error:#}", suite.name());
            println!("{}: 0 passed, 1 failed", suite.name());
            ExitCode::FAILURE
        }
    }
}

fn judged(suite: &dyn Foreign, filters: &[String]) -> Result<bool> {
    let peer = crate::broker::peer();
    let setup = match peer {
        Peer::Klamm => Setup::klamm(crate::suite::default_io(), 2),
        Peer::Kafka => Setup::kafka(),
    };
    let brokers: Vec<Broker> = suite.brokers(&setup).iter().map(Broker::start).collect::<Result<_>>()?;
    let chosen = |unit: &Unit| filters.is_empty() || filters.iter().any(|filter| unit.name.contains(filter));
    let units: Vec<Unit> = suite.units()?.into_iter().filter(chosen).collect();
    ensure!(!units.is_empty(), "nothing to run");
    let (expected, unsteady) = expectations(suite.list(), peer)?;
    let judge = Mutex::new(Judge {
        expected,
        unsteady,
        passed: 0,
        failed: 0,
        skipped: 0,
        local: 0,
        second_runs: Vec::new(),
        problems: Vec::new(),
    });
    let queue = Mutex::new(units.iter());
    let again = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..suite.jobs() {
            scope.spawn(|| {
                loop {
                    let Some(unit) = queue.lock().unwrap().next() else { break };
                    if !attempt(suite, unit, &brokers, &judge, false) {
                        again.lock().unwrap().push(unit.clone());
                    }
                }
            });
        }
    });
    // On a busy machine a test of timing may fail by no fault of the broker: each gets a second run, alone, and is named.
    for unit in again.into_inner().unwrap() {
        judge.lock().unwrap().second_runs.push(unit.name.clone());
        attempt(suite, &unit, &brokers, &judge, true);
    }
    let mut judge = judge.into_inner().unwrap();
    for mut broker in brokers {
        match broker.assert_alive().and_then(|()| broker.finish(None)) {
            Ok(()) => {}
            Err(error) => judge.problems.push(format!("the broker: {error:#}")),
        }
    }
    let is_due = |test: &str| filters.is_empty() && !suite.leaves_out(test);
    Ok(report(suite.name(), judge, &is_due))
}

/// `is_due`: whether a test of the list should have run.
fn report(name: &str, mut judge: Judge, is_due: &dyn Fn(&str) -> bool) -> bool {
    let unused = judge.expected.iter().filter(|(test, expected)| !expected.used && is_due(test));
    judge.problems.extend(unused.map(|(test, _)| format!("{test}: is on the list and did not run")));
    if !judge.second_runs.is_empty() {
        println!("second runs: {}", judge.second_runs.join(" "));
    }
    println!(
        "{name}: {} expected failures, {} expected skips, {} tests that need no broker (not counted)",
        judge.failed, judge.skipped, judge.local
    );
    judge.problems.iter().for_each(|problem| println!("PROBLEM {problem}"));
    println!("{name}: {} passed, {} failed", judge.passed, judge.problems.len());
    judge.passed > 0 && judge.problems.is_empty()
}

/// Runs a unit once; whether its result was taken. The last attempt is always taken.
fn attempt(suite: &dyn Foreign, unit: &Unit, brokers: &[Broker], judge: &Mutex<Judge>, is_last: bool) -> bool {
    let began = Instant::now();
    let ran = run_unit(suite, unit, &brokers[unit.broker]);
    let took = began.elapsed();
    let mut judge = judge.lock().unwrap();
    if took > SLOW {
        println!("    {} took {:.0} s", unit.name, took.as_secs_f64());
    }
    match ran {
        Ok((findings, ended)) => {
            if !judge.accepts(&findings) {
                let tail = crate::tail(&ended.text, TAIL);
                println!("---- {} ended with {:?} after {took:?}\n{tail}\n----", unit.name, ended.code);
                if !is_last {
                    return false;
                }
            }
            findings.iter().for_each(|found| judge.count(found));
        }
        Err(error) => judge.problems.push(format!("{}: {error:#}", unit.name)),
    }
    true
}

fn run_unit(suite: &dyn Foreign, unit: &Unit, broker: &Broker) -> Result<(Vec<Finding>, Ended)> {
    let directory = tempfile::tempdir()?;
    let at = Addresses::new(broker, suite.door(unit))?;
    let command = suite.command(unit, broker, &at, directory.path())?;
    let mut ended = run_process(command, directory.path(), unit.deadline)?;
    ended.connections = at.connections();
    let findings = suite.findings(unit, &ended)?;
    ensure!(!findings.is_empty(), "no result in its output\n{}", ended.text);
    Ok((findings, ended))
}

/// Runs a process in a group of its own, which is killed at the deadline; what it prints goes to a file, so that nothing
/// that it leaves behind can hold us up.
fn run_process(mut command: Command, directory: &Path, deadline: Duration) -> Result<Ended> {
    let output = directory.join("klamm-compat.output");
    let file = File::create(&output)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    let waiter = thread::spawn(move || sender.send(child.wait()));
    let status = receiver.recv_timeout(deadline);
    // The group has the number of its first process.
    signal_group(pid);
    let mut text = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
    let _ = waiter.join();
    let code = match status {
        Ok(status) => status?.code(),
        Err(_) => {
            text += &format!("\n(did not end within {deadline:?})");
            None
        }
    };
    Ok(Ended { code, text, directory: directory.to_path_buf(), connections: 0 })
}

fn signal_group(pid: u32) {
    signal((pid as i32).wrapping_neg() as u32, libc::SIGKILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(list: &str) -> Judge {
        let (expected, unsteady) = expectations(list, Peer::Klamm).expect("a good list");
        Judge {
            expected,
            unsteady,
            passed: 0,
            failed: 0,
            skipped: 0,
            local: 0,
            second_runs: Vec::new(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_list_names_peer_outcome_test_and_reason() {
        assert!(expectations("klamm fail a", Peer::Klamm).is_err());
        assert!(expectations("nobody fail a because", Peer::Klamm).is_err());
        assert!(expectations("both pass a because", Peer::Klamm).is_err());
        assert!(expectations("both fail a x\nklamm fail a y", Peer::Klamm).is_err());
        let (expected, _) = expectations("# words\n\nkafka fail a x\nboth skip b y", Peer::Klamm).expect("good");
        assert_eq!(expected.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_listed_test_that_passes_is_a_problem_and_so_is_one_that_never_ran() {
        let mut judge = judge("klamm fail a x\nklamm fail b x");
        assert!(!judge.accepts(&[Finding::new("a", Outcome::Passed)]));
        judge.count(&Finding::new("a", Outcome::Passed));
        judge.count(&Finding::new("c", Outcome::Passed));
        assert_eq!(judge.problems.len(), 1);
        assert!(!report("suite", judge, &|_| true));
    }

    #[test]
    fn an_unlisted_skip_is_a_problem() {
        let mut judge = judge("klamm skip a x");
        judge.count(&Finding::new("a", Outcome::Skipped));
        assert!(judge.problems.is_empty());
        judge.count(&Finding::new("b", Outcome::Skipped));
        assert_eq!(judge.problems, ["b: Skipped"]);
    }

    #[test]
    fn a_process_that_does_not_end_is_ended_with_all_that_it_started() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("bash");
        command.args(["-c", "echo begun; sleep 600 & sleep 600"]);
        let ended = run_process(command, directory.path(), Duration::from_millis(500)).expect("it ran");
        assert_eq!(ended.code, None);
        assert!(ended.text.starts_with("begun"), "{}", ended.text);
    }
}
