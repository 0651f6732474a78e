//! Suites that others wrote for their clients, unmodified from their packages: `existing SUITE [FILTER…]`. What is expected
//! not to pass is in the lists beside this file, each line with its reason.

mod kafka_python;
mod kgo;
mod librdkafka;
mod librdkafka_secured;
mod rust;

use compat_tests::foreign::{self, Foreign};
use std::process::ExitCode;

/// Set in the run of all suites: leaves out what takes longer than such a run may.
pub const QUICK: &str = "KLAMM_QUICK";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let suites: [&dyn Foreign; 5] =
        [&kgo::Kgo, &rust::RDKAFKA, &rust::RSKAFKA, &kafka_python::KafkaPython, &librdkafka::Librdkafka];
    let wanted = arguments.first().map_or("", String::as_str);
    match suites.iter().find(|suite| suite.name() == wanted) {
        Some(suite) => foreign::run(*suite, &arguments[1..]),
        None => {
            eprintln!("usage: existing {}", suites.map(|suite| suite.name()).join("|"));
            ExitCode::FAILURE
        }
    }
}
