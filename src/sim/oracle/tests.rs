//! The oracle is told wrong histories, one fault at a time, and must see each; and right ones, of which it must see
//! nothing.

use std::time::Duration;

use uuid::Uuid;

use super::groups::{Owned, Ownership};
use super::offsets::Offsets;
use super::records::{Id, Manner, Records, Seen};
use super::transactions::{Fate, Read, Shown, Transactions, Write};
use super::{Key, Wrong};
use crate::model::Instant;

const IDEMPOTENT: Manner = Manner { is_idempotent: true, is_ordered: true };
const PLAIN: Manner = Manner { is_idempotent: false, is_ordered: true };

fn id(producer: u32, number: u64) -> Id {
    Id { producer, number }
}

fn seen(offset: i64, number: u64) -> Seen {
    Seen { offset, id: id(0, number) }
}

/// A partition of which records 0..3 of producer 0 were acknowledged at offsets 0..3.
fn acknowledged(manner: Manner) -> Records {
    let mut records = Records::default();
    let ids: Vec<_> = (0..3).map(|number| id(0, number)).collect();
    ids.iter().for_each(|id| records.made(manner, *id, None));
    records.acknowledged(&ids, Some(0)).unwrap();
    records
}

fn whole(records: &mut Records, found: &[Seen]) -> Result<(), Wrong> {
    let end = found.last().map_or(0, |last| last.offset + 1);
    records.read_whole(found.first().map_or(0, |first| first.offset), end, found)
}

#[track_caller]
fn is_seen(result: Result<(), Wrong>, rule: &str) {
    assert_eq!(result.map_err(|wrong| wrong.0), Err(rule));
}

#[test]
fn what_is_right_is_not_blamed() {
    for manner in [IDEMPOTENT, PLAIN] {
        let mut records = acknowledged(manner);
        assert_eq!(records.fetched(1, 3, &[seen(1, 1), seen(2, 2)]), Ok(()));
        assert_eq!(whole(&mut records, &[seen(0, 0), seen(1, 1), seen(2, 2)]), Ok(()));
        assert_eq!(records.recovered(3, 3, false, false), Ok(()));
        assert_eq!(records.out_of_range(4), Ok(()));
    }
    // A plain producer's repetition.
    assert_eq!(whole(&mut acknowledged(PLAIN), &[seen(0, 0), seen(1, 1), seen(2, 2), seen(3, 2)]), Ok(()));
}

#[test]
fn a_lost_record_is_seen() {
    is_seen(whole(&mut acknowledged(PLAIN), &[seen(0, 0), seen(1, 1)]), "what was acknowledged is there");
    is_seen(whole(&mut acknowledged(PLAIN), &[]), "what was acknowledged is there");
    is_seen(acknowledged(PLAIN).recovered(2, 0, false, false), "a start finds what was promised");
    is_seen(acknowledged(PLAIN).recovered(2, 3, true, true), "a start finds what was promised");
    is_seen(acknowledged(PLAIN).out_of_range(2), "what nobody deleted is in range");
}

#[test]
fn what_may_be_lost_is_not_missed() {
    let mut records = acknowledged(PLAIN);
    assert_eq!(records.recovered(1, 1, true, true), Ok(()));
    assert_eq!(whole(&mut records, &[seen(0, 0)]), Ok(()));
    // Its offset is free again.
    records.made(PLAIN, id(0, 3), None);
    assert_eq!(records.acknowledged(&[id(0, 3)], Some(1)), Ok(()));
    // But what had been synced must be there.
    is_seen(whole(&mut records, &[seen(1, 3)]), "only what somebody deleted is gone");
}

#[test]
fn a_repetition_is_seen() {
    let twice = [seen(0, 0), seen(1, 1), seen(2, 2), seen(3, 2)];
    is_seen(whole(&mut acknowledged(IDEMPOTENT), &twice), "an idempotent record is there once");
    let mut records = acknowledged(IDEMPOTENT);
    is_seen(records.acknowledged(&[id(0, 2)], Some(3)), "an idempotent record is there once");
}

#[test]
fn a_damaged_snapshot_forgets_only_what_the_log_does_not_tell() {
    let mut records = acknowledged(IDEMPOTENT);
    records.note_damaged_snapshot();
    is_seen(records.acknowledged(&[id(0, 2)], Some(3)), "an idempotent record is there once");
    let mut records = acknowledged(IDEMPOTENT);
    records.is_compacted = true;
    records.note_damaged_snapshot();
    assert_eq!(records.acknowledged(&[id(0, 2)], Some(3)), Ok(()));
}

#[test]
fn another_order_is_seen() {
    let mut records = Records::default();
    (0..3).for_each(|number| records.made(IDEMPOTENT, id(0, number), None));
    is_seen(whole(&mut records, &[seen(0, 1), seen(1, 0), seen(2, 2)]), "a producer's order is kept");
    is_seen(acknowledged(PLAIN).fetched(0, 3, &[seen(0, 1), seen(1, 0), seen(2, 2)]), "an offset keeps its record");
}

