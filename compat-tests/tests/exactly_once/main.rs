//! Applications that live on transactions, each judged by what a reader of committed records finds:
//! `TransactionalMessageCopier` with random aborts, the exactly-once demo of Kafka's examples, a Connect worker with
//! exactly-once sources, a template and a listener container of spring-kafka. Kafka Streams has a suite of its own.

mod connect;
mod copier;
mod demo;
mod spring;

use compat_tests::suite::{ONE, Suite};
use std::process::ExitCode;
use std::time::Duration;

/// A transaction of a killed process may have to time out, and its member's session.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let quick = &[("group.initial.rebalance.delay.ms", "0")];
    Suite::new("exactly_once")
        .test("copier", ONE, quick, copier::one_partition)
        .test("copiers_in_a_group", ONE, quick, copier::group)
        .test("demo", ONE, quick, demo::demo)
        .test("connect_source", ONE, quick, connect::source)
        .test("spring", ONE, quick, spring::spring)
        .run()
}
