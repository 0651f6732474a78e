//! franz-go, kafkajs and kafka-python: produce and consume without groups, with every codec that the client brings.

use compat_tests::broker::Broker;
use compat_tests::clients::Client;
use compat_tests::raw::Raw;
use compat_tests::suite::{BOTH, Suite};
use compat_tests::{Result, bail, records};
use std::process::ExitCode;

const RECORDS: usize = 2000;

fn main() -> ExitCode {
    Suite::new("clients")
        .test("franz_go", BOTH, &[], |broker| round_trips(broker, Client::FranzGo))
        .test("kafkajs", BOTH, &[], |broker| round_trips(broker, Client::Kafkajs))
        .test("kafka_python", BOTH, &[], |broker| round_trips(broker, Client::KafkaPython))
        .run()
}

fn round_trips(broker: &mut Broker, client: Client) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    for (seed, codec) in client.codecs().iter().enumerate() {
        raw.create_topic(codec, 1, &[])?;
        let sent = records::samples(seed as u64 + 1, RECORDS);
        client.produce(broker, codec, codec, &sent)?;
        let found = client.consume(broker, codec, RECORDS)?;
        if let Some(difference) = records::difference(&sent, &found) {
            bail!("{} with {codec}: {difference}", client.name());
        }
    }
    Ok(())
}
