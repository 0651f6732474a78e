//! `kafka-broker-api-versions` (`BrokerApiVersionsCommand`): one block for each broker.

use std::collections::BTreeMap;

use super::{connect, metadata, say};
use crate::cli::args::Given;
use crate::model::ApiKey;
use crate::wire::api;

pub(super) fn run(given: &Given) -> Result<(), String> {
    let (mut client, mut answer) = (connect(given)?, Vec::new());
    let told = metadata(&mut client, Some(&[]), false, &mut answer)?;
    for broker in &told.brokers {
        let rack = broker.rack.as_deref().unwrap_or("null");
        let at = format!("{}:{} (id: {} rack: {rack} isFenced: false)", broker.host, broker.port, broker.node_id);
        say(&format!("{at} -> (\n\t{}\n)", lines(client.versions()).join(",\n\t")));
    }
    Ok(())
}

/// A line for each API (`NodeApiVersions.toString`).
fn lines(versions: &BTreeMap<i16, (i16, i16)>) -> Vec<String> {
    let line = |(id, (least, most)): (&i16, &(i16, i16))| {
        let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let known = usize::try_from(*id).ok().and_then(|id| ApiKey::ALL.get(id)).and_then(|key| api::describe(*key));
        let Some(own) = known else { return format!("UNKNOWN({id}): {range}") };
        let usable = own.max_stable_version().min(*most);
        let word = match () {
            () if usable < own.min_version => "unusable: node too old".to_string(),
            () if usable < *least => "unusable: node too new".to_string(),
            () => format!("usable: {usable}"),
        };
        format!("{}({id}): {range} [{word}]", own.key.name())
    };
    versions.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_kafkas() {
        let versions = BTreeMap::from([(0, (0, 13)), (17, (0, 0)), (3, (99, 100)), (999, (1, 2))]);
        let expected = [
            "Produce(0): 0 to 13 [usable: 13]",
            "Metadata(3): 99 to 100 [unusable: node too new]",
            "SaslHandshake(17): 0 [usable: 0]",
            "UNKNOWN(999): 1 to 2",
        ];
        assert_eq!(lines(&versions), expected);
    }
}