#[test]
fn what_is_served_wrongly_is_seen() {
    let mut records = acknowledged(PLAIN);
    is_seen(records.fetched(0, 2, &[seen(0, 0), seen(1, 1), seen(2, 2)]), "nothing past the high watermark is served");
    is_seen(records.fetched(0, 3, &[seen(0, 0), seen(2, 2)]), "a fetch leaves nothing out");
    is_seen(records.fetched(1, 3, &[seen(0, 0)]), "a fetch leaves nothing out");
    is_seen(records.fetched(3, 4, &[seen(3, 9)]), "what is read was sent");
}

#[test]
fn deleted_records_may_be_gone_and_no_others() {
    let mut records = acknowledged(PLAIN);
    records.wants_deletion(1);
    assert_eq!(records.out_of_range(0), Ok(()));
    assert_eq!(whole(&mut records, &[seen(1, 1), seen(2, 2)]), Ok(()));
    is_seen(whole(&mut records, &[seen(2, 2)]), "only what somebody deleted is gone");
}

#[test]
fn the_last_record_of_a_key_stays_in_a_compacted_log() {
    let compacted = || {
        let mut records = Records::default();
        records.is_compacted = true;
        (0..3).for_each(|number| records.made(PLAIN, id(0, number), Some(number as u8 % 2)));
        records.acknowledged(&[id(0, 0), id(0, 1), id(0, 2)], Some(0)).unwrap();
        records
    };
    assert_eq!(whole(&mut compacted(), &[seen(1, 1), seen(2, 2)]), Ok(()));
    is_seen(whole(&mut compacted(), &[seen(0, 0), seen(2, 2)]), "what was acknowledged is there");
    is_seen(whole(&mut compacted(), &[seen(0, 0), seen(1, 1)]), "what was acknowledged is there");
}

#[test]
fn commits_that_are_forgotten_or_come_back_are_seen() {
    let slot = ("topic".to_string(), 0);
    let mut offsets = Offsets::default();
    let [first, second, third] = [(); 3].map(|()| offsets.next(&slot));
    offsets.acknowledged(&slot, first);
    offsets.acknowledged(&slot, second);
    let before = offsets.before(&slot);
    assert_eq!(offsets.fetched(&slot, before, second), Ok(()));
    assert_eq!(offsets.fetched(&slot, before, third), Ok(()), "it may have been taken");
    is_seen(offsets.fetched(&slot, before, first), "an acknowledged commit stays");
    is_seen(offsets.fetched(&slot, before, -1), "an acknowledged commit stays");
    is_seen(offsets.fetched(&slot, before, third + 1), "what is committed was sent");
    offsets.doubt();
    let before = offsets.before(&slot);
    assert_eq!(offsets.fetched(&slot, before, first), Ok(()), "its log has lost something");
    let before = offsets.before(&slot);
    is_seen(offsets.fetched(&slot, before, -1), "an acknowledged commit stays");
}

fn owned(partitions: &[i32]) -> Owned {
    partitions.iter().map(|partition| ("topic".to_string(), *partition)).collect()
}

#[test]
fn two_owners_are_seen() {
    let mut group = Ownership::default();
    assert_eq!(group.assigned(1, "a", &owned(&[0])), Ok(()));
    assert_eq!(group.assigned(1, "b", &owned(&[1])), Ok(()));
    assert_eq!(group.assigned(2, "b", &owned(&[0])), Ok(()));
    is_seen(group.assigned(2, "a", &owned(&[0])), "a partition has one owner in a generation");
    let at = |seconds: u64| Instant(0) + Duration::from_secs(seconds);
    assert_eq!(group.holds("a", 1, &owned(&[0, 1]), (at(0), at(3))), Ok(()));
    is_seen(group.holds("b", 2, &owned(&[1]), (at(2), at(5))), "a partition has one owner at a time");
    assert_eq!(group.holds("b", 2, &owned(&[1]), (at(3), at(6))), Ok(()), "the session of a is over");
    group.released("b");
    assert_eq!(group.holds("c", 3, &owned(&[1]), (at(4), at(7))), Ok(()));
    // The coordinator has forgotten who c is and gives what it has to d; c hears of it when it joins again.
    group.speaks("c");
    group.forget();
    assert_eq!(group.holds("d", 4, &owned(&[1]), (at(5), at(8))), Ok(()));
    assert_eq!(group.holds("c", 3, &owned(&[1]), (at(5), at(8))), Ok(()));
    // The coordinator hears of a join again that was answered on another connection.
    group.joins("f");
    group.joins("f");
    assert_eq!(group.holds("f", 5, &owned(&[1]), (at(5), at(8))), Ok(()));
    group.joins("e");
    is_seen(group.holds("e", 5, &owned(&[1]), (at(6), at(9))), "a partition has one owner at a time");
}

