//! `kafka-broker-api-versions` (`BrokerApiVersionsCommand`): one block for each broker.
//!
//! Deviation: Kafka's tool goes to each broker at its advertised address. This one has asked the broker that it came to, and
//! shows no other's versions.

use std::collections::BTreeMap;

use super::{connect, metadata, say};
use crate::cli::args::Given;
use crate::model::ApiKey;
use crate::wire::api;

pub(super) fn run(given: &Given) -> Result<(), String> {
    let mut client = connect(given)?;
    let (versions, address) = (client.versions().clone(), client.address().to_string());
    let told = metadata(&mut client, Some(&[]), false)?;
    let node = |address: &str, id: i32, rack: &str| format!("{address} (id: {id} rack: {rack} isFenced: false)");
    let brokers: Vec<_> =
        told.brokers.iter().map(|broker| (format!("{}:{}", broker.host, broker.port), broker)).collect();
    let asked = match &brokers[..] {
        [(only, _)] => Some(only),
        several => several.iter().map(|(at, _)| at).find(|at| **at == address),
    };
    for (at, broker) in &brokers {
        let shown = node(at, broker.node_id, broker.rack.as_deref().unwrap_or("null"));
        match asked == Some(at) {
            true => block(&shown, &versions),
            false => {
                say(&format!("{shown} -> ERROR: not asked: `klamm tool` asks the broker of --bootstrap-server only"))
            }
        }
    }
    if asked.is_none() {
        block(&node(&address, -1, "null"), &versions);
    }
    Ok(())
}

fn block(node: &str, versions: &BTreeMap<i16, (i16, i16)>) {
    say(&format!("{node} -> ("));
    let lines = lines(versions);
    let last = lines.len().saturating_sub(1);
    lines.iter().enumerate().for_each(|(at, line)| say(&format!("\t{line}{}", if at < last { "," } else { "" })));
    say(")");
}

/// A line for each API (`NodeApiVersions.toString`).
fn lines(versions: &BTreeMap<i16, (i16, i16)>) -> Vec<String> {
    let known = ApiKey::ALL.iter().filter_map(|key| api::describe(*key)).map(|own| (own.key.id(), own));
    let known: BTreeMap<i16, _> = known.collect();
    let of_brokers = known.iter().filter(|(_, own)| own.on_broker).map(|(id, _)| *id);
    let mut ids: Vec<i16> = versions.keys().copied().chain(of_brokers).collect();
    ids.sort_unstable();
    ids.dedup();
    let line = |id: i16| {
        let name = known.get(&id).map_or("UNKNOWN", |own| own.key.name());
        let Some((least, most)) = versions.get(&id) else { return format!("{name}({id}): UNSUPPORTED") };
        let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let Some(own) = known.get(&id) else { return format!("{name}({id}): {range}") };
        let usable = own.max_stable_version().min(*most);
        let word = match () {
            () if usable < own.min_version => "unusable: node too old".to_string(),
            () if usable < *least => "unusable: node too new".to_string(),
            () => format!("usable: {usable}"),
        };
        format!("{name}({id}): {range} [{word}]")
    };
    ids.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_kafkas() {
        let versions = BTreeMap::from([(0, (0, 13)), (17, (0, 0)), (3, (99, 100)), (999, (1, 2))]);
        let shown = lines(&versions);
        let expected = [
            "Produce(0): 0 to 13 [usable: 13]",
            "Fetch(1): UNSUPPORTED",
            "ListOffsets(2): UNSUPPORTED",
            "Metadata(3): 99 to 100 [unusable: node too new]",
            "OffsetCommit(8): UNSUPPORTED",
        ];
        assert_eq!(shown[..5], expected);
        assert!(shown.contains(&"SaslHandshake(17): 0 [usable: 0]".to_string()));
        assert_eq!(shown.last().unwrap(), "UNKNOWN(999): 1 to 2");
    }
}
