//! Each client's data is read back by the next client in a ring, and by librdkafka, and compared byte for byte: keys, null
//! values, headers, binary bytes, timestamps.

use compat_tests::broker::Broker;
use compat_tests::clients::{CLIENTS, Client};
use compat_tests::raw::Raw;
use compat_tests::records::{self, Record};
use compat_tests::suite::{BOTH, Suite};
use compat_tests::{Result, bail};
use std::process::ExitCode;

const RECORDS: usize = 500;
/// In the order of `CLIENTS`; kafkajs brings none and gzip only.
const CODECS: &[&str] = &["snappy", "zstd", "lz4", "none", "gzip", "lz4"];

fn main() -> ExitCode {
    Suite::new("ring").test("ring", BOTH, &[], ring).test("ring_after_restart", BOTH, &[], ring_after_restart).run()
}

fn produce_all(broker: &Broker) -> Result<Vec<Vec<Record>>> {
    let mut raw = Raw::connect(broker.port())?;
    let mut sent = Vec::new();
    for (i, client) in CLIENTS.iter().enumerate() {
        raw.create_topic(client.name(), 1, &[])?;
        let records = client.sendable(records::samples(100 + i as u64, RECORDS));
        client.produce(broker, client.name(), CODECS[i], &records)?;
        sent.push(records);
    }
    Ok(sent)
}

fn read_by_next(broker: &Broker, sent: &[Vec<Record>]) -> Result<()> {
    for (i, client) in CLIENTS.iter().enumerate() {
        let next = CLIENTS[(i + 1) % CLIENTS.len()];
        compare(broker, *client, next, &sent[i])?;
        compare(broker, *client, Client::Librdkafka, &sent[i])?;
    }
    Ok(())
}

fn compare(broker: &Broker, writer: Client, reader: Client, sent: &[Record]) -> Result<()> {
    let mut sent = sent.to_vec();
    let mut found = reader.consume(broker, writer.name(), sent.len())?;
    for (sent, found) in sent.iter_mut().zip(&mut found) {
        if sent.timestamp.is_none() {
            found.timestamp = None; // the writer could not choose it
        }
        if !reader.shows_headers() {
            sent.headers.clear();
            found.headers.clear();
        }
    }
    match records::difference(&sent, &found) {
        Some(difference) => bail!("written by {}, read by {}: {difference}", writer.name(), reader.name()),
        None => Ok(()),
    }
}

fn ring(broker: &mut Broker) -> Result<()> {
    let sent = produce_all(broker)?;
    read_by_next(broker, &sent)
}

/// The same from the files alone: a clean stop and start, then a crash and start, between the writing and the reading.
fn ring_after_restart(broker: &mut Broker) -> Result<()> {
    let sent = produce_all(broker)?;
    broker.stop()?;
    broker.restart()?;
    read_by_next(broker, &sent)?;
    broker.kill9()?;
    broker.restart()?;
    for (i, client) in CLIENTS.iter().enumerate() {
        compare(broker, *client, Client::Librdkafka, &sent[i])?;
    }
    Ok(())
}
