//! Runs of the simulation outside of the tests.
//!
//! `--seed N [--steps M] [--without KINDS]` runs one seed and tells of its failure; `--swarm [SECONDS]` runs seeds, from a
//! random one on, until it is stopped, one process for each of `--jobs N`, and makes what fails small. Each seed runs in
//! a process of its own where it may panic: the release build ends with a panic.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use klamm::sim::plan::{Kind, Kinds, TRANSACTIONS_SINCE, WITH_QUOTAS};
use klamm::sim::run::{self, Attempt, Outcome};
use klamm::sim::shrink;

/// Lines of history that are shown.
const SHOWN_LINES: usize = 500;
/// Seeds that one process runs.
const SEEDS_PER_PROCESS: u64 = 100;

#[derive(Default)]
struct Arguments {
    seed: Option<u64>,
    steps: Option<u64>,
    without: Kinds,
    /// Runs so many seeds, one line each; ends at the first failure.
    count: Option<u64>,
    swarm: Option<u64>,
    jobs: u64,
    /// Says only whether it fails.
    is_quiet: bool,
    shows_plan: bool,
}

fn parse() -> Result<Arguments, lexopt::Error> {
    use lexopt::prelude::*;
    let mut arguments = Arguments { jobs: 1, ..Arguments::default() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seed") => arguments.seed = Some(parser.value()?.parse()?),
            Long("steps") => arguments.steps = Some(parser.value()?.parse()?),
            Long("without") => {
                let text: String = parser.value()?.parse()?;
                arguments.without = Kinds::parse(&text).ok_or("--without: such kinds are not known")?;
            }
            Long("count") => arguments.count = Some(parser.value()?.parse()?),
            Long("swarm") => {
                let seconds = parser.optional_value().map(|value| value.parse()).transpose()?;
                arguments.swarm = Some(seconds.unwrap_or(u64::MAX));
            }
            Value(seconds) if arguments.swarm == Some(u64::MAX) => arguments.swarm = Some(seconds.parse()?),
            Long("jobs") => arguments.jobs = parser.value()?.parse()?,
            Long("quiet") => arguments.is_quiet = true,
            Long("plan") => arguments.shows_plan = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match (&arguments.swarm, arguments.seed, arguments.count) {
        (Some(seconds), seed, _) => swarm(*seconds, seed.unwrap_or_else(random_seed), arguments.jobs),
        (None, Some(seed), Some(count)) => run_many(seed, count),
        (None, Some(seed), None) => run_one(&arguments, seed),
        (None, None, _) => {
            eprintln!(
                "sim --seed N [--steps M] [--without KINDS] [--quiet] [--plan] | --swarm [SECONDS] [--seed N] [--jobs N]"
            );
            ExitCode::from(2)
        }
    }
}

fn random_seed() -> u64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    u64::from(u32::from_le_bytes(bytes))
}

/// One seed, with the history of what failed.
fn run_one(arguments: &Arguments, seed: u64) -> ExitCode {
    if arguments.shows_plan {
        println!("{}", run::describe(seed));
    }
    let keeps_history = !arguments.is_quiet;
    let attempt = Attempt { steps: arguments.steps, without: arguments.without, keeps_history, ..Attempt::of(seed) };
    let outcome = run::run(&attempt);
    let Some(failure) = &outcome.failure else {
        println!("{}", summary(seed, &outcome));
        return ExitCode::SUCCESS;
    };
    // The first word that a parent process reads.
    println!("failed {} {}: {}", failure.step, failure.rule, failure.text);
    if !arguments.is_quiet {
        let left_out = failure.history.len().saturating_sub(SHOWN_LINES);
        println!("history ({left_out} earlier lines left out):");
        failure.history.iter().skip(left_out).for_each(|line| println!("{line}"));
        println!("again: {}", shrink::command(&attempt));
    }
    ExitCode::FAILURE
}

fn summary(seed: u64, outcome: &Outcome) -> String {
    let faults: Vec<_> = outcome.faults.iter().map(|(kind, count)| format!("{kind:?}={count}")).collect();
    let simulated = outcome.simulated.as_millis();
    format!("passed {seed} {:016x} {} {simulated} {}", outcome.hash, outcome.steps, faults.join(","))
}

