//! `kafka-configs` (`ConfigCommand`): configs of topics and brokers, and users of SCRAM.

mod changes;
mod resources;
mod users;

use super::options::{action, refuse_together};
use super::{connect, say};
use crate::cli::args::Given;
use crate::cli::client::Client;
use changes::Changes;

/// The kinds of entities that are known here, by Kafka's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Topics,
    Brokers,
    Users,
}

/// What is described or changed. `name` is empty for the default of all.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Entity {
    kind: Kind,
    /// `None`: all of them.
    name: Option<String>,
}

impl Kind {
    fn parse(text: &str) -> Result<Kind, String> {
        match text {
            "topics" => Ok(Kind::Topics),
            "brokers" => Ok(Kind::Brokers),
            "users" => Ok(Kind::Users),
            other => {
                Err(format!("--entity-type is topics, brokers or users, not {other:?}; Kafka's own tool knows more"))
            }
        }
    }

    /// As sentences call one of them.
    fn singular(self) -> &'static str {
        match self {
            Kind::Topics => "topic",
            Kind::Brokers => "broker",
            Kind::Users => "user",
        }
    }
}

pub(super) fn run(given: &Given) -> Result<(), String> {
    let (is_altering, entity) = checked(given)?;
    let changes = if is_altering { Some(Changes::of(given)?) } else { None };
    // Before anything is asked for, as sentences about the options come first.
    let credentials = match (&changes, &entity) {
        (Some(changes), Entity { kind: Kind::Users, name: Some(user) }) => Some(users::alterations(user, changes)?),
        _ => None,
    };
    let mut client = connect(given)?;
    match (entity.kind, changes) {
        (Kind::Users, None) => users::describe(&mut client, entity.name.as_deref()),
        (_, None) => resources::describe(&mut client, &entity, given.has("all")),
        (_, Some(changes)) => {
            match credentials {
                Some(credentials) => users::alter(&mut client, &credentials)?,
                None => resources::alter(&mut client, &entity, changes)?,
            }
            completed(&entity);
            Ok(())
        }
    }
}

/// Whether something is changed, and what, if the options fit together (`ConfigCommandOptions.checkArgs`).
fn checked(given: &Given) -> Result<(bool, Entity), String> {
    let several = "Command must include exactly one action: --describe, --alter";
    let (_, is_altering) = action(given, &[("describe", false), ("alter", true)]).copied().ok_or(several)?;
    refuse_together(given, "describe", &["add-config", "delete-config"])?;
    let entity = entity(given)?;
    if let (Kind::Brokers, Some(id)) = (entity.kind, entity.name.as_deref().filter(|id| !id.is_empty())) {
        id.parse::<i32>()
            .map_err(|_| format!("The entity name for brokers must be a valid integer broker id, but it is: {id}"))?;
    }
    if is_altering && entity.name.is_none() {
        return Err(match entity.kind {
            Kind::Topics => "An entity name must be specified with --alter of topics".into(),
            _ => "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips"
                .into(),
        });
    }
    if is_altering && !given.has("add-config") && !given.has("delete-config") {
        return Err("At least one of --add-config or --delete-config must be specified with --alter".into());
    }
    Ok((is_altering, entity))
}

fn entity(given: &Given) -> Result<Entity, String> {
    const FLAGS: [(&str, Kind); 3] = [("topic", Kind::Topics), ("broker", Kind::Brokers), ("user", Kind::Users)];
    let flags = || FLAGS.iter().filter(|(option, _)| given.has(option));
    let is_by_type = ["entity-type", "entity-name", "entity-default"].iter().any(|option| given.has(option));
    match (flags().next(), flags().count(), is_by_type) {
        (Some(_), _, true) => {
            Err("--entity-{type,name,default} should not be used in conjunction with specific entity flags".into())
        }
        (Some((option, kind)), 1, false) => Ok(Entity { kind: *kind, name: given.text(option)? }),
        (Some(_), _, false) => Err("Only one entity type can be specified here; Kafka's own tool knows more".into()),
        (None, _, _) => by_type(given),
    }
}

