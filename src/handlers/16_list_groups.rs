//! ListGroups (key 16), versions 0–5: every group that this broker coordinates.
//!
//! Versions: 3 flexible; 4 filter by state (KIP-518); 5 filter by type (KIP-848). A partition whose coordinator is not
//! here adds nothing; one that is being loaded makes the whole answer COORDINATOR_LOAD_IN_PROGRESS.
//!
//! Without Describe of the cluster, groups that the client may not describe are left out.

use super::{Outcome, Request, State};
use crate::coordinator::groups::{ListFilter, Listed};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::list_groups::{self as message, ListedGroup};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let filter =
        ListFilter::new(body.states_filter.iter().map(|word| &**word), body.types_filter.iter().map(|word| &**word));
    let (mut groups, mut barriers) = (Vec::new(), Vec::new());
    for coordinator in context.shared.coordinators().all(context.view) {
        let looked = coordinator.and_then(|coordinator| coordinator.look(|groups| groups.list(&filter)));
        match looked {
            Ok((listed, barrier)) => {
                groups.extend(listed);
                barriers.push(barrier);
            }
            Err(ErrorCode::NotCoordinator) => {}
            Err(error) => {
                return request.head.answer(&message::Response { error_code: error.code(), ..Default::default() });
            }
        }
    }
    if !request.may_cluster_silently(context, AclOperation::Describe) {
        let shows = |id: &str| request.may_silently(context, AclOperation::Describe, AclResource::Group, id);
        groups.retain(|group: &Listed| shows(&group.group_id));
    }
    let group = |group: Listed| ListedGroup {
        group_id: group.group_id.into(),
        protocol_type: group.protocol_type.into(),
        group_state: group.state.into(),
        group_type: group.group_type.into(),
    };
    let groups = groups.into_iter().map(group).collect();
    request.head.answer_behind(context, barriers, &message::Response { groups, ..Default::default() })
}
