//! Schedules: which harm comes to which moment of a run, as the fault rules that do it. Pure.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::moments::Moment;
use crate::stdx::random::Random;

/// What is done to a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Harm {
    /// It has its effect, and its connection is closed instead of the answer.
    AnswerLost,
    /// Its connection is closed, and it has no effect.
    CutBefore,
    /// The member that it names has left its group when it is handled, as when its session had ended.
    SessionExpired,
}

impl Harm {
    fn action(self) -> Value {
        match self {
            Harm::AnswerLost => json!({ "close": true, "after": true }),
            Harm::CutBefore => json!({ "close": true }),
            Harm::SessionExpired => json!({ "expire_member": true }),
        }
    }

    /// Those that tell something about a moment: an answer without an effect is lost as if it had not been asked for.
    fn of(moment: &Moment) -> impl Iterator<Item = Harm> {
        let harms = [
            (Harm::AnswerLost, moment.has_effect()),
            (Harm::CutBefore, true),
            (Harm::SessionExpired, moment.is_of_member()),
        ];
        harms.into_iter().filter(|(_, tells)| *tells).map(|(harm, _)| harm)
    }
}

/// A harm to a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Blow {
    pub(super) harm: Harm,
    /// Its place among the moments.
    pub(super) at: usize,
    pub(super) moment: Moment,
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.harm {
            Harm::AnswerLost => write!(f, "the answer to the {} is lost", self.moment),
            Harm::CutBefore => write!(f, "the connection is cut before the {}", self.moment),
            Harm::SessionExpired => write!(f, "the session has ended before the {}", self.moment),
        }
    }
}

/// Blows of one run, in the order of their moments.
pub(super) type Schedule = Vec<Blow>;

/// All blows, in the order of their moments.
pub(super) fn blows(moments: &[Moment]) -> Vec<Blow> {
    let of = |(at, moment): (usize, &Moment)| {
        Harm::of(moment).map(|harm| Blow { harm, at, moment: moment.clone() }).collect::<Vec<_>>()
    };
    moments.iter().enumerate().flat_map(of).collect()
}

/// As many as there may be, in their order: the first and the last, then those in between, as far from each other as they can be.
pub(super) fn spread<T>(all: Vec<T>, most: usize) -> Vec<T> {
    if all.len() <= most {
        return all;
    }
    let place = |number: usize| number * (all.len() - 1) / (most - 1).max(1);
    let chosen: BTreeSet<usize> = (0..most).map(place).collect();
    all.into_iter().enumerate().filter(|(at, _)| chosen.contains(at)).map(|(_, one)| one).collect()
}

/// Different sets of so many blows to different moments, drawn at random; as many as there may be, or there are.
pub(super) fn combinations(blows: &[Blow], size: usize, most: usize, seed: u64) -> Vec<Schedule> {
    /// Draws without anything new after which there is taken to be nothing new.
    const MOST_IDLE: usize = 1000;
    let mut random = Random::new(seed);
    let (mut seen, mut drawn, mut idle) = (BTreeSet::new(), Vec::new(), 0);
    while drawn.len() < most && idle < MOST_IDLE && size <= blows.len() {
        let mut places = BTreeSet::new();
        while places.len() < size {
            places.insert(random.below(blows.len() as u64) as usize);
        }
        let moments: BTreeSet<usize> = places.iter().map(|place| blows[*place].at).collect();
        if moments.len() == size && seen.insert(places.clone()) {
            drawn.push(places.into_iter().map(|place| blows[place].clone()).collect());
            idle = 0;
        } else {
            idle += 1;
        }
    }
    drawn
}

/// The rules that do it, as `/v1/faults` takes them.
pub(super) fn rules(schedule: &[Blow]) -> Vec<Value> {
    let rule = |(at, blow): (usize, &Blow)| {
        let moment = &blow.moment;
        // What a rule strikes, those behind it do not see.
        let hides = |other: &&Blow| other.at < blow.at && moment.kind.is_for(&other.moment.asked);
        let hidden = schedule[..at].iter().filter(hides).count() as u64;
        json!({
            "match": moment.kind.to_match(moment.nth.saturating_sub(hidden).max(1)),
            "action": blow.harm.action(),
            "count": 1,
        })
    };
    schedule.iter().enumerate().map(rule).collect()
}

/// Leaves out what is not needed for a failure, one after the other, until everything is. An error ends it.
pub(super) fn shrink<T: Clone>(
    failing: Vec<T>,
    mut still_fails: impl FnMut(&[T]) -> Result<bool, String>,
) -> Result<Vec<T>, String> {
    let mut shortest = failing;
    let mut at = 0;
    while shortest.len() > 1 && at < shortest.len() {
        let mut without = shortest.clone();
        without.remove(at);
        if still_fails(&without)? {
            // What was needed before may not be needed any more.
            (shortest, at) = (without, 0);
        } else {
            at += 1;
        }
    }
    Ok(shortest)
}

#[cfg(test)]
mod tests {
    use super::super::moments::tests::{asked, produce};
    use super::super::moments::{self, Asked};
    use std::sync::Arc;

    use super::*;
    use crate::replica::view::View;