/// Seeds one after the other, a line before and after each, for [`swarm`].
fn run_many(from: u64, count: u64) -> ExitCode {
    for seed in from..from.saturating_add(count) {
        println!("seed {seed}");
        let outcome = run::run(&Attempt::of(seed));
        match &outcome.failure {
            Some(failure) => {
                println!("failed {} {}: {}", failure.step, failure.rule, failure.text);
                return ExitCode::FAILURE;
            }
            None => println!("{}", summary(seed, &outcome)),
        }
    }
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Totals {
    seeds: u64,
    failures: u64,
    steps: u64,
    simulated_ms: u64,
    faults: BTreeMap<String, u64>,
}

impl Totals {
    /// `passed SEED HASH STEPS MILLISECONDS KIND=COUNT,...`
    fn add(&mut self, line: &str) {
        let mut words = line.split(' ').skip(3);
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        self.seeds += 1;
        self.steps += number();
        self.simulated_ms += number();
        for (kind, count) in words.next().unwrap_or_default().split(',').filter_map(|fault| fault.split_once('=')) {
            *self.faults.entry(kind.to_string()).or_default() += count.parse::<u64>().unwrap_or(0);
        }
    }

    fn merge(&mut self, other: Totals) {
        self.seeds += other.seeds;
        self.failures += other.failures;
        self.steps += other.steps;
        self.simulated_ms += other.simulated_ms;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
    }
}

fn swarm(seconds: u64, seed: u64, jobs: u64) -> ExitCode {
    let until = Instant::now().checked_add(Duration::from_secs(seconds));
    let goes_on = move || until.is_none_or(|until| Instant::now() < until);
    println!("from seed {seed} on, {jobs} at a time");
    let job = |job: u64| {
        std::thread::spawn(move || {
            let mut totals = Totals::default();
            let first = seed + job * (u64::from(u32::MAX) + 1);
            // Seeds without transactions, with them, and with quotas, in turn.
            let mut next = vec![first, first | TRANSACTIONS_SINCE, first | WITH_QUOTAS];
            next.dedup();
            for at in (0..next.len()).cycle().take_while(|_| goes_on()) {
                next[at] = run_batch(next[at], &mut totals, goes_on);
            }
            totals
        })
    };
    let threads: Vec<_> = (0..jobs).map(job).collect();
    let mut totals = Totals::default();
    threads.into_iter().filter_map(|thread| thread.join().ok()).for_each(|one| totals.merge(one));
    let Totals { seeds, failures, steps, simulated_ms, faults } = &totals;
    println!("{seeds} seeds passed, {failures} failed; {steps} steps, {} simulated seconds", simulated_ms / 1000);
    println!("faults: {faults:?}");
    if *failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().expect("this program has a name"))
}

/// Some seeds in a process of their own; answers which is the next.
fn run_batch(from: u64, totals: &mut Totals, goes_on: impl Fn() -> bool) -> u64 {
    let mut command = this_program();
    command.args(["--seed", &from.to_string(), "--count", &SEEDS_PER_PROCESS.to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("this program can be started");
    let (mut seed, mut is_running) = (from, false);
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(|out| out.lines()).map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("seed ") {
            (seed, is_running) = (number.parse().unwrap_or(seed), true);
        } else if line.starts_with("passed ") {
            is_running = false;
            totals.add(&line);
            if !goes_on() {
                let _ = child.kill();
                break;
            }
        }
    }
    let _ = child.wait();
    if is_running {
        totals.failures += 1;
        report(seed);
    }
    seed + 1
}

/// What a process of its own says of an attempt: at which step it fails and how, if it does.
fn try_alone(attempt: &Attempt) -> Option<(u64, String)> {
    let mut command = this_program();
    command.args(["--quiet", "--seed", &attempt.seed.to_string(), "--without", &attempt.without.to_string()]);
    if let Some(steps) = attempt.steps {
        command.args(["--steps", &steps.to_string()]);
    }
    let output = command.output().expect("this program can be started");
    if output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = said.lines().find_map(|line| line.strip_prefix("failed ")).and_then(|rest| {
        let (step, how) = rest.split_once(' ')?;
        Some((step.parse().ok()?, how.to_string()))
    });
    // A panic says nothing of its step.
    Some(failed.unwrap_or((u64::MAX, String::from_utf8_lossy(&output.stderr).lines().take(3).collect())))
}

fn report(seed: u64) {
    let attempt = Attempt::of(seed);
    let Some((step, how)) = try_alone(&attempt) else {
        return println!("seed {seed} failed, and passes alone: its run is not determined by the seed");
    };
    println!("seed {seed} fails: {how}");
    let step = if step == u64::MAX { run::planned_steps(seed) } else { step };
    // It must fail in the same way.
    let rule = |how: &str| how.split(':').next().unwrap_or_default().to_string();
    let fails =
        |attempt: &Attempt| try_alone(attempt).filter(|(_, other)| rule(other) == rule(&how)).map(|(step, _)| step);
    let small = shrink::shrink(&attempt, step, fails);
    let kinds: Vec<_> = Kind::ALL.iter().filter(|kind| !small.without.has(**kind)).collect();
    println!("  small: {}", shrink::command(&small));
    println!("  kinds of faults left: {kinds:?}");
}
