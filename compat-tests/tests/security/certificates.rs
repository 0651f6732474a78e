//! A smaller matrix over a listener that asks for certificates: each API once, with all names together, by clients whose names
//! stand in their certificates and are mapped by rules; and behind that the same answers by both brokers.

use crate::brokers::{ADMIN, Certificates, Clients, Guarded};
use crate::cases::{self, CLUSTER, Case, DESCRIBE, GROUP, NEEDS, Need, TOPIC, TRANSACTIONAL_ID};
use crate::matrix::{self, ALLOW, Asked, NONE, Pace, Spoken, WITH_RULES};
use compat_tests::program::{self, Input};
use compat_tests::secured::{showing, store};
use compat_tests::{Context, Result, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;

/// Who is of the unit is called by the common name in small letters, everybody else by the whole name.
pub const RULES: &str = "RULE:^CN=(.*?),OU=klamm$/$1/L,DEFAULT";
/// May do what the APIs need.
const ALICE: &str = "alice";
/// May describe everything, and no more.
const BOB: &str = "bob";
/// May do what Alice may; no rule of the names is for her.
const CAROL: &str = "CN=Carol,O=Elsewhere";
/// The subjects of certificates, as openssl wants them, and the names that they come to.
const SUBJECTS: &[(&str, &str)] = &[
    ("/OU=klamm/CN=Admin", ADMIN),
    ("/OU=klamm/CN=Alice", ALICE),
    ("/OU=klamm/CN=BOB", BOB),
    ("/O=Elsewhere/CN=Carol", CAROL),
    ("/OU=klamm/CN=none", NONE),
];
/// So many answers to Alice must differ from those to a client without rules, else they prove nothing.
const LEAST_DIFFERENT: usize = 30;

pub fn compare(guarded: &Guarded) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certificates = certificates(folder.path())?;
    let spoken = matrix::spoken(guarded)?;
    let runs = guarded.listeners().into_iter().zip(Pace::two()).map(|(listeners, pace)| {
        let clients = Clients::with(listeners, &guarded.schemas, certificates.clone());
        let (spoken, schemas) = (spoken.clone(), guarded.schemas.clone());
        thread::spawn(move || run(clients, &spoken, &|api| schemas.key(api), &pace))
    });
    let runs: Vec<_> = runs.collect();
    let mut traces = runs.into_iter().map(|run| run.join().expect("no panic"));
    let theirs = traces.next().context("a run")?.context("Apache Kafka")?;
    let ours = traces.next().context("a run")?.context("the broker under test")?;
    ensure_names_count(&theirs)?;
    matrix::judge(&theirs, &ours, false)
}

/// A certificate of each subject, by the test authority and for the one key of all.
fn certificates(folder: &Path) -> Result<Certificates> {
    let openssl = |arguments: &[&str]| program::run(program::command("openssl", arguments), Input::Nothing);
    let path = |name: &str| -> PathBuf { folder.join(name) };
    let request = path("request.pem").display().to_string();
    // Without an extension it would be of version 1, which webpki does not take.
    let extensions = path("extensions").display().to_string();
    std::fs::write(&extensions, "basicConstraints=CA:FALSE\n")?;
    let (authority, its_key, key) = (store("ca.pem"), store("ca-key.pem"), store("key.pem"));
    let made = SUBJECTS.iter().enumerate().map(|(at, (subject, name))| {
        let certificate = path(&format!("{at}.pem"));
        let out = certificate.display().to_string();
        openssl(&["req", "-new", "-key", &key, "-subj", subject, "-out", &request])?;
        let serial = (at + 1).to_string();
        let of_authority = ["-CA", &authority, "-CAkey", &its_key, "-set_serial", &serial, "-days", "2"];
        let files = ["-in", &request, "-extfile", &extensions, "-out", &out];
        openssl(&[&["x509", "-req"], &of_authority[..], &files[..]].concat())?;
        Ok((name.to_string(), showing(&certificate)?))
    });
    made.collect()
}

/// Each API once: in the newest version that both speak.
fn cases_of(spoken: &Spoken, key: &dyn Fn(&str) -> Result<i16>) -> Result<Vec<(Case, i16)>> {
    let mut asked = BTreeSet::new();
    let mut chosen = Vec::new();
    for case in cases::all() {
        let version = spoken.get(&key(case.api)?).and_then(|range| matrix::versions(&case, *range).pop_last());
        if let Some(version) = version.filter(|_| !asked.contains(case.api)) {
            asked.insert(case.api);
            chosen.push((case, version));
        }
    }
    Ok(chosen)
}

fn run(mut clients: Clients, spoken: &Spoken, key: &dyn Fn(&str) -> Result<i16>, pace: &Pace) -> Result<Vec<Asked>> {
    matrix::prepare(&mut clients)?;
    matrix::add_rules(&mut clients, &rules(), ALICE)?;
    let mut trace = Vec::new();
    for (case, version) in &cases_of(spoken, key)? {
        pace.keep();
        let names = case.about.names().pop().context("names")?;
        for (_, user) in SUBJECTS {
            trace.push(matrix::ask(&mut clients, case, *version, WITH_RULES, user, names)?);
        }
    }
    Ok(trace)
}

fn rules() -> Vec<Value> {
    let needs: BTreeSet<Need> = NEEDS.iter().flat_map(|(_, needs)| needs.iter().copied()).collect();
    let of = |user: &str| needs.iter().flat_map(|need| matrix::rules(user, *need, ALLOW)).collect::<Vec<_>>();
    let described = [TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID].map(|kind| (DESCRIBE, kind));
    let bobs = described.iter().flat_map(|need| matrix::rules(BOB, *need, ALLOW));
    of(ALICE).into_iter().chain(of(CAROL)).chain(bobs).collect()
}

/// Whether the names decide what is answered.
fn ensure_names_count(trace: &[Asked]) -> Result<()> {
    let of = |user: &str| -> BTreeMap<&str, String> {
        let asked = trace.iter().filter(|asked| asked.user == user);
        asked.map(|asked| (asked.case.as_str(), asked.answer.to_string())).collect()
    };
    let (may, may_not) = (of(ALICE), of(NONE));
    let different = may.iter().filter(|(case, answer)| may_not.get(*case) != Some(answer)).count();
    ensure!(different >= LEAST_DIFFERENT, "only {different} answers depend on the name");
    Ok(())
}