    fn all(run: &[Asked]) -> Vec<Blow> {
        blows(&moments::common(run, run, &[]).moments)
    }

    #[test]
    fn each_moment_has_the_harms_that_tell_something() {
        let join = asked("JoinGroup", "c", json!({ "groupId": "g", "memberId": "" }));
        let commit = asked("OffsetCommit", "c", json!({ "groupId": "g", "memberId": "m" }));
        let leave = asked("LeaveGroup", "c", json!({ "groupId": "g", "memberId": "m" }));
        let find = asked("FindCoordinator", "c", json!({ "keyType": 0, "key": "g" }));
        let found = all(&[find, join, commit, leave]);
        let kinds: Vec<_> = found.iter().map(|blow| (blow.at, blow.harm)).collect();
        use Harm::{AnswerLost, CutBefore, SessionExpired};
        let expected = [
            (0, CutBefore),
            (1, AnswerLost),
            (1, CutBefore),
            (2, AnswerLost),
            (2, CutBefore),
            (2, SessionExpired),
            (3, AnswerLost),
            (3, CutBefore),
        ];
        assert_eq!(kinds, expected);
        let told = r#"the session has ended before the 1st OffsetCommit of the group g by "c""#;
        assert_eq!(found[5].to_string(), told);
        let words = json!({ "api": "OffsetCommit", "client_id": "c", "group": "g", "nth": 1 });
        assert_eq!(rules(&found[5..6]), [json!({ "match": words, "action": { "expire_member": true }, "count": 1 })]);
    }

    /// The broker's own rules strike what the schedule means.
    #[test]
    fn rules_strike_their_moments_though_one_hides_from_the_next() {
        use crate::faults::{Board, FaultRule, RequestFacts};
        use crate::model::{ApiKey, Instant};
        let run = [produce("p", "a"), produce("p", "b"), produce("p", "a"), produce("q.r", "a"), produce("p", "a")];
        let lost: Vec<_> = all(&run).into_iter().filter(|blow| blow.harm == Harm::AnswerLost).collect();
        let requests = [("p", "a"), ("p", "b"), ("p", "a"), ("q.r", "a"), ("p", "a")];
        for schedule in [vec![0, 2, 4], vec![1, 4], vec![3], vec![0, 1, 2, 3, 4]] {
            let chosen: Vec<_> = schedule.iter().map(|at| lost[*at].clone()).collect();
            let board = Board::default();
            let parsed = rules(&chosen).iter().map(|rule| FaultRule::parse(rule, Instant(0)).unwrap()).collect();
            board.add(parsed, &Arc::new(View::new("test")), Instant(0)).unwrap();
            let strikes = |(client_id, topic): (&str, &str)| {
                let body = json!({ "topicData": [{ "name": topic }] });
                let facts = RequestFacts {
                    broker: 1,
                    api: ApiKey::Produce,
                    version: 9,
                    client_id,
                    principal: Some(""),
                    body: &|| &body,
                    topic_of: &|_| None,
                };
                board.strike(&facts, Instant(0)).is_some()
            };
            let struck: Vec<_> = requests.into_iter().map(strikes).collect();
            let expected: Vec<_> = (0..requests.len()).map(|at| schedule.contains(&at)).collect();
            assert_eq!(struck, expected, "{schedule:?}");
        }
    }

    #[test]
    fn of_many_those_that_are_far_apart_are_tried() {
        assert_eq!(spread((0..5).collect(), 5), [0, 1, 2, 3, 4]);
        assert_eq!(spread((0..101).collect(), 5), [0, 25, 50, 75, 100]);
        assert_eq!(spread((0..9).collect(), 1), [0]);
        assert_eq!(spread(vec![1], 0), [0; 0]);
    }

    #[test]
    fn combinations_are_different_and_of_different_moments() {
        let blows = all(&[produce("p", "a"), produce("p", "a"), produce("p", "a")]);
        let pairs = combinations(&blows, 2, 1000, 7);
        let places: BTreeSet<Vec<_>> =
            pairs.iter().map(|pair| pair.iter().map(|blow| (blow.at, blow.harm)).collect()).collect();
        // Three pairs of moments, two harms each.
        assert_eq!((pairs.len(), places.len()), (12, 12));
        assert!(pairs.iter().all(|pair| pair[0].at < pair[1].at));
        assert_eq!(combinations(&blows, 2, 3, 7).len(), 3);
        assert_eq!(combinations(&blows, 4, 3, 7).len(), 0, "there are three moments");
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        let needs = |needed: &'static [i32]| {
            let mut runs = 0;
            let shortest = shrink((0..8).collect(), |some: &[i32]| {
                runs += 1;
                Ok(needed.iter().all(|one| some.contains(one)))
            });
            (shortest.unwrap(), runs)
        };
        assert_eq!(needs(&[3, 6]).0, [3, 6]);
        assert_eq!(needs(&[]).0.len(), 1, "one harm is the least");
        assert!(needs(&[0, 7]).1 < 64);
        assert_eq!(shrink(vec![1, 2], |_| Err("stopped".into())), Err("stopped".to_string()));
    }
}
