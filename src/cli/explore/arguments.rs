//! The arguments of `klamm explore`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::records::ChangeKind;
use crate::broker::first::FirstTopic;
use crate::cli::args::Given;
use crate::cli::test_broker::arguments as of_test;
use crate::model::ApiKey;

/// How long one run of the command may take where nothing else is said.
const USUAL_LIMIT: Duration = Duration::from_secs(60);
/// Runs with a harm where nothing else is said.
const USUAL_RUNS: usize = 200;
/// Harms of one run at most.
const MOST_DEPTH: usize = 8;
const MOST_JOBS: usize = 64;

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct ExploreArguments {
    pub(super) command: Vec<OsString>,
    pub(super) topics: Vec<FirstTopic>,
    pub(super) overrides: Vec<(String, String)>,
    pub(super) as_version: Option<String>,
    pub(super) limit: Duration,
    /// Runs with a harm at most.
    pub(super) runs: usize,
    /// Harms of one run at most.
    pub(super) depth: usize,
    /// Runs at a time.
    pub(super) jobs: usize,
    pub(super) seed: u64,
    /// Empty: what has an effect, and the first look of each kind.
    pub(super) only: Vec<ApiKey>,
    pub(super) allowed: Vec<AllowedChange>,
    /// Where the shortest failing schedule is written.
    pub(super) output: Option<PathBuf>,
    /// The rules of one run, which are not looked for.
    pub(super) replay: Option<Vec<Value>>,
    /// Only show the moments.
    pub(super) lists: bool,
}

/// What may become of records; of all topics where none is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AllowedChange {
    pub(super) kind: ChangeKind,
    pub(super) topic: Option<String>,
}

impl ExploreArguments {
    /// What the line says; an error is a sentence.
    pub(in crate::cli) fn of(given: &Given, overrides: Vec<(String, String)>) -> Result<ExploreArguments, String> {
        let command: Vec<OsString> = given.arguments().to_vec();
        if command.is_empty() {
            return Err("which command? klamm explore [OPTION]... -- COMMAND".into());
        }
        let number = |name: &str, usual: usize, most: usize| match given.parsed::<usize>(name)?.unwrap_or(usual) {
            number if (1..=most).contains(&number) => Ok(number),
            number => Err(format!("--{name} is a number from 1 to {most}, not {number}")),
        };
        let limit = match given.parsed::<f64>("timeout")? {
            None => USUAL_LIMIT,
            Some(seconds) => Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|limit| !limit.is_zero())
                .ok_or_else(|| format!("--timeout wants seconds, not {seconds}"))?,
        };
        let api = |name: String| ApiKey::parse(&name).ok_or_else(|| format!("there is no API {name:?}"));
        Ok(ExploreArguments {
            command,
            topics: given.texts("topic")?.iter().map(|text| of_test::topic(text)).collect::<Result<_, _>>()?,
            overrides,
            as_version: given.text("as-version")?,
            limit,
            runs: number("runs", USUAL_RUNS, usize::MAX)?,
            depth: number("depth", 1, MOST_DEPTH)?,
            jobs: number("jobs", 1, MOST_JOBS)?,
            seed: given.parsed("seed")?.unwrap_or(0),
            only: given.texts("only")?.into_iter().map(api).collect::<Result<_, _>>()?,
            allowed: given.texts("allow")?.iter().map(|text| allowed(text)).collect::<Result<_, _>>()?,
            output: given.path("output"),
            replay: given.path("replay").map(|path| of_test::faults(&path)).transpose()?,
            lists: given.has("list"),
        })
    }
}

/// `doubled` or `doubled:orders`
fn allowed(text: &str) -> Result<AllowedChange, String> {
    let (name, topic) = text.split_once(':').map_or((text, None), |(name, topic)| (name, Some(topic.to_string())));
    let known = ChangeKind::NAMES.iter().find(|(known, _)| *known == name);
    let (_, kind) = known.ok_or_else(|| {
        let names = ChangeKind::NAMES.map(|(name, _)| name).join(", ");
        format!("--allow wants one of {names}, perhaps with :TOPIC, not {text:?}")
    })?;
    Ok(AllowedChange { kind: *kind, topic: topic.filter(|topic| !topic.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{self, Command};

    fn of(line: &str) -> Result<ExploreArguments, String> {
        match args::parse(format!("klamm explore {line}").split_whitespace().map(OsString::from))? {
            Command::Explore(arguments) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_stands_behind_the_dashes_is_the_command() {
        let read =
            of("--topic t:3 --runs 5 --timeout 1.5 --only Produce --only 8 --allow doubled:t --depth 2 -- x --runs -h")
                .unwrap();
        assert_eq!(read.command, ["x", "--runs", "-h"]);
        assert_eq!((read.runs, read.depth, read.jobs, read.limit), (5, 2, 1, Duration::from_millis(1500)));
        assert_eq!(read.only, [ApiKey::Produce, ApiKey::OffsetCommit]);
        assert_eq!(read.allowed, [AllowedChange { kind: ChangeKind::Doubled, topic: Some("t".into()) }]);
        assert_eq!((read.topics[0].name.as_str(), read.topics[0].partitions), ("t", 3));
        let plain = of("x").unwrap();
        assert_eq!((plain.runs, plain.limit, plain.lists), (USUAL_RUNS, USUAL_LIMIT, false));
    }

    #[test]
    fn what_cannot_be_is_told_in_a_sentence() {
        for line in [
            "",
            "--",
            "--runs 0 -- x",
            "--depth 9 -- x",
            "--timeout 0 -- x",
            "--timeout -1 -- x",
            "--timeout no -- x",
            "--only Nothing -- x",
            "--allow tripled -- x",
            "--replay /no/such/file -- x",
            "--nope -- x",
        ] {
            assert!(of(line).is_err_and(|sentence| sentence.ends_with("; see klamm --help")), "{line}");
        }
    }
}
