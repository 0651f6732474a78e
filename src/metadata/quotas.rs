//! Decisions about quotas of clients (Kafka's `ClientQuotaControlManager`; the sentences are its own).
//!
//! Deviations: an address is a number, as nothing here asks for what a host name stands for; where an entry has several
//! errors, the first one in its order is told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::decision::{Decisions, MAX_RECORDS_PER_REQUEST, Refusal, TOO_MANY};
use super::image::Image;
use super::record::client_quota_record::EntityData;
use super::record::{ClientQuotaRecord, Record};
use super::security::QuotaEntity;
use crate::model::ErrorCode;
use crate::security::quota::table::{CLIENT_ID, IP, USER};
use crate::security::quota::{CONNECTION_RATE, Kind};

/// What shall become of the quotas of one entity: keys with their values, `None` takes one away.
#[derive(Clone, PartialEq, Debug)]
pub struct QuotaAlteration {
    /// As asked, in any order and perhaps with one type twice.
    pub entity: QuotaEntity,
    pub operations: Vec<(String, Option<f64>)>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct QuotaAltered {
    pub entity: QuotaEntity,
    pub result: Result<(), Refusal>,
}

/// Changes the quotas of those entities that may have them. Each entity is answered once.
pub(super) fn alter_client_quotas(
    image: &Image,
    entries: &[QuotaAlteration],
    validate_only: bool,
) -> Decisions<QuotaAltered> {
    let mut decision = Decisions::default();
    let mut places = BTreeMap::new();
    for entry in entries {
        let entity = last_of_each_type(&entry.entity);
        let mut keys = BTreeSet::new();
        let is_twice = places.contains_key(&entity) || !entry.operations.iter().all(|(key, _)| keys.insert(key));
        let result = if is_twice {
            Err(invalid(format!("Ignoring duplicate entity {}", text(&entity))))
        } else {
            records(image, &entity, &entry.operations).map(|records| decision.records.extend(records))
        };
        let place = *places.entry(entity.clone()).or_insert(decision.results.len());
        match decision.results.get_mut(place) {
            Some(QuotaAltered { result: told, .. }) => *told = result,
            None => decision.results.push(QuotaAltered { entity, result }),
        }
    }
    if decision.records.len() > MAX_RECORDS_PER_REQUEST {
        let refusal = Refusal::new(ErrorCode::PolicyViolation, TOO_MANY);
        decision.results.iter_mut().for_each(|altered| altered.result = Err(refusal.clone()));
        decision.records.clear();
    }
    if validate_only {
        decision.records.clear();
    }
    decision
}

fn records(
    image: &Image,
    entity: &QuotaEntity,
    operations: &[(String, Option<f64>)],
) -> Result<Vec<Record<'static>>, Refusal> {
    let is_of_address = check_entity(entity)?;
    let known = image.quotas.get(entity);
    let mut records = Vec::new();
    for (key, value) in operations {
        let before = known.and_then(|values| values.get(key)).map(|value| value.to_bits());
        match value {
            None if before.is_none() => {}
            None => records.push(record(entity, key, None)),
            Some(value) => {
                check_value(is_of_address, key, *value)?;
                if before != Some(value.to_bits()) {
                    records.push(record(entity, key, Some(*value)));
                }
            }
        }
    }
    Ok(records)
}

fn record(entity: &QuotaEntity, key: &str, value: Option<f64>) -> Record<'static> {
    let part = |(kind, name): &(String, Option<String>)| EntityData {
        entity_type: kind.clone().into(),
        entity_name: name.clone().map(Into::into),
    };
    Record::ClientQuota(ClientQuotaRecord {
        entity: entity.iter().map(part).collect(),
        key: key.to_string().into(),
        value: value.unwrap_or(0.0),
        remove: value.is_none(),
    })
}

/// The last name counts where a type is named twice, as in the map that Kafka makes of it. Sorted.
fn last_of_each_type(entity: &QuotaEntity) -> QuotaEntity {
    entity.iter().cloned().collect::<BTreeMap<_, _>>().into_iter().collect()
}

