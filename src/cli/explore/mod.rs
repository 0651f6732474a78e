//! `klamm explore`: runs a command, most often a test, again and again, each time against a fresh broker that does one thing to it
//! that brokers and networks do, and says which of these the command does not survive.
//!
//! Two runs without a harm tell which moments there are, what is written, and what of both is the same each time. What is decided
//! is pure and in files of its own; here is the order of it and what the user reads. Standard output has the results, standard error
//! why there are none. Exit codes: 0 nothing was found, 1 something was, 2 the command could not be explored.

pub(super) mod arguments;
mod moments;
mod records;
mod schedule;
mod trial;
mod verdict;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::arguments::ExploreArguments;
use self::moments::{Common, Moment};
use self::records::Base;
use self::schedule::{Blow, Schedule};
use self::trial::{ADDRESS_VARIABLES, Ran, Wanted};
use self::verdict::Verdict;
use crate::cli::printable::printable;
use crate::io::command_group::CommandEnd;
use crate::io::threads;

const FOUND: u8 = 1;
/// The exit code of a command that could not be explored; of words that are not understood, too.
pub(super) const NOT_EXPLORED: u8 = 2;
/// How often a run that has found something is done again, until it finds something again.
const MOST_REPEATS: usize = 2;
/// Findings that are tried again.
const MOST_REPEATED: usize = 20;
/// Moments that are listed where that is not what is asked for.
const MOST_LISTED: usize = 50;
/// What an error says when the user has stopped it.
const STOPPED: &str = "stopped";

pub(super) fn run(arguments: &ExploreArguments) -> ExitCode {
    let explorer = Explorer { arguments, is_stopped: Arc::default() };
    let explored = explorer.watch_for_signals().and_then(|()| explorer.explore());
    match explored {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(FOUND),
        Err(sentence) => {
            eprintln!("klamm: {}", printable(&sentence));
            ExitCode::from(NOT_EXPLORED)
        }
    }
}

/// A line of the results. A reader that wants no more of them is no failure.
fn say(line: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

struct Explorer<'a> {
    arguments: &'a ExploreArguments,
    /// A signal has come.
    is_stopped: Arc<AtomicBool>,
}

/// What the runs without a harm have shown.
struct BaseRuns {
    records: Base,
    common: Common,
}

/// Something that the command does not survive.
struct Finding {
    schedule: Schedule,
    verdict: Verdict,
    last_lines: String,
    /// Runs of it, and how many of them have found something.
    runs: (usize, usize),
}

impl Finding {
    fn is_steady(&self) -> bool {
        self.runs.0 == 1 || self.runs.1 > 1
    }

    /// Runs that have found nothing.
    fn misses(&self) -> usize {
        self.runs.0 - self.runs.1
    }
}

