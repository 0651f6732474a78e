//! Apache Kafka and Klamm with an authorizer: what each client may do, and what it is told where it may not.
//!
//! Both have the same users, rules and topics, and are asked the same; their answers are compared field by field. What may
//! differ stands in `accepted.rs` with its reason; what stands there and does not happen is a failure, too. With
//! `KLAMM_PEER=kafka` Apache Kafka is compared with itself.

mod accepted;
mod brokers;
mod cases;
mod certificates;
mod logins;
mod mask;
mod matrix;
mod needs;
mod random;
mod tools;

use brokers::Guarded;
use compat_tests::Result;
use compat_tests::suite::{ONE, Suite};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

type Body = fn(&Guarded) -> Result<()>;
type Named = (&'static str, Body);

const BODIES: &[Named] = &[("matrix", matrix::compare), ("random", random::compare)];
/// The pairs of brokers: whether what no rule is for is for everyone, and what is asked.
const PAIRS: &[(&str, bool, &[Named])] = &[
    ("closed", false, BODIES),
    ("open", true, BODIES),
    ("by_certificates", false, &[("matrix", certificates::compare), ("unfinished_logins", logins::compare)]),
];

fn main() -> ExitCode {
    let pairs: Arc<[Mutex<Option<Guarded>>]> = PAIRS.iter().map(|_| Mutex::new(None)).collect();
    let mut suite = Suite::new("security");
    for (at, &(kind, is_open, bodies)) in PAIRS.iter().enumerate() {
        for &(name, body) in bodies {
            let pairs = pairs.clone();
            suite = suite.plain(&format!("{name}_{kind}"), move || {
                let mut pair = pairs[at].lock().expect("no panic");
                let guarded = match pair.take() {
                    Some(guarded) => guarded,
                    None => Guarded::start(&users(), is_open)?,
                };
                let compared = body(&guarded);
                *pair = Some(guarded);
                compared
            });
        }
    }
    let end = move |keep: &std::path::Path| {
        PAIRS.iter().zip(pairs.iter()).try_for_each(|((kind, ..), pair)| match pair.lock().expect("no panic").take() {
            Some(guarded) => guarded.finish(&keep.join(kind)),
            None => Ok(()),
        })
    };
    suite.test("tools", ONE, tools::SETTINGS, tools::rules_by_hand).at_once(2).finally(end).run()
}

fn users() -> Vec<String> {
    matrix::users().into_iter().chain(random::USERS.iter().map(ToString::to_string)).collect()
}
