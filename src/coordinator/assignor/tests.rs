//! What holds for every assignment, whatever Kafka does; equality with Kafka is the matter of the suite `assignors`.

use super::*;
use proptest::prelude::*;

struct Topics(BTreeMap<TopicId, i32>);

impl TopicDescriber for Topics {
    fn partitions(&self, topic: TopicId) -> Option<i32> {
        self.0.get(&topic).copied()
    }

    fn racks(&self, _: TopicId, _: i32) -> Vec<String> {
        Vec::new()
    }
}

fn topic(number: u8) -> TopicId {
    let mut bytes = [number.wrapping_mul(37); 16];
    bytes[15] = number;
    crate::model::Uuid(bytes)
}

fn topics(partitions: &[i32]) -> Topics {
    Topics((0..).zip(partitions).map(|(number, partitions)| (topic(number), *partitions)).collect())
}

fn member(subscribed: &[u8]) -> MemberSpec {
    MemberSpec { subscribed_topics: subscribed.iter().map(|number| topic(*number)).collect(), ..MemberSpec::default() }
}

fn group(members: Vec<(&str, MemberSpec)>) -> BTreeMap<String, MemberSpec> {
    members.into_iter().map(|(id, spec)| (id.to_string(), spec)).collect()
}

fn sizes(assignments: &BTreeMap<String, Assignment>) -> Vec<usize> {
    assignments.values().map(|topics| topics.values().map(BTreeSet::len).sum()).collect()
}

#[test]
fn an_empty_group_and_an_empty_subscription_get_nothing() {
    for assignor in Assignor::ALL {
        for homogeneous in [true, false] {
            let none = BTreeMap::new();
            assert_eq!(assign(assignor, &GroupSpec { members: &none, homogeneous }, &topics(&[])), Ok(BTreeMap::new()));
            let one = group(vec![("a", member(&[]))]);
            let targets = assign(assignor, &GroupSpec { members: &one, homogeneous }, &topics(&[])).unwrap();
            assert_eq!(targets["a"], Assignment::new());
        }
    }
}

#[test]
fn names_are_kafkas() {
    assert_eq!(Assignor::parse("uniform"), Some(Assignor::Uniform));
    assert_eq!(Assignor::parse("range"), Some(Assignor::Range));
    assert_eq!(Assignor::parse("Range"), None);
}

#[test]
fn a_topic_that_is_not_there_is_an_error() {
    let members = group(vec![("a", member(&[0, 1]))]);
    let error = |assignor, homogeneous| {
        assign(assignor, &GroupSpec { members: &members, homogeneous }, &topics(&[3])).unwrap_err().to_string()
    };
    let uniform = format!("Members are subscribed to topic {} which doesn't exist in the topic metadata.", topic(1));
    for homogeneous in [true, false] {
        assert_eq!(error(Assignor::Uniform, homogeneous), uniform);
        assert_eq!(error(Assignor::Range, homogeneous), "Member is subscribed to a non-existent topic");
    }
}

#[test]
fn a_partition_that_is_not_there_is_an_error_where_subscriptions_differ() {
    for partition in [-1, 3, i32::MAX] {
        let mut specs = group(vec![("a", member(&[0])), ("b", member(&[]))]);
        specs.get_mut("a").unwrap().current.insert(topic(0), BTreeSet::from([partition]));
        let spec = GroupSpec { members: &specs, homogeneous: false };
        assert!(assign(Assignor::Uniform, &spec, &topics(&[3])).is_err());
    }
}

#[test]
fn range_gives_static_members_the_same_partition_numbers_of_every_topic() {
    let with_instance = |instance: &str| MemberSpec { instance_id: Some(instance.into()), ..member(&[0, 1]) };
    let members = group(vec![("a", member(&[0, 1])), ("b", with_instance("2")), ("c", with_instance("1"))]);
    let spec = GroupSpec { members: &members, homogeneous: true };
    let targets = assign(Assignor::Range, &spec, &topics(&[4, 4])).unwrap();
    for number in [0, 1] {
        assert_eq!(targets["c"][&topic(number)], BTreeSet::from([0, 1]));
        assert_eq!(targets["b"][&topic(number)], BTreeSet::from([2]));
        assert_eq!(targets["a"][&topic(number)], BTreeSet::from([3]));
    }
}

