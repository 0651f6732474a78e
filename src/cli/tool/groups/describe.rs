//! Groups in tables: their offsets with who reads them, or their states (`printOffsets`, `printStates`).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::found::{self, Group, Member, Place};
use super::tell_error;
use crate::cli::client::Client;
use crate::cli::printable::printable;
use crate::cli::tool::say;

const MISSING: &str = "-";

/// All is asked for before anything is shown, as a group that cannot be described ends the command.
pub(super) fn run(client: &mut Client, groups: Vec<String>, is_states: bool) -> Result<(), String> {
    let groups = groups.iter().map(|name| found::group(client, name)).collect::<Result<Vec<_>, _>>()?;
    let mut tables = Vec::new();
    for group in &groups {
        tables.push(match is_states {
            true => states(group),
            false => {
                let committed = found::committed(client, &group.name)?;
                let places = ordered(group, &committed);
                let all: Vec<&Place> = places.iter().map(|(place, _)| *place).collect();
                let ends = found::ends(client, &all)?;
                offsets(&group.name, &places, &committed, &ends)
            }
        });
    }
    for (group, table) in groups.iter().zip(tables) {
        if tell_state(group) {
            table.iter().for_each(|line| say(line));
        }
    }
    Ok(())
}

/// Says what is to be known beside the table; whether there is a group to show (`shouldPrintMemberState`).
fn tell_state(group: &Group) -> bool {
    let name = printable(&group.name);
    match group.state.as_str() {
        "Dead" => tell_error(&format!("Consumer group '{name}' does not exist.")),
        "Empty" => eprintln!("\nConsumer group '{name}' has no active members."),
        "Stable" => {}
        _ => eprintln!("\nWarning: Consumer group '{name}' is rebalancing."),
    }
    group.state != "Dead"
}

/// The partitions of the table: those of the members, the member with most of them first, then those without a member.
fn ordered<'g>(group: &'g Group, committed: &'g BTreeMap<Place, i64>) -> Vec<(&'g Place, Option<&'g Member>)> {
    let mut members: Vec<&Member> = group.members.iter().collect();
    members.sort_by_key(|member| Reverse(member.places.len()));
    let mut ordered: Vec<_> =
        members.into_iter().flat_map(|member| member.places.iter().map(move |place| (place, Some(member)))).collect();
    let is_assigned = |place: &Place| group.members.iter().any(|member| member.places.contains(place));
    ordered.extend(committed.keys().filter(|place| !is_assigned(place)).map(|place| (place, None)));
    ordered
}

/// No line where there is no partition.
fn offsets(
    group: &str,
    places: &[(&Place, Option<&Member>)],
    committed: &BTreeMap<Place, i64>,
    ends: &BTreeMap<Place, i64>,
) -> Vec<String> {
    if places.is_empty() {
        return Vec::new();
    }
    let number = |number: Option<i64>| number.map_or(MISSING.to_string(), |number| number.to_string());
    let row = |(place, member): &(&Place, Option<&Member>)| {
        let (offset, end) = (committed.get(*place).copied(), ends.get(*place).copied());
        let lag = offset.zip(end).map(|(offset, end)| end - offset);
        let missing =
            Member { id: MISSING.into(), host: MISSING.into(), client_id: MISSING.into(), places: Vec::new() };
        let Member { id, host, client_id, .. } = member.cloned().unwrap_or(missing);
        let (offset, end, lag) = (number(offset), number(end), number(lag));
        [group.to_string(), place.0.clone(), place.1.to_string(), offset, end, lag, id, host, client_id]
    };
    let head =
        ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"];
    let rows: Vec<[String; 9]> = [head.map(String::from)].into_iter().chain(places.iter().map(row)).collect();
    let widest = |at: usize| rows[1..].iter().map(|row| row[at].chars().count()).fold(15, usize::max);
    let widths = [widest(0), widest(1), 10, 15, 15, 15, widest(6), widest(7)];
    let line = |row: &[String; 9]| {
        let columns = widths.iter().zip(row).map(|(width, text)| format!("{text:<width$} "));
        columns.collect::<String>() + &row[8]
    };
    [String::new()].into_iter().chain(rows.iter().map(line)).collect()
}

fn states(group: &Group) -> Vec<String> {
    let coordinator = group.coordinator.as_str();
    let name = group.name.chars().count().max(15);
    let broker = coordinator.chars().count().max(25);
    let line = |columns: [&str; 4], count: &str| {
        let [group, coordinator, assignor, state] = columns;
        format!("{group:<name$} {coordinator:<broker$} {assignor:<20} {state:<20} {count}")
    };
    let assignor = Some(group.assignor.as_str()).filter(|assignor| !assignor.is_empty()).unwrap_or(MISSING);
    let count = group.members.len().to_string();
    vec![
        String::new(),
        line(["GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE"], "#MEMBERS"),
        line([&group.name, coordinator, assignor, &group.state], &count),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, partitions: &[i32]) -> Member {
        let places = partitions.iter().map(|partition| ("orders".to_string(), *partition)).collect();
        Member { id: id.into(), host: "/127.0.0.1".into(), client_id: "c".into(), places }
    }

    fn group(members: Vec<Member>) -> Group {
        let coordinator = "127.0.0.1:44781  (1)".into();
        Group { name: "g".into(), coordinator, state: "Stable".into(), assignor: "range".into(), members }
    }

    #[test]
    fn the_table_is_as_kafkas() {
        let group = group(vec![member("a", &[1]), member("b", &[0, 2]), member("idle", &[])]);
        let place = |partition: i32| ("orders".to_string(), partition);
        let committed = BTreeMap::from([(place(0), 3), (place(3), 1)]);
        let ends = BTreeMap::from([(place(0), 5), (place(1), 7)]);
        let expected = "
GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
g               orders          0          3               5               2               b               /127.0.0.1      c
g               orders          2          -               -               -               b               /127.0.0.1      c
g               orders          1          -               7               -               a               /127.0.0.1      c
g               orders          3          1               -               -               -               -               -";
        assert_eq!(offsets("g", &ordered(&group, &committed), &committed, &ends).join("\n"), expected);
        assert!(offsets("g", &[], &committed, &ends).is_empty());
    }

    #[test]
    fn states_are_as_kafkas() {
        let lines = states(&group(vec![member("a", &[])]));
        let expected = "
GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                #MEMBERS
g               127.0.0.1:44781  (1)      range                Stable               1";
        assert_eq!(lines.join("\n"), expected);
    }
}