/// Whether it is an address's.
fn check_entity(entity: &QuotaEntity) -> Result<bool, Refusal> {
    for (kind, name) in in_kafkas_order(entity) {
        if ![USER, CLIENT_ID, IP].contains(&kind.as_str()) {
            return Err(invalid(format!("Unhandled client quota entity type: {kind}")));
        }
        if name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {kind} not supported")));
        }
    }
    if entity.is_empty() {
        return Err(invalid("Invalid empty client quota entity".into()));
    }
    let Some((_, address)) = entity.iter().find(|(kind, _)| kind == IP) else { return Ok(false) };
    if entity.len() > 1 {
        let message = "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId";
        return Err(invalid(message.into()));
    }
    match address {
        Some(address) if address.parse::<IpAddr>().is_err() => {
            Err(invalid(format!("{address} is not a valid IP or resolvable host.")))
        }
        _ => Ok(true),
    }
}

fn check_value(is_of_address: bool, key: &str, value: f64) -> Result<(), Refusal> {
    let kind = Kind::of_key(key).filter(|_| !is_of_address);
    if kind.is_none() && !(is_of_address && key == CONNECTION_RATE) {
        return Err(invalid(format!("Invalid configuration key {key}")));
    }
    if value <= 0.0 {
        return Err(invalid(format!("Quota {key} must be greater than 0")));
    }
    let (most, word) = match kind {
        Some(Kind::Request | Kind::Mutation) => return Ok(()),
        Some(Kind::Produce | Kind::Fetch) => (i64::MAX as f64, "a LONG"),
        None => (f64::from(i32::MAX), "an INT"),
    };
    if value > most {
        return Err(invalid(format!("Proposed value for {key} is too large for {word}.")));
    }
    if (value % 1.0).abs() > 1e-6 {
        return Err(invalid(format!("{key} cannot be a fractional value.")));
    }
    Ok(())
}

