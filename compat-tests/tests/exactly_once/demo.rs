//! `KafkaExactlyOnceDemo` of Apache Kafka's examples: two instances read, process and write what a producer has sent.

use crate::PATIENCE;
use compat_tests::application::{self, Application};
use compat_tests::broker::Broker;
use compat_tests::reader::Reader;
use compat_tests::{Context, Result, ensure};
use std::collections::BTreeSet;

const PARTITIONS: i32 = 4;
const RECORDS: usize = 2000;

pub fn demo(broker: &mut Broker) -> Result<()> {
    let (partitions, records) = (PARTITIONS.to_string(), RECORDS.to_string());
    let arguments = [&broker.bootstrap(), "KafkaExactlyOnceDemo", &partitions, "2", &records];
    let printed = Application::start(application::java("Example", &arguments))?.wait()?;
    let told = printed.join("\n");
    let processed = |line: &String| line.split_once(" - Processed ")?.1.split(' ').next()?.parse::<usize>().ok();
    let counts: Vec<usize> = printed.iter().filter_map(processed).collect();
    ensure!(counts.len() == 2 && counts.iter().sum::<usize>() == RECORDS, "processed {counts:?}\n{told}");
    let out = Reader::committed(broker, "output-topic", PARTITIONS)?.to_end(PATIENCE).with_context(|| told.clone())?;
    let values: BTreeSet<&str> = out.iter().map(|seen| seen.value.as_str()).collect();
    ensure!(out.len() == RECORDS && values.len() == RECORDS, "{} records, {} values\n{told}", out.len(), values.len());
    ensure!(values.iter().all(|value| value.ends_with("-ok")), "values that were not processed\n{told}");
    Ok(())
}
