//! Every row of the table with each of its needs: a client that lacks just this one is answered otherwise than one that lacks
//! none. So no handler is without its check.

mod requests;

use super::*;
use crate::handlers::table::{HANDLERS, Need};
use crate::handlers::tests::delegation_tokens::{KEY, SASL};
use crate::security::access::AclOperation::*;
use crate::security::access::AclResource::*;

/// What is as good as each other: a client lacks one of these when it lacks all.
const ALTERNATIVES: &[(ApiKey, &[Need])] = &[
    (ApiKey::Metadata, &[(Create, Cluster), (Create, Topic)]),
    (ApiKey::ListGroups, &[(Describe, Cluster), (Describe, Group)]),
    (ApiKey::CreateTopics, &[(Create, Cluster), (Create, Topic)]),
    (ApiKey::DeleteTopics, &[(Delete, Cluster), (Delete, Topic)]),
    (ApiKey::InitProducerId, &[(IdempotentWrite, Cluster), (Write, Topic)]),
    (ApiKey::OffsetForLeaderEpoch, &[(ClusterAction, Cluster), (Describe, Topic)]),
    (ApiKey::DescribeDelegationToken, &[(Describe, DelegationToken), (DescribeTokens, User)]),
    (ApiKey::WriteTxnMarkers, &[(Alter, Cluster), (ClusterAction, Cluster)]),
];

const RESOURCES: [AclResource; 6] = [Topic, Group, Cluster, TransactionalId, DelegationToken, User];

fn needs() -> impl Iterator<Item = (ApiKey, Need)> {
    HANDLERS.iter().flat_map(|handler| handler.needs.iter().map(|need| (handler.key, *need)))
}

/// What a client must lack besides, so that the need counts.
fn others(key: ApiKey, need: Need) -> Vec<Need> {
    let mut others = Vec::new();
    for (_, all) in ALTERNATIVES.iter().filter(|(of, all)| *of == key && all.contains(&need)) {
        others.extend(all.iter().copied().filter(|other| *other != need));
    }
    // A topic that may be described is described before it is deleted.
    if (key, need) == (ApiKey::DeleteTopics, (Describe, Topic)) {
        others.push((Delete, Cluster));
    }
    others
}

/// What a client is answered that may do everything but this.
fn answer(key: ApiKey, need: Need, lacks: &[Need]) -> Vec<u8> {
    let own = [("unstable.api.versions.enable", "true"), ("transaction.two.phase.commit.enable", "true"), KEY];
    // Delegation tokens are for those who have logged in.
    let mut broker = start_with(&[SASL, &own].concat());
    requests::prepare(&mut broker, key);
    for resource in RESOURCES {
        AclOperation::ALL.into_iter().for_each(|operation| broker.allow(operation, resource, EVERY));
    }
    lacks.iter().for_each(|(operation, resource)| broker.deny(*operation, *resource, EVERY));
    requests::ask(&mut broker, key, need)
}

#[test]
fn no_need_of_any_row_is_left_unasked() {
    let mut unasked = Vec::new();
    for (key, need) in needs() {
        let others = others(key, need);
        let lacks = [&others[..], &[need]].concat();
        let (with, again, without) =
            (answer(key, need, &others), answer(key, need, &others), answer(key, need, &lacks));
        assert_eq!(with, again, "{key}: what is compared depends on chance");
        if with == without {
            unasked.push((key, need));
        }
    }
    assert_eq!(unasked, [], "the answers do not depend on these");
}
