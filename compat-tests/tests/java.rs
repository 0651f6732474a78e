//! The Java client of Apache Kafka with its defaults: idempotent producer, consumer by `assign`, admin client. The scenarios
//! are in `clients/java/Scenarios.java`; one virtual machine runs all of them.

use compat_tests::broker::Broker;
use compat_tests::program::{self, Input};
use compat_tests::suite::{ALL, Suite};
use compat_tests::{Result, ensure};
use std::process::ExitCode;

fn main() -> ExitCode {
    Suite::new("java").test("scenarios", ALL, &[], scenarios).run()
}

fn scenarios(broker: &mut Broker) -> Result<()> {
    let output =
        program::output(program::java("Scenarios", &[&broker.bootstrap()]), Input::Nothing, program::DEADLINE)?;
    ensure!(output.code == Some(0), "{}", output.tail());
    ensure!(output.text().lines().filter(|line| line.starts_with("ok ")).count() >= 10, "{}", output.tail());
    Ok(())
}
