//! Every state of a member with everything that can come: a table under `testdata/`, rewritten by `UPDATE=1`.
//!
//! One topic of five partitions: what of the target the member owns, has to give up, and what others own, in every
//! combination of which each partition may be one.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::member::{Current, MemberState, Partitions};
use super::reconcile::Reconciliation;
use crate::coordinator::assignor::Assignment;
use crate::coordinator::story::check;
use crate::model::{TopicId, Uuid};

const TOPIC: TopicId = Uuid([7; 16]);

fn epochs(of: &Partitions) -> String {
    let all = of.values().flatten().map(|(partition, epoch)| format!("{partition}@{epoch}"));
    all.collect::<Vec<_>>().join("+")
}

fn tell(current: &Current) -> String {
    let state = match current.state {
        MemberState::Stable => "stable",
        MemberState::UnrevokedPartitions => "unrevoked",
        MemberState::UnreleasedPartitions => "unreleased",
        MemberState::Unknown => "unknown",
    };
    let (assigned, revoking) = (epochs(&current.assigned), epochs(&current.pending_revocation));
    format!("{state} {}<{} [{assigned}] -[{revoking}]", current.epoch, current.previous_epoch)
}

fn partitions(of: &[i32], epoch: i32) -> Partitions {
    if of.is_empty() {
        return Partitions::new();
    }
    [(TOPIC, of.iter().map(|partition| (*partition, epoch)).collect())].into()
}

/// Partition 0 is the member's own, 1 is its own or to be given up, 2 belongs to another member, 3 is free.
fn members() -> Vec<Current> {
    let mut members = Vec::new();
    let states = [
        MemberState::Stable,
        MemberState::UnrevokedPartitions,
        MemberState::UnreleasedPartitions,
        MemberState::Unknown,
    ];
    for state in states {
        for (assigned, revoking) in [(&[][..], &[][..]), (&[0, 1][..], &[][..]), (&[0][..], &[1][..])] {
            let has_to_revoke = state == MemberState::UnrevokedPartitions;
            if state != MemberState::Unknown && has_to_revoke == revoking.is_empty() {
                continue;
            }
            members.push(Current {
                epoch: 5,
                previous_epoch: 4,
                state,
                assigned: partitions(assigned, 3),
                pending_revocation: partitions(revoking, 2),
            });
        }
    }
    members
}

#[test]
fn the_table_is_true() {
    let mut out = String::from("# Written by src/coordinator/consumer/table.rs\n");
    let targets: [&[i32]; 7] = [&[], &[0], &[0, 1], &[0, 2], &[0, 3], &[2], &[0, 1, 2, 3]];
    let reports: [Option<&[i32]>; 5] = [None, Some(&[]), Some(&[0]), Some(&[1]), Some(&[0, 1])];
    for current in members() {
        writeln!(out, "\n{}", tell(&current)).unwrap();
        for (target_epoch, target) in [5, 6].into_iter().flat_map(|epoch| targets.map(|target| (epoch, target))) {
            for reported in reports {
                // One in a state that is not known is fenced unless it says that it owns nothing.
                if current.state == MemberState::Unknown && reported != Some(&[][..]) {
                    continue;
                }
                for (changed, subscribed) in [(false, true), (true, true), (true, false), (false, false)] {
                    let next = next(&current, target_epoch, target, reported, changed, subscribed);
                    let reported = reported.map_or("?".into(), |of| format!("{of:?}"));
                    let kind = format!(
                        "{}{}",
                        if changed { "changed " } else { "" },
                        if subscribed { "" } else { "unsubscribed " }
                    );
                    let same = if next == current { "=".into() } else { tell(&next) };
                    writeln!(out, "  {target_epoch}:{target:?} reports {reported} {kind}| {same}").unwrap();
                }
            }
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/coordinator/testdata/reconciliation.txt");
    check(&path, &out);
}

fn next(
    current: &Current,
    target_epoch: i32,
    target: &[i32],
    reported: Option<&[i32]>,
    subscription_changed: bool,
    subscribed: bool,
) -> Current {
    let target: Assignment = match target {
        [] => Assignment::new(),
        _ => [(TOPIC, target.iter().copied().collect::<BTreeSet<i32>>())].into(),
    };
    let owned = |of: &Partitions, partition| of.get(&TOPIC).is_some_and(|of| of.contains_key(&partition));
    let reported = reported.map(|of| if of.is_empty() { Vec::new() } else { vec![(TOPIC, of.to_vec())] });
    let next = Reconciliation {
        target_epoch,
        target: &target,
        is_subscribed: &|_| subscribed,
        subscribes_to_nothing: !subscribed,
        subscription_changed,
        is_owned: &|_, partition| {
            partition == 2 || owned(&current.assigned, partition) || owned(&current.pending_revocation, partition)
        },
        reported: reported.as_deref(),
    }
    .next(current);
    check_step(current, &next, &target, subscribed, target_epoch);
    next
}

/// What holds for every step.
fn check_step(current: &Current, next: &Current, target: &Assignment, subscribed: bool, target_epoch: i32) {
    let of = |partitions: &Partitions| partitions.values().flatten().map(|(p, _)| *p).collect::<BTreeSet<i32>>();
    let (before, revoking) = (of(&current.assigned), of(&current.pending_revocation));
    let (after, to_revoke) = (of(&next.assigned), of(&next.pending_revocation));
    assert!(after.is_disjoint(&to_revoke));
    assert!(!after.contains(&2), "another member owns it");
    assert!(to_revoke.iter().all(|partition| before.contains(partition) || revoking.contains(partition)));
    assert!(next.epoch == current.epoch || next.epoch == target_epoch);
    if next.epoch > current.epoch {
        let nothing = BTreeSet::new();
        let target = target.get(&TOPIC).filter(|_| subscribed).unwrap_or(&nothing);
        assert!(after.is_subset(target), "in the new epoch it has only what the target wants");
        assert!(to_revoke.is_empty() || current.state == MemberState::Unknown);
        assert_eq!(next.state == MemberState::UnreleasedPartitions, target.difference(&after).next().is_some());
    }
    if next.state == MemberState::UnrevokedPartitions && next != current {
        assert!(!to_revoke.is_empty());
    }
}
