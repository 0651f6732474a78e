//! `kafka-consumer-groups` (`ConsumerGroupCommand`): lists groups, shows their offsets and their lag or their states, deletes
//! them.
//!
//! What fails behind the options is told on standard output, and the exit code is 0, as with Kafka's tool.

mod describe;
mod found;

use super::options::{action, refuse_together, require};
use super::{connect, say};
use crate::cli::args::Given;
use crate::cli::client::{Client, check};
use crate::model::{ApiKey, ErrorCode};
use crate::wire::api::{delete_groups, list_groups};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    List,
    Describe,
    Delete,
}

const ACTIONS: [(&str, Action); 3] =
    [("list", Action::List), ("describe", Action::Describe), ("delete", Action::Delete)];

pub(super) fn run(given: &Given) -> Result<(), String> {
    let action = checked(given)?;
    let done = connect(given).and_then(|mut client| match action {
        Action::List => list(&mut client, given.has("state")),
        Action::Describe => {
            let groups = asked(given, &mut client)?;
            describe::run(&mut client, groups, given.has("state"))
        }
        Action::Delete => {
            let groups = asked(given, &mut client)?;
            delete(&mut client, &groups)
        }
    });
    if let Err(sentence) = done {
        tell_error(&format!("Executing consumer group command failed due to {sentence}"));
    }
    Ok(())
}

/// What is to be done, if the options fit it (`ConsumerGroupCommandOptions.checkArgs`).
fn checked(given: &Given) -> Result<Action, String> {
    let several = "Command must include exactly one action: --list, --describe, --delete";
    let (name, action) = *action(given, &ACTIONS).ok_or(several)?;
    require(given, "bootstrap-server")?;
    if action != Action::List && !given.has("group") && !given.has("all-groups") {
        return Err(format!("Option [{name}] takes one of these options: [group], [all-groups]"));
    }
    if action == Action::Delete && given.has("state") {
        return Err("Option(s) [state] are unavailable given other options on the command line".into());
    }
    if given.has("state") && given.has("offsets") {
        return Err("Option [describe] takes at most one of these options: [offsets], [state]".into());
    }
    if action != Action::Describe && given.has("offsets") {
        return Err("Option(s) [offsets] are unavailable given other options on the command line".into());
    }
    refuse_together(given, "group", &["all-groups", "list"])?;
    Ok(action)
}

/// `ConsumerGroupCommand.printError`
fn tell_error(sentence: &str) {
    say("");
    say(&format!("Error: {sentence}"));
}

/// An error as Java shows its exception (`Errors`). For those that the tool is likely to meet.
fn exception(code: i16, message: Option<&str>) -> Option<String> {
    const KNOWN: [(ErrorCode, &str, &str); 4] = [
        (ErrorCode::GroupIdNotFound, "GroupIdNotFoundException", "The group id does not exist."),
        (ErrorCode::NonEmptyGroup, "GroupNotEmptyException", "The group is not empty."),
        (ErrorCode::GroupAuthorizationFailed, "GroupAuthorizationException", "Group authorization failed."),
        (ErrorCode::InvalidGroupId, "InvalidGroupIdException", "The group id is invalid."),
    ];
    let sentence = check(code, message).err()?;
    let known = KNOWN.iter().find(|(error, _, _)| error.code() == code);
    Some(known.map_or(sentence, |(_, class, standard)| {
        let message = message.filter(|message| !message.is_empty()).unwrap_or(standard);
        format!("org.apache.kafka.common.errors.{class}: {message}")
    }))
}

/// Groups of consumers, each with its state.
fn listed(client: &mut Client) -> Result<Vec<(String, String)>, String> {
    let told: list_groups::Response<'_> = client.ask(ApiKey::ListGroups, &list_groups::Request::default())?;
    check(told.error_code, None)?;
    let is_of_consumers = |kind: &str| kind.is_empty() || kind == "consumer";
    let groups = told.groups.iter().filter(|group| is_of_consumers(&group.protocol_type));
    Ok(groups.map(|group| (group.group_id.to_string(), group.group_state.to_string())).collect())
}