fn by_type(given: &Given) -> Result<Entity, String> {
    let kind = given.text("entity-type")?.ok_or("At least one entity type must be specified")?;
    let kind = Kind::parse(&kind)?;
    match (given.text("entity-name")?, given.has("entity-default")) {
        (Some(_), true) => Err("--entity-name and --entity-default are two entities: give one of them".into()),
        (None, true) if kind != Kind::Brokers => Err(format!(
            "--entity-default is for brokers here, not for {}s; Kafka's own tool knows more",
            kind.singular()
        )),
        (None, true) => Ok(Entity { kind, name: Some(String::new()) }),
        (name, false) => Ok(Entity { kind, name }),
    }
}

fn completed(entity: &Entity) {
    say(&match entity.name.as_deref().unwrap_or_default() {
        "" => format!("Completed updating default config for {}s in the cluster.", entity.kind.singular()),
        name => format!("Completed updating config for {} {name}.", entity.kind.singular()),
    });
}

/// That there is no such entity, which Kafka's tool does not call an error.
fn tell_missing(client: &mut Client, kind: Kind, name: &str) -> Result<bool, String> {
    let is_there = match kind {
        Kind::Topics => resources::topics(client)?.iter().any(|topic| topic == name),
        _ => resources::brokers(client)?.iter().any(|broker| broker == name),
    };
    if !is_there {
        let kind = kind.singular();
        say(&format!("The {kind} '{name}' doesn't exist and doesn't have dynamic config."));
    }
    Ok(!is_there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::given_for_tests;

    #[test]
    fn entities_are_named_in_two_ways() {
        let of = |line: &str| checked(&given_for_tests("configs", line));
        let entity = |kind, name: Option<&str>| Entity { kind, name: name.map(str::to_string) };
        let cases = [
            ("--entity-type topics --entity-name a", entity(Kind::Topics, Some("a"))),
            ("--topic a", entity(Kind::Topics, Some("a"))),
            ("--entity-type brokers --entity-default", entity(Kind::Brokers, Some(""))),
            ("--entity-type users", entity(Kind::Users, None)),
        ];
        for (line, expected) in cases {
            assert_eq!(of(&format!("--describe {line}")), Ok((false, expected)), "{line}");
        }
        let alter = of("--alter --broker 1 --add-config a=b");
        assert_eq!(alter, Ok((true, entity(Kind::Brokers, Some("1")))));
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        let cases = [
            ("--topic a", "Command must include exactly one action: --describe, --alter"),
            ("--alter --describe --topic a", "Command must include exactly one action: --describe, --alter"),
            ("--describe", "At least one entity type must be specified"),
            (
                "--describe --topic a --add-config b=c",
                "Option \"[describe]\" can't be used with option \"[add-config]\"",
            ),
            ("--describe --topic a --entity-type topics", "--entity-{type,name,default} should not be used"),
            ("--describe --topic a --broker 1", "Only one entity type"),
            ("--describe --broker x", "The entity name for brokers must be a valid integer broker id, but it is: x"),
            ("--describe --entity-type ips --entity-name a", "--entity-type is topics, brokers or users"),
            ("--describe --entity-type users --entity-default", "--entity-default is for brokers here"),
            (
                "--alter --entity-type topics --add-config a=b",
                "An entity name must be specified with --alter of topics",
            ),
            ("--alter --entity-type users --add-config a=b", "An entity-name or default entity must be specified"),
            ("--alter --topic a", "At least one of --add-config or --delete-config must be specified with --alter"),
        ];
        for (line, expected) in cases {
            let sentence = checked(&given_for_tests("configs", line)).unwrap_err();
            assert!(sentence.starts_with(expected), "{line}: {sentence}");
        }
    }
}
