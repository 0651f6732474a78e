//! DescribeGroups (key 15), versions 0–6: state and members of groups of the classic protocol.
//!
//! Versions: 3 authorized operations (KIP-430); 4 static members (KIP-345); 5 flexible; 6 GROUP_ID_NOT_FOUND and a
//! message for a group that is not there (KIP-1043), which is `Dead` without an error before. Needs Describe of each group.

use super::{Outcome, Request, State, group_job};
use crate::codec::Str;
use crate::coordinator::classic::{DescribedMember, Description};
use crate::model::{ErrorCode, Refusal};
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::describe_groups::{self as message, DescribedGroup, DescribedGroupMember};

/// The first version that says that there is no such group.
const NOT_FOUND_SINCE: i16 = 6;
/// The first version that can ask what may be done with a group.
const OPERATIONS_SINCE: i16 = 3;
const DEAD: &str = "Dead";

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let operations = body.include_authorized_operations && request.head.version >= OPERATIONS_SINCE;
    let mut barriers = Vec::new();
    let mut respond = |group_id: &Str<'_>| {
        if !request.may(context, AclOperation::Describe, AclResource::Group, group_id) {
            let error_code = ErrorCode::GroupAuthorizationFailed.code();
            return DescribedGroup { error_code, group_id: group_id.to_string().into(), ..Default::default() };
        }
        let looked = group_job::look(context, group_id, |groups| groups.describe_classic(group_id));
        let result = match looked {
            Ok((result, barrier)) => {
                barriers.push(barrier);
                result
            }
            Err(error) => Err(Refusal::of(error)),
        };
        let mut group = match result {
            Ok(description) => describe(description),
            Err(refusal) => refuse(refusal, request.head.version),
        };
        group.group_id = group_id.to_string().into();
        if operations && group.error_code == 0 {
            group.authorized_operations = request.operations(context, AclResource::Group, group_id);
        }
        group
    };
    let groups = match request.head.gather(body.groups.iter().map(&mut respond)) {
        Ok(groups) => groups,
        Err(early) => return early,
    };
    request.head.answer_behind(context, barriers, &message::Response { groups, ..Default::default() })
}

fn refuse(refusal: Refusal, version: i16) -> DescribedGroup<'static> {
    let not_found = refusal.error == ErrorCode::GroupIdNotFound;
    let told = version >= NOT_FOUND_SINCE;
    DescribedGroup {
        error_code: if not_found && !told { 0 } else { refusal.error.code() },
        error_message: refusal.message.filter(|_| told).map(Into::into),
        group_state: if not_found { DEAD.into() } else { "".into() },
        ..Default::default()
    }
}

fn describe(group: Description) -> DescribedGroup<'static> {
    DescribedGroup {
        group_state: group.state.into(),
        protocol_type: group.protocol_type.into(),
        protocol_data: group.protocol.into(),
        members: group.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}

fn member(member: DescribedMember) -> DescribedGroupMember<'static> {
    DescribedGroupMember {
        member_id: member.member_id.into(),
        group_instance_id: member.instance_id.map(Into::into),
        client_id: member.client_id.into(),
        client_host: member.client_host.into(),
        member_metadata: member.metadata.into(),
        member_assignment: member.assignment.into(),
    }
}
