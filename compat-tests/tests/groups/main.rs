//! Consumption by groups with every client library: members of one library, members of several libraries in one group, both
//! protocols side by side. What a group has settled on, and which records come where, is judged after every step.

mod mixed;
mod story;

use compat_tests::Result;
use compat_tests::broker::Broker;
use compat_tests::member::{Library, Spec};
use compat_tests::suite::{BOTH, ONE, Suite};
use std::process::ExitCode;

/// Rebalances without Kafka's waiting for more members to come; the other limits let sessions end while a test looks on.
pub const QUICK_GROUPS: &[(&str, &str)] = &[
    ("group.initial.rebalance.delay.ms", "100"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    ("group.consumer.heartbeat.interval.ms", "500"),
];

fn main() -> ExitCode {
    let mut suite = Suite::new("groups");
    for &(name, library, assignor) in CLASSIC {
        suite = suite.own_start(name, cells(assignor), QUICK_GROUPS, move |setup| {
            let mut broker = Broker::start(setup)?;
            story::tell(&mut broker, library, &Spec::classic(assignor))?;
            Ok(broker)
        });
    }
    for &(name, library, assignor) in CONSUMER {
        suite = suite.own_start(name, cells(assignor), QUICK_GROUPS, move |setup| {
            let mut broker = Broker::start(setup)?;
            story::tell(&mut broker, library, &Spec::consumer(assignor))?;
            Ok(broker)
        });
    }
    suite
        .test("static_classic", ONE, QUICK_GROUPS, static_classic)
        .test("static_consumer", ONE, QUICK_GROUPS, static_consumer)
        .test("mixed_range", BOTH, QUICK_GROUPS, mixed::range)
        .test("mixed_roundrobin", ONE, QUICK_GROUPS, mixed::roundrobin)
        .test("mixed_cooperative", ONE, QUICK_GROUPS, mixed::cooperative)
        .test("mixed_consumer", BOTH, QUICK_GROUPS, mixed::consumer)
        .test("both_protocols", BOTH, QUICK_GROUPS, mixed::both_protocols)
        .test("restart", BOTH, QUICK_GROUPS, story::over_a_restart)
        .run()
}

/// What an assignor does is the client's matter or the machine's, which is the same on every back end: two of them see all.
fn cells(assignor: &str) -> &'static [(&'static str, u32)] {
    if matches!(assignor, "cooperative-sticky" | "uniform") { BOTH } else { ONE }
}

const CLASSIC: &[(&str, Library, &str)] = &[
    ("librdkafka_range", Library::Librdkafka, "range"),
    ("librdkafka_cooperative", Library::Librdkafka, "cooperative-sticky"),
    ("java_range", Library::Java, "range"),
    ("java_sticky", Library::Java, "sticky"),
    ("java_cooperative", Library::Java, "cooperative-sticky"),
    ("franz_go_roundrobin", Library::FranzGo, "roundrobin"),
    ("franz_go_cooperative", Library::FranzGo, "cooperative-sticky"),
    ("kafkajs_roundrobin", Library::Kafkajs, "roundrobin"),
    ("platformatic_roundrobin", Library::Platformatic, "roundrobin"),
    ("kafka_python_range", Library::KafkaPython, "range"),
    ("kafka_python_cooperative", Library::KafkaPython, "cooperative-sticky"),
    ("aiokafka_sticky", Library::Aiokafka, "sticky"),
    ("confluent_cooperative", Library::Confluent, "cooperative-sticky"),
    ("kcat_range", Library::Kcat, "range"),
];

const CONSUMER: &[(&str, Library, &str)] = &[
    ("librdkafka_uniform", Library::Librdkafka, "uniform"),
    ("java_uniform", Library::Java, "uniform"),
    ("java_range_848", Library::Java, "range"),
    ("franz_go_uniform", Library::FranzGo, "uniform"),
    ("platformatic_uniform", Library::Platformatic, "uniform"),
    ("confluent_range_848", Library::Confluent, "range"),
];

fn static_classic(broker: &mut Broker) -> Result<()> {
    use Library::{Aiokafka, Confluent, FranzGo, Java, KafkaPython, Librdkafka, Platformatic};
    let libraries = [Librdkafka, Java, FranzGo, KafkaPython, Aiokafka, Confluent, Platformatic];
    libraries.into_iter().try_for_each(|library| {
        let assignor = if library == Platformatic { "roundrobin" } else { "range" };
        story::comes_back(broker, library, &Spec { session_ms: 20_000, ..Spec::classic(assignor) })
    })
}

/// Without franz-go (1.22.2): it leaves with the epoch of a static member but without its instance id, which Apache Kafka
/// refuses, too, so that the name is not free before the session ends.
fn static_consumer(broker: &mut Broker) -> Result<()> {
    let libraries = [Library::Librdkafka, Library::Java, Library::Confluent];
    libraries.into_iter().try_for_each(|library| story::comes_back(broker, library, &Spec::consumer("uniform")))
}