#[test]
fn a_settled_group_that_misses_or_shares_something_is_seen() {
    let members = |a: &[i32], b: &[i32]| [("a".to_string(), owned(a)), ("b".to_string(), owned(b))];
    let all = owned(&[0, 1, 2]);
    assert_eq!(Ownership::settled(&members(&[0, 1], &[2]), &all), Ok(()));
    is_seen(Ownership::settled(&members(&[0], &[2]), &all), "a settled group covers its subscription");
    is_seen(Ownership::settled(&members(&[0, 1], &[1, 2]), &all), "a settled group shares nothing");
}

// ---- Transactions ---------------------------------------------------------------------------------------------------------

const INPUT: Key = (Uuid::from_u128(1), 0);
const OUTPUT: Key = (Uuid::from_u128(2), 0);

fn write(transaction: u64, nth: u32) -> Write {
    Write { transaction, nth }
}

/// A transaction with one record in each of two partitions.
fn transaction(known: &mut Transactions, fate: Fate) -> u64 {
    let number = known.begin();
    known.writes(write(number, 0), INPUT, None);
    known.writes(write(number, 1), OUTPUT, None);
    known.becomes(number, fate);
    number
}

fn shown(known: &mut Transactions, key: Key, (stable, end): (i64, i64), records: &[Read]) -> Result<(), &'static str> {
    let shown = Shown { reader: 1, is_committed: true, high_watermark: end, last_stable_offset: stable, records };
    known.shown(key, &shown).map_err(|wrong| wrong.0)
}

#[test]
fn a_reader_is_shown_what_is_decided_only() {
    let mut known = Transactions::default();
    let (open, asked) = (transaction(&mut known, Fate::Aborted), transaction(&mut known, Fate::Unknown));
    let mut show = |key, ends, offset, write| shown(&mut known, key, ends, &[(offset, write)]);
    assert_eq!(show(INPUT, (5, 5), 0, write(asked, 0)), Ok(()));
    assert_eq!(show(INPUT, (5, 5), 0, write(asked, 1)), Err("what is read was sent"), "it is of another partition");
    assert_eq!(show(INPUT, (5, 5), 0, write(7, 0)), Err("what is read was sent"));
    assert_eq!(show(INPUT, (5, 5), 1, write(open, 0)), Err("nothing of an aborted transaction is seen"));
    assert_eq!(show(OUTPUT, (3, 5), 3, write(asked, 1)), Err("no reader passes what is stable"));
    assert_eq!(show(OUTPUT, (6, 5), 3, write(asked, 1)), Err("what is stable is committed"));
    assert_eq!(show(INPUT, (4, 5), 0, write(asked, 0)), Err("what was stable stays so"));
    assert_eq!(show(INPUT, (5, 5), 2, write(asked, 0)), Err("a write is there once"));
}

#[test]
fn a_torn_transaction_is_found() {
    let whole = |fate, is_in_input: bool, is_in_output: bool| {
        let mut known = Transactions::default();
        let number = transaction(&mut known, Fate::Unknown);
        let (input, output) = ([(0, write(number, 0))], [(0, write(number, 1))]);
        shown(&mut known, INPUT, (9, 9), if is_in_input { &input } else { &[] }).unwrap();
        shown(&mut known, OUTPUT, (9, 9), if is_in_output { &output } else { &[] }).unwrap();
        known.becomes(number, fate);
        known.check_whole(1).is_ok()
    };
    let all = [(false, false), (true, false), (false, true), (true, true)];
    let of = |fate| all.map(|(input, output)| whole(fate, input, output));
    assert_eq!(of(Fate::Committed), [false, false, false, true]);
    assert_eq!(of(Fate::Unknown), [true, false, false, true]);
    assert_eq!(of(Fate::Aborted), [true, false, false, false]);
}

#[test]
fn an_input_that_is_lost_or_processed_twice_is_found() {
    let processed = |offsets: &[i64]| {
        let mut known = Transactions::default();
        let source = known.begin();
        known.writes(write(source, 0), INPUT, None);
        known.writes(write(source, 1), INPUT, None);
        known.becomes(source, Fate::Committed);
        shown(&mut known, INPUT, (9, 9), &[(0, write(source, 0)), (1, write(source, 1))]).unwrap();
        for (at, offset) in (0..).zip(offsets) {
            let of_loop = known.begin();
            known.writes(write(of_loop, 0), OUTPUT, Some((INPUT, *offset)));
            known.becomes(of_loop, Fate::Committed);
            shown(&mut known, OUTPUT, (9, 9), &[(at, write(of_loop, 0))]).unwrap();
        }
        known.check_whole(1).unwrap();
        known.check_loop(1, |key| key == INPUT).is_ok()
    };
    assert!(processed(&[0, 1]) && processed(&[1, 0]));
    assert!(!processed(&[0]) && !processed(&[0, 1, 1]) && !processed(&[0, 1, 2]));
}