fn subscriptions() -> impl Strategy<Value = Vec<BTreeSet<u8>>> {
    prop::collection::vec(prop::collection::btree_set(0..5u8, 0..5), 1..12)
}

proptest! {
    #[test]
    fn everything_is_given_once_and_only_to_who_wants_it(
        before in subscriptions(), after in subscriptions(), partitions in prop::collection::vec(0..20i32, 5),
        assignor in prop::sample::select(&Assignor::ALL[..]),
    ) {
        let topics = topics(&partitions);
        let mut current = BTreeMap::<String, Assignment>::new();
        for wanted in [before, after] {
            let specs: BTreeMap<String, MemberSpec> = wanted.iter().enumerate().map(|(at, wanted)| {
                let id = format!("member-{at}");
                let current = current.get(&id).cloned().unwrap_or_default();
                let wanted: Vec<u8> = wanted.iter().copied().collect();
                (id, MemberSpec { current, ..member(&wanted) })
            }).collect();
            let homogeneous = wanted.iter().all(|other| *other == wanted[0]);
            current = assign(assignor, &GroupSpec { members: &specs, homogeneous }, &topics).unwrap();

            let mut given = BTreeSet::new();
            for (id, assignment) in &current {
                for (topic, partitions) in assignment {
                    prop_assert!(specs[id].subscribed_topics.contains(topic));
                    prop_assert!(!partitions.is_empty());
                    for partition in partitions {
                        prop_assert!(given.insert((*topic, *partition)), "given twice");
                    }
                }
            }
            let wanted: BTreeSet<u8> = wanted.into_iter().flatten().collect();
            let all: i32 = wanted.iter().map(|number| partitions[usize::from(*number)]).sum();
            prop_assert_eq!(given.len(), all as usize);
            if homogeneous && assignor == Assignor::Uniform {
                let sizes = sizes(&current);
                prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            }
        }
    }

    #[test]
    fn uniform_moves_nothing_without_need(count in 1..40usize, partitions in prop::collection::vec(0..50i32, 1..4)) {
        let topics = topics(&partitions);
        let wanted: Vec<u8> = (0..partitions.len() as u8).collect();
        let mut specs: BTreeMap<String, MemberSpec> = (0..count).map(|at| (format!("m{at}"), member(&wanted))).collect();
        for homogeneous in [true, false] {
            let first = assign(Assignor::Uniform, &GroupSpec { members: &specs, homogeneous }, &topics).unwrap();
            for (id, spec) in &mut specs {
                spec.current = first[id].clone();
            }
            let again = assign(Assignor::Uniform, &GroupSpec { members: &specs, homogeneous }, &topics).unwrap();
            prop_assert_eq!(first, again);
        }
    }
}

/// Ten thousand members and partitions: a quadratic step would take minutes.
#[test]
fn a_huge_group_is_no_matter() {
    let topics = topics(&[1000; 10]);
    let wanted: Vec<u8> = (0..10).collect();
    let id = |at: usize| format!("0b6c1f6e-4d4a-4b8e-9d0e-{at:012}");
    let mut specs: BTreeMap<String, MemberSpec> = (0..10_000).map(|at| (id(at), member(&wanted))).collect();
    for assignor in Assignor::ALL {
        for homogeneous in [true, false] {
            let targets = assign(assignor, &GroupSpec { members: &specs, homogeneous }, &topics).unwrap();
            assert_eq!(sizes(&targets).iter().sum::<usize>(), 10_000);
            for (id, spec) in &mut specs {
                spec.current = targets[id].clone();
            }
        }
    }
}
