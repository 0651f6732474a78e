//! Whether each need of each API decides something of what was asked: else the matrix would prove nothing about it.

use crate::cases::NEEDS;
use crate::matrix::{Asked, NONE, WITH_RULES};
use compat_tests::{Result, ensure};
use std::collections::HashMap;

/// APIs whose needs decide nothing here, and why.
const UNREACHED: &[(&str, &str)] = &[("DescribeDelegationToken", "there are no tokens")];

/// The answers to one client, by what was asked.
type Answers = HashMap<String, String>;

pub fn ensure_all_count(trace: &[Asked]) -> Result<()> {
    let mut clients: HashMap<(&str, &str), Answers> = HashMap::new();
    for asked in trace.iter().filter(|asked| asked.phase == WITH_RULES) {
        let api = asked.case.split(' ').next().unwrap_or_default();
        let names: Vec<String> = asked.names.iter().map(|name| shape(name)).collect();
        let position = format!("{} v{} {names:?}", asked.case, asked.version);
        clients.entry((api, &asked.user)).or_default().insert(position, shape(&asked.answer.to_string()));
    }
    let differ = |api: &str, one: &str, other: &str| {
        let (Some(one), Some(other)) = (clients.get(&(api, one)), clients.get(&(api, other))) else { return false };
        one.iter().any(|(position, answer)| other.get(position).is_some_and(|other| other != answer))
    };
    let mut uncounted = Vec::new();
    let is_reached = |api: &str| UNREACHED.iter().all(|(unreached, _)| *unreached != api);
    for (api, needs) in NEEDS.iter().filter(|(api, _)| clients.contains_key(&(*api, NONE)) && is_reached(api)) {
        for (at, need) in needs.iter().enumerate() {
            let (all, only, denied) = (format!("all-{api}"), format!("only-{api}-{at}"), format!("deny-{api}-{at}"));
            if !differ(api, &denied, &all) && !differ(api, &only, NONE) {
                uncounted.push((api, need));
            }
        }
    }
    ensure!(uncounted.is_empty(), "no answer of Apache Kafka depends on these needs: {uncounted:?}");
    Ok(())
}

/// The names that are used once, without the numbers that make them fresh.
fn shape(text: &str) -> String {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |shape, part| shape + "-" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}
