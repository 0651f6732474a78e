//! Scenarios that other projects play on their own test brokers, librdkafka's mock cluster and franz-go's kfake, played by real
//! clients on `klamm test`, whose control API breaks, moves, stops and looks on. What a cluster of Apache Kafka would make of each
//! is what is expected. The sources were read for what happens, not copied.
//!
//! `docs/scenarios.md` has a table of all of them, made of the lists of this suite (`UPDATE=1`) or compared with them.

mod admin;
mod consumers;
mod followers;
mod franz;
mod groups;
mod logins;
mod metadata;
mod next_groups;
mod producers;
mod stage;
mod table;
mod transaction_errors;
mod transactions;

use compat_tests::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

/// They mostly wait, so more of them run at once than there are processors.
const THREADS: usize = 8;

/// One scenario: a function named by what it shows.
pub struct Scenario {
    pub name: &'static str,
    /// The client that plays it.
    pub client: &'static str,
    /// The test that it was read from.
    pub source: &'static str,
    /// What happens in it, and how it is made to happen.
    pub played: &'static str,
    pub play: fn() -> Result<()>,
}

/// A list of scenarios of one client: `name: "source", "how it is played";`.
macro_rules! scenarios {
    ($client:literal; $($name:ident: $source:literal, $played:literal;)*) => {
        pub const SCENARIOS: &[crate::Scenario] = &[$(crate::Scenario {
            name: stringify!($name),
            client: $client,
            source: $source,
            played: $played,
            play: $name,
        }),*];
    };
}
pub(crate) use scenarios;

/// All of them, by their subjects.
pub const SUBJECTS: &[(&str, &[Scenario])] = &[
    ("Producers", producers::SCENARIOS),
    ("Transactions", transactions::SCENARIOS),
    ("Errors of transactions", transaction_errors::SCENARIOS),
    ("Consumers", consumers::SCENARIOS),
    ("Followers", followers::SCENARIOS),
    ("Logins", logins::SCENARIOS),
    ("Groups", groups::SCENARIOS),
    ("Groups of the consumer protocol", next_groups::SCENARIOS),
    ("Metadata, leaders and versions", metadata::SCENARIOS),
    ("Admin clients", admin::SCENARIOS),
    ("franz-go", franz::SCENARIOS),
];

fn main() -> ExitCode {
    let failed = |error| Failed::from(format!("{error:#}"));
    let trial = |scenario: &Scenario| {
        let play = scenario.play;
        Trial::test(scenario.name, move || play().map_err(failed))
    };
    let mut trials: Vec<Trial> = SUBJECTS.iter().flat_map(|(_, scenarios)| scenarios.iter().map(trial)).collect();
    trials.push(Trial::test("the_table_shows_the_scenarios", move || table::compare().map_err(failed)));
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let conclusion = libtest_mimic::run(&arguments, trials);
    println!("scenarios: {} passed, {} failed", conclusion.num_passed, conclusion.num_failed);
    if conclusion.has_failed() || conclusion.num_passed == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
