//! Each API once among the tokens of a login that goes on: what is answered before the connection ends.

use crate::brokers::{Clients, Guarded, Listeners};
use crate::certificates::cases_of;
use crate::matrix;
use compat_tests::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;

/// A token's own request.
const TOKEN: &str = "SaslAuthenticate";
type Answers = BTreeMap<&'static str, Option<Value>>;

pub fn compare(guarded: &Guarded) -> Result<()> {
    let spoken = matrix::spoken(guarded)?;
    let asked = cases_of(&spoken, &|api| guarded.schemas.key(api))?;
    let of = |listeners: Listeners| -> Result<Answers> {
        let clients = Clients::new(listeners, &guarded.schemas);
        let answered = asked.iter().filter(|(case, _)| case.api != TOKEN).map(|(case, version)| {
            let names = case.about.names().pop().context("names")?;
            let answer = clients.ask_among_tokens(case.api, *version, &(case.request)(names))?;
            Ok((case.api, answer.map(|answer| clients.masks.canonical(&answer))))
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
    let problems: Vec<String> = theirs.iter().filter_map(|(api, theirs)| problem(api, theirs, &ours[api])).collect();
    println!("{} APIs", theirs.len());
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

fn problem(api: &str, theirs: &Option<Value>, ours: &Option<Value>) -> Option<String> {
    (theirs != ours).then(|| format!("{api}:\n    kafka: {theirs:?}\n    klamm: {ours:?}"))
}
