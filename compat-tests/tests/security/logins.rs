//! Each API among the tokens of a login that goes on, in the oldest and the newest version: what is answered before the
//! connection ends.

use crate::brokers::{Clients, Guarded, Listeners};
use crate::cases;
use crate::matrix;
use compat_tests::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;

/// A token's own request.
const TOKEN: &str = "SaslAuthenticate";
/// As many APIs, and more, must answer that the state of the login is another (ILLEGAL_SASL_STATE): else little is compared.
const LEAST_TOLD: usize = 50;
const ILLEGAL_SASL_STATE: i64 = 34;
type Answers = BTreeMap<(&'static str, i16), Option<Value>>;

pub fn compare(guarded: &Guarded) -> Result<()> {
    let spoken = matrix::spoken(guarded)?;
    let mut asked: BTreeMap<(&'static str, i16), Value> = BTreeMap::new();
    for case in cases::all().iter().filter(|case| case.api != TOKEN) {
        let Some(range) = spoken.get(&guarded.schemas.key(case.api)?) else { continue };
        let names = case.about.names().pop().context("names")?;
        let versions = matrix::versions(case, *range);
        for version in versions.first().into_iter().chain(versions.last()) {
            asked.entry((case.api, *version)).or_insert_with(|| (case.request)(names));
        }
    }
    let of = |listeners: Listeners| -> Result<Answers> {
        let clients = Clients::new(listeners, &guarded.schemas);
        let answered = asked.iter().map(|(&(api, version), request)| {
            let answer = clients.ask_among_tokens(api, version, request)?;
            Ok(((api, version), answer.map(|answer| clients.masks.canonical(&answer))))
        });
        answered.collect()
    };
    // Each answer comes behind the delay of a refused login.
    let [of_theirs, of_ours] = guarded.listeners();
    let (theirs, ours) = thread::scope(|scope| {
        let theirs = scope.spawn(|| of(of_theirs));
        let ours = of(of_ours);
        (theirs.join().expect("no panic"), ours)
    });
    let (theirs, ours) = (theirs.context("Apache Kafka")?, ours.context("the broker under test")?);
    let told = theirs.iter().filter(|(_, answer)| answer.as_ref().is_some_and(has_the_error));
    let told: BTreeSet<&str> = told.map(|((api, _), _)| *api).collect();
    println!("{} requests, {} APIs tell of the login's state", theirs.len(), told.len());
    ensure!(told.len() >= LEAST_TOLD, "Apache Kafka told of the login's state by {told:?} only");
    let problems: Vec<String> =
        theirs.iter().filter_map(|(asked, theirs)| problem(asked, theirs, &ours[asked])).collect();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// Wherever it has it.
fn has_the_error(answer: &Value) -> bool {
    match answer {
        Value::Object(fields) => fields.values().any(has_the_error),
        Value::Array(elements) => elements.iter().any(has_the_error),
        scalar => scalar.as_i64() == Some(ILLEGAL_SASL_STATE),
    }
}

fn problem((api, version): &(&str, i16), theirs: &Option<Value>, ours: &Option<Value>) -> Option<String> {
    (theirs != ours).then(|| format!("{api} v{version}:\n    kafka: {theirs:?}\n    klamm: {ours:?}"))
}