impl Explorer<'_> {
    fn watch_for_signals(&self) -> Result<(), String> {
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, self.is_stopped.clone())
                .map_err(|error| format!("cannot watch for signals: {error}"))?;
        }
        Ok(())
    }

    /// Whether something was found. An error is a sentence.
    fn explore(&self) -> Result<bool, String> {
        let base = self.base_runs()?;
        if let Some(rules) = &self.arguments.replay {
            return self.replay(&base, rules);
        }
        let moments = &base.common.moments;
        list(moments, if self.arguments.lists { usize::MAX } else { MOST_LISTED });
        if self.arguments.lists {
            return Ok(false);
        }
        let blows = schedule::blows(moments);
        if blows.is_empty() {
            return Err("there is nothing that a harm could come to: --list shows moments, --only names APIs".into());
        }
        let count = blows.len();
        let singles = schedule::spread(blows, self.arguments.runs);
        if singles.len() < count {
            say(format!("{} of {count} harms are tried: --runs allows no more.", singles.len()));
        }
        let mut left = self.arguments.runs - singles.len();
        let schedules = singles.iter().map(|blow| vec![blow.clone()]).collect();
        let (mut findings, clean) = self.try_all(&base, schedules)?;
        let clean: Vec<Blow> = clean.into_iter().flatten().collect();
        for size in 2..=self.arguments.depth {
            let most = left / (self.arguments.depth + 1 - size);
            let schedules = schedule::combinations(&clean, size, most, self.arguments.seed);
            left -= schedules.len();
            let (more, _) = self.try_all(&base, schedules)?;
            for finding in more {
                findings.push(self.shortest(&base, finding)?);
            }
        }
        // One that hangs takes long to be looked into; one that comes by chance may not come again.
        findings.sort_by_key(|finding| (finding.schedule.len(), finding.verdict.hangs, finding.misses()));
        self.tell(&findings)
    }

    /// Runs the command twice without a harm.
    fn base_runs(&self) -> Result<BaseRuns, String> {
        let [first, second] = [self.base_run()?, self.base_run()?];
        let times = [&first, &second].map(|ran| seconds(ran.command.took)).join(" and ");
        let records = Base::of(&first.written, &second.written);
        let common = moments::common(&first.requests.asked, &second.requests.asked, &self.arguments.only);
        say(format!(
            "Without a harm the command passes, in {times}, and writes {} records that are the same each time.",
            records.count()
        ));
        for api in &first.requests.uncounted {
            say(format!("{api} is asked too often, or with too much, to be counted: it is left out."));
        }
        let odd = records.not_compared.iter().chain(&first.unread);
        for topic in odd {
            say(format!("The records of {topic} are not compared: they are others in each run, or too many."));
        }
        if common.unsteady > 0 {
            say(format!("{} moments of the first run had no like in the second: they are left out.", common.unsteady));
        }
        Ok(BaseRuns { records, common })
    }

    fn base_run(&self) -> Result<Ran, String> {
        let ran = self.run(&[], Wanted::Requests)?;
        if let Some(how) = verdict::failure(&ran.command) {
            say("The end of what the command has written:");
            say(verdict::last_lines(&ran.command).trim_end());
            return Err(format!("without any harm {how}: there is nothing to compare with"));
        }
        if ran.requests.count == 0 {
            let names = ADDRESS_VARIABLES.join(", ");
            return Err(format!(
                "the command has asked the broker nothing: {names} tell it the address, and {{bootstrap}} in its arguments stands for it"
            ));
        }
        Ok(ran)
    }

    /// An error, too, where the user has stopped it.
    fn run(&self, rules: &[Value], wanted: Wanted) -> Result<Ran, String> {
        let ran = trial::run(self.arguments, rules, wanted, &self.is_stopped)?;
        let is_stopped = ran.command.end == CommandEnd::Stopped || self.is_stopped.load(Ordering::Relaxed);
        if is_stopped { Err(STOPPED.into()) } else { Ok(ran) }
    }

    fn try_rules(&self, base: &BaseRuns, rules: &[Value]) -> Result<(Verdict, String), String> {
        let ran = self.run(rules, Wanted::RecordsAlone)?;
        let mut verdict =
            Verdict::of(&ran.command, (&ran.written, &ran.struck), &base.records, &self.arguments.allowed);
        verdict.changes.retain(|change| !ran.unread.contains(&change.topic));
        Ok((verdict, verdict::last_lines(&ran.command)))
    }

    /// Runs the command with each schedule; answers what was found, and the schedules that it survives.
    fn try_all(&self, base: &BaseRuns, schedules: Vec<Schedule>) -> Result<(Vec<Finding>, Vec<Schedule>), String> {
        let (count, done) = (schedules.len(), AtomicUsize::new(0));
        let tried = threads::side_by_side(self.arguments.jobs, &schedules, |schedule| {
            if self.is_stopped.load(Ordering::Relaxed) {
                return Err(STOPPED.to_string());
            }
            let (verdict, last_lines) = self.try_rules(base, &schedule::rules(schedule))?;
            let number = 1 + done.fetch_add(1, Ordering::Relaxed);
            say(format!("{number} of {count}: {}: {verdict}", told(schedule)));
            Ok((verdict, last_lines))
        });
        let (mut findings, mut clean, mut missed) = (Vec::new(), Vec::new(), 0);
        for (schedule, tried) in schedules.into_iter().zip(tried) {
            let (verdict, last_lines) = tried?;
            missed += usize::from(verdict.missed > 0);
            match (verdict.is_finding(), verdict.missed) {
                (true, _) => findings.push(Finding { schedule, verdict, last_lines, runs: (1, 1) }),
                (false, 0) => clean.push(schedule),
                (false, _) => {}
            }
        }
        if count > 0 {
            let found = findings.len();
            say(format!("{count} runs: {found} found something, in {missed} a moment did not come again."));
        }
        self.repeat(base, &mut findings)?;
        Ok((findings, clean))
    }

    /// Does again what has found something, as it may have been chance.
    fn repeat(&self, base: &BaseRuns, findings: &mut [Finding]) -> Result<(), String> {
        let few = &findings[..findings.len().min(MOST_REPEATED)];
        let repeated = threads::side_by_side(self.arguments.jobs, few, |finding| {
            for run in 1..=MOST_REPEATS {
                let (verdict, _) = self.try_rules(base, &schedule::rules(&finding.schedule))?;
                if verdict.is_finding() {
                    return Ok::<_, String>((1 + run, 2));
                }
            }
            Ok((1 + MOST_REPEATS, 1))
        });
        for (finding, runs) in findings.iter_mut().zip(repeated) {
            finding.runs = runs?;
        }
        Ok(())
    }

    /// Leaves out the blows of a finding that are not needed for it.
    fn shortest(&self, base: &BaseRuns, finding: Finding) -> Result<Finding, String> {
        let mut last = None;
        let shortest = schedule::shrink(finding.schedule.clone(), |some| {
            // Those that may stand alone were tried alone.
            if some.len() == 1 {
                return Ok(false);
            }
            let (verdict, last_lines) = self.try_rules(base, &schedule::rules(some))?;
            let is_finding = verdict.is_finding();
            last = if is_finding { Some((verdict, last_lines)) } else { last.take() };
            Ok(is_finding)
        })?;
        match last {
            None => Ok(finding),
            Some((verdict, last_lines)) => Ok(Finding { schedule: shortest, verdict, last_lines, ..finding }),
        }
    }

    /// Runs the command with the rules of a file, and makes them fewer where it fails with them.
    fn replay(&self, base: &BaseRuns, rules: &[Value]) -> Result<bool, String> {
        let Some(last_lines) = self.try_again(base, rules)? else { return Ok(false) };
        if !last_lines.is_empty() {
            say(last_lines.trim_end());
        }
        let shortest = schedule::shrink(rules.to_vec(), |some| Ok(self.try_rules(base, some)?.0.is_finding()))?;
        if shortest.len() < rules.len() {
            say(format!("{} of the rules are enough:", shortest.len()));
        }
        self.give(&shortest)?;
        Ok(true)
    }

    /// Runs the command with the rules of a file until something is found, as a finding may come by chance. The last lines of the
    /// command's output, if something was.
    fn try_again(&self, base: &BaseRuns, rules: &[Value]) -> Result<Option<String>, String> {
        let times = 1 + MOST_REPEATS;
        for time in 1..=times {
            let (verdict, last_lines) = self.try_rules(base, rules)?;
            say(format!("{time} of {times}: with the rules of the file: {verdict}"));
            if verdict.missed > 0 {
                say(format!("{} of them have struck nothing.", verdict.missed));
            }
            if verdict.is_finding() {
                return Ok(Some(last_lines));
            }
        }
        Ok(None)
    }

    /// Says what was found; answers whether anything was.
    fn tell(&self, findings: &[Finding]) -> Result<bool, String> {
        for finding in findings {
            say(format!("\nWhere {}:", told(&finding.schedule)));
            finding.verdict.sentences().for_each(|sentence| say(format!("  {sentence}.")));
            let (runs, found) = finding.runs;
            match finding.is_steady() {
                true if runs == 1 => {}
                true => say(format!("  So it was in {found} of {runs} runs.")),
                false => say(format!("  It was not so again in {} more runs, and does not count.", runs - 1)),
            }
            if finding.verdict.failed.is_some() && !finding.last_lines.is_empty() {
                say(finding.last_lines.trim_end());
            }
        }
        let Some(shortest) = findings.iter().find(|finding| finding.is_steady()) else {
            say("Nothing was found.");
            return Ok(false);
        };
        say("\nThe shortest, as fault rules:");
        self.give(&schedule::rules(&shortest.schedule))?;
        Ok(true)
    }

    /// Shows rules, and writes them where the user wants them.
    fn give(&self, rules: &[Value]) -> Result<(), String> {
        let text = file(rules);
        say(text.trim_end());
        let Some(path) = &self.arguments.output else { return Ok(()) };
        std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        let path = path.display();
        say(format!("{path} has them: `klamm explore --replay {path} -- COMMAND`, `klamm test --faults {path}`."));
        Ok(())
    }
}

/// Fault rules as a file that `/v1/faults` and `klamm test --faults` take: a rule on a line.
fn file(rules: &[Value]) -> String {
    let lines: Vec<_> = rules.iter().map(Value::to_string).collect();
    format!("[\n  {}\n]\n", lines.join(",\n  "))
}

/// What happens in a run.
fn told(schedule: &[Blow]) -> String {
    printable(&schedule.iter().map(Blow::to_string).collect::<Vec<_>>().join(", and "))
}

fn list(moments: &[Moment], most: usize) {
    say(format!("{} moments:", moments.len()));
    for (at, moment) in moments.iter().enumerate().take(most) {
        say(format!("  {:>3}  {}", at + 1, printable(&moment.to_string())));
    }
    if moments.len() > most {
        say("  and more, which --list shows");
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