fn invalid(message: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

/// `ClientQuotaEntity.toString`
fn text(entity: &QuotaEntity) -> String {
    let part = |(kind, name): &(String, Option<String>)| format!("{kind}={}", name.as_deref().unwrap_or("null"));
    let parts: Vec<String> = in_kafkas_order(entity).map(part).collect();
    format!("ClientQuotaEntity(entries={{{}}})", parts.join(", "))
}

/// The order of Java's map of these names.
fn in_kafkas_order(entity: &QuotaEntity) -> impl Iterator<Item = &(String, Option<String>)> {
    let of = |wanted: &'static str| entity.iter().filter(move |(kind, _)| kind == wanted);
    let others = entity.iter().filter(|(kind, _)| ![USER, CLIENT_ID, IP].contains(&kind.as_str()));
    of(CLIENT_ID).chain(of(USER)).chain(of(IP)).chain(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::{commit, fresh};

    fn entity(parts: &[(&str, Option<&str>)]) -> QuotaEntity {
        parts.iter().map(|(kind, name)| (kind.to_string(), name.map(str::to_string))).collect()
    }

    fn entry(parts: &[(&str, Option<&str>)], operations: &[(&str, Option<f64>)]) -> QuotaAlteration {
        let operations = operations.iter().map(|(key, value)| (key.to_string(), *value)).collect();
        QuotaAlteration { entity: entity(parts), operations }
    }

    fn alter(image: &mut Image, entries: &[QuotaAlteration]) -> (usize, Vec<String>) {
        let decision = alter_client_quotas(image, entries, false);
        let dry = alter_client_quotas(image, entries, true);
        assert_eq!((dry.records.len(), &dry.results), (0, &decision.results));
        commit(image, &decision.records);
        let told = decision.results.iter().map(|altered| match &altered.result {
            Ok(()) => String::new(),
            Err(refusal) => {
                assert_eq!(refusal.error, ErrorCode::InvalidRequest);
                refusal.message.clone().unwrap()
            }
        });
        (decision.records.len(), told.collect())
    }

    const A: &[(&str, Option<&str>)] = &[("user", Some("a"))];

    #[test]
    fn quotas_are_set_changed_and_taken_away() {
        let mut image = fresh();
        let both: &[(&str, Option<&str>)] = &[("user", None), ("client-id", Some("c"))];
        let set = [
            entry(A, &[("producer_byte_rate", Some(10.0)), ("request_percentage", Some(0.5))]),
            entry(both, &[("consumer_byte_rate", Some(1.0))]),
        ];
        assert_eq!(alter(&mut image, &set), (3, vec![String::new(), String::new()]));
        // The same again is no change; nor is what is not there.
        assert_eq!(alter(&mut image, &set), (0, vec![String::new(), String::new()]));
        assert_eq!(alter(&mut image, &[entry(A, &[("consumer_byte_rate", None)])]), (0, vec![String::new()]));
        let found =
            |image: &Image, user: &str| image.client_quotas().find(Kind::Produce, user, "c").map(|(_, limit)| limit);
        assert_eq!((found(&image, "a"), found(&image, "b")), (Some(10.0), None));
        let take = [entry(A, &[("producer_byte_rate", None), ("request_percentage", None)])];
        assert_eq!(alter(&mut image, &take), (2, vec![String::new()]));
        assert_eq!(
            image.quotas().map(|(entity, _)| entity.clone()).collect::<Vec<_>>(),
            [entity(&[("client-id", Some("c")), ("user", None)])]
        );
        let mut rebuilt = Image::default();
        commit(&mut rebuilt, &image.to_records());
        assert_eq!(rebuilt.client_quotas(), image.client_quotas());
    }

    /// What `ClientQuotaControlManager` says, error by error.
    #[test]
    fn refusals_are_kafkas() {
        let ip: &[(&str, Option<&str>)] = &[("ip", Some("10.0.0.1"))];
        let (bytes, percent, rate) = ("producer_byte_rate", "request_percentage", "connection_creation_rate");
        type Case<'c> = (&'c [(&'c str, Option<&'c str>)], &'c [(&'c str, Option<f64>)], &'c str);
        let table: &[Case<'_>] = &[
            (&[], &[(bytes, Some(1.0))], "Invalid empty client quota entity"),
            (&[("host", Some("x"))], &[], "Unhandled client quota entity type: host"),
            (&[("user", Some(""))], &[], "Empty user not supported"),
            (
                &[("ip", Some("1.1.1.1")), ("user", Some("u"))],
                &[],
                "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
            ),
            (
                &[("ip", Some("no.such.host.invalid"))],
                &[],
                "no.such.host.invalid is not a valid IP or resolvable host.",
            ),
            (A, &[("nonsense", Some(1.0))], "Invalid configuration key nonsense"),
            (A, &[(rate, Some(1.0))], "Invalid configuration key connection_creation_rate"),
            (ip, &[(bytes, Some(1.0))], "Invalid configuration key producer_byte_rate"),
            (A, &[(bytes, Some(0.0))], "Quota producer_byte_rate must be greater than 0"),
            (A, &[(percent, Some(-0.1))], "Quota request_percentage must be greater than 0"),
            (A, &[(bytes, Some(1e19))], "Proposed value for producer_byte_rate is too large for a LONG."),
            (ip, &[(rate, Some(1e10))], "Proposed value for connection_creation_rate is too large for an INT."),
            (A, &[(bytes, Some(1.5))], "producer_byte_rate cannot be a fractional value."),
            (ip, &[(rate, Some(1.5))], "connection_creation_rate cannot be a fractional value."),
            (
                A,
                &[(bytes, Some(1.0)), (bytes, Some(2.0))],
                "Ignoring duplicate entity ClientQuotaEntity(entries={user=a})",
            ),
            // A key that is taken away need not be one.
            (A, &[("nonsense", None)], ""),
            (A, &[(percent, Some(0.1))], ""),
            (&[("ip", None)], &[(rate, Some(5.0))], ""),
        ];
        for (parts, operations, expected) in table {
            let told = alter(&mut fresh(), &[entry(parts, operations)]);
            let records = if expected.is_empty() && operations[0].1.is_some() { 1 } else { 0 };
            assert_eq!(told, (records, vec![expected.to_string()]), "{parts:?} {operations:?}");
        }
    }

    #[test]
    fn an_entity_that_comes_twice_is_answered_once() {
        let mut image = fresh();
        let both: &[(&str, Option<&str>)] = &[("user", Some("a")), ("client-id", None)];
        let turned: &[(&str, Option<&str>)] = &[("client-id", None), ("user", Some("a"))];
        let entries = [
            entry(both, &[("request_percentage", Some(1.0))]),
            entry(A, &[("request_percentage", Some(2.0))]),
            entry(turned, &[("request_percentage", Some(3.0))]),
        ];
        let twice = "Ignoring duplicate entity ClientQuotaEntity(entries={client-id=null, user=a})";
        assert_eq!(alter(&mut image, &entries), (2, vec![twice.to_string(), String::new()]));
        // What the first one asked for was done all the same.
        assert_eq!(image.client_quotas().find(Kind::Request, "a", "x").unwrap().1, 1.0);
    }
}