fn list(client: &mut Client, has_states: bool) -> Result<(), String> {
    let groups = listed(client)?;
    if !has_states {
        groups.iter().for_each(|(group, _)| say(group));
        return Ok(());
    }
    let width = groups.iter().map(|(group, _)| group.chars().count()).fold(15, usize::max) + 10;
    let line = |group: &str, state: &str| say(&format!("{group:<width$} {state:<20}"));
    line("GROUP", "STATE");
    groups.iter().for_each(|(group, state)| line(group, state));
    Ok(())
}

/// The groups that the arguments name, each once.
fn asked(given: &Given, client: &mut Client) -> Result<Vec<String>, String> {
    let mut groups = match given.has("all-groups") {
        true => listed(client)?.into_iter().map(|(group, _)| group).collect(),
        false => given.texts("group")?,
    };
    groups.sort();
    groups.dedup();
    Ok(groups)
}

fn delete(client: &mut Client, groups: &[String]) -> Result<(), String> {
    groups.iter().try_for_each(|group| found::coordinator(client, group).map(drop))?;
    let request = delete_groups::Request { groups_names: groups.iter().map(|group| group.clone().into()).collect() };
    let told: delete_groups::Response<'_> = client.ask(ApiKey::DeleteGroups, &request)?;
    let (mut gone, mut failed) = (Vec::new(), Vec::new());
    for group in &told.results {
        match exception(group.error_code, group.error_message.as_deref()) {
            None => gone.push(format!("'{}'", group.group_id)),
            Some(reason) => failed.push(format!("* Group '{}' could not be deleted due to: {reason}", group.group_id)),
        }
    }
    let gone = gone.join(", ");
    if failed.is_empty() {
        say(&format!("Deletion of requested consumer groups ({gone}) was successful."));
        return Ok(());
    }
    tell_error("Deletion of some consumer groups failed:");
    failed.iter().for_each(|line| say(line));
    if !gone.is_empty() {
        say("");
        say(&format!("These consumer groups were deleted successfully: {gone}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::given_for_tests;

    #[test]
    fn options_are_for_their_actions() {
        let of = |line: &str| checked(&given_for_tests("consumer-groups", &format!("{line} --bootstrap-server a:1")));
        assert_eq!(of("--list --state"), Ok(Action::List));
        assert_eq!(of("--describe --group a --group b --state"), Ok(Action::Describe));
        assert_eq!(of("--delete --all-groups"), Ok(Action::Delete));
        for (line, expected) in [
            ("", "Command must include exactly one action: --list, --describe, --delete"),
            ("--list --delete", "Command must include exactly one action: --list, --describe, --delete"),
            ("--describe", "Option [describe] takes one of these options: [group], [all-groups]"),
            ("--delete --group a --state", "Option(s) [state] are unavailable given other options on the command line"),
            ("--list --group a", "Option \"[group]\" can't be used with option \"[list]\""),
            ("--describe --group a --all-groups", "Option \"[group]\" can't be used with option \"[all-groups]\""),
            (
                "--describe --group a --state --offsets",
                "Option [describe] takes at most one of these options: [offsets], [state]",
            ),
        ] {
            assert_eq!(of(line).unwrap_err(), expected, "{line}");
        }
        let nowhere = checked(&given_for_tests("consumer-groups", "--list"));
        assert_eq!(nowhere.unwrap_err(), "Missing required argument \"[bootstrap-server]\"");
    }

    #[test]
    fn errors_are_shown_as_javas() {
        let not_empty = exception(ErrorCode::NonEmptyGroup.code(), None);
        assert_eq!(
            not_empty.unwrap(),
            "org.apache.kafka.common.errors.GroupNotEmptyException: The group is not empty."
        );
        let missing = exception(ErrorCode::GroupIdNotFound.code(), Some("Group g not found."));
        assert_eq!(missing.unwrap(), "org.apache.kafka.common.errors.GroupIdNotFoundException: Group g not found.");
        assert_eq!(exception(ErrorCode::NotCoordinator.code(), None).unwrap(), "NOT_COORDINATOR");
        assert_eq!(exception(0, None), None);
    }
}
