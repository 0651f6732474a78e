//! Where Klamm differs from Apache Kafka on purpose: the one place that says so, with the reasons.

use crate::mask::Difference;

/// A difference that is known: the beginning of the case's name, what is different, and why.
pub struct Accepted {
    pub case: &'static str,
    is: fn(&Difference) -> bool,
    pub reason: &'static str,
}

impl Accepted {
    pub fn is_for(&self, case: &str, difference: &Difference) -> bool {
        case.starts_with(self.case) && (self.is)(difference)
    }
}

const fn accept(case: &'static str, is: fn(&Difference) -> bool, reason: &'static str) -> Accepted {
    Accepted { case, is, reason }
}

pub const ACCEPTED: &[Accepted] = &[
    accept(
        "DescribeQuorum",
        |difference| difference.path == "Nodes.Listeners",
        "the controller is in the broker and has no listener of its own",
    ),
    accept(
        "Metadata created",
        |difference| difference.theirs != 29 && difference.ours != 29,
        "Kafka makes the topic behind its answer, and says that it is not there; ours is there",
    ),
    accept(
        "FindCoordinator of share groups",
        |difference| difference.theirs != 31 && difference.ours != 31,
        "share groups are not built yet",
    ),
    accept(
        "Fetch follower",
        |difference| difference.theirs != 29 && difference.ours != 29,
        "there are no followers yet: a broker that may act as one is refused",
    ),
];
