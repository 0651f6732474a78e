//! spring-kafka (`clients/java/apps/SpringLoop.java`): a template whose transactions are committed and rolled back, and a
//! listener container that processes each record exactly once, though its listener throws.

use crate::PATIENCE;
use compat_tests::application::{self, Application};
use compat_tests::broker::Broker;
use compat_tests::raw::Raw;
use compat_tests::reader::{Reader, Seen};
use compat_tests::{Context, Result, ensure};

const PARTITIONS: i32 = 4;
const RECORDS: usize = 300;

pub fn spring(broker: &mut Broker) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    ["in", "out"].iter().try_for_each(|topic| raw.create_topic(topic, PARTITIONS, &[]))?;
    let records = RECORDS.to_string();
    let printed = Application::start(application::java("SpringLoop", &[&broker.bootstrap(), &records]))?.wait()?;
    let told = format!("rolled back {}, failed {}, done {RECORDS}", RECORDS / 10, RECORDS.div_ceil(7));
    ensure!(printed.contains(&told), "not {told:?}:\n{}", printed.join("\n"));
    for (topic, ending) in [("in", ""), ("out", "-ok")] {
        let mut expected: Vec<String> = (0..RECORDS).map(|number| format!("{number}{ending}")).collect();
        let mut found = values(Reader::committed(broker, topic, PARTITIONS)?.to_end(PATIENCE)?);
        expected.sort();
        found.sort();
        ensure!(found == expected, "{topic}: {} committed records, {found:?}", found.len());
        let all = Reader::uncommitted(broker, topic, PARTITIONS)?.to_end(PATIENCE).context(topic)?;
        ensure!(all.len() > found.len(), "{topic}: nothing was rolled back");
    }
    Ok(())
}

fn values(seen: Vec<Seen>) -> Vec<String> {
    seen.into_iter().map(|seen| seen.value).collect()
}
