//! The requests by which the broker lets a member leave, as when the member's session had ended: for rules and deeds of a test.
//!
//! A request that a rule has struck waits for that. Its member hears of it with the answer.

use crate::coordinator::consumer::LEAVE_EPOCH;
use crate::faults::Struck;
use crate::handlers::Handler;
use crate::model::ApiKey;
use crate::server::Server;
use crate::server::faults::body_of;
use crate::server::inlet::{Asking, Inlet};
use crate::shard::inquiry::Tell;
use crate::wire::api::{consumer_group_heartbeat, leave_group};

/// The versions of the requests.
pub const LEAVE_GROUP: i16 = 5;
pub const HEARTBEAT: i16 = 1;
const WHY: &str = "a test wants it";

/// A member of a classic group leaves.
pub fn leave_request<'a>(group: &'a str, member: &'a str) -> leave_group::Request<'a> {
    let leaving = leave_group::MemberIdentity {
        member_id: member.into(),
        reason: Some(WHY.into()),
        ..leave_group::MemberIdentity::default()
    };
    leave_group::Request { group_id: group.into(), members: vec![leaving], ..leave_group::Request::default() }
}

/// A member of the consumer protocol leaves.
pub fn leave_heartbeat<'a>(group: &'a str, member: &'a str) -> consumer_group_heartbeat::Request<'a> {
    consumer_group_heartbeat::Request {
        group_id: group.into(),
        member_id: member.into(),
        member_epoch: LEAVE_EPOCH,
        rebalance_timeout_ms: -1,
        ..consumer_group_heartbeat::Request::default()
    }
}

impl Server {
    /// Lets the member leave that a request names; the rule is released when that is done. An error is a sentence: nothing
    /// happens then.
    pub(super) fn expire_member(&self, row: &'static Handler, frame: &[u8], struck: &Struck) -> Result<Asking, String> {
        let body = body_of(row, frame)?;
        let name = |field: &str| body[field].as_str().filter(|name| !name.is_empty());
        let (Some(group), Some(member)) = (name("groupId"), name("memberId")) else {
            return Err(format!("a request of {} names no member that could be expired", row.key));
        };
        let shared = &self.turn.shared;
        let (board, rule) = (shared.faults.clone().ok_or("there are no rules")?, struck.rule);
        // Whatever has become of it: the member may have gone before.
        let tell: Tell = Box::new(move |_| {
            board.release(Some(rule));
        });
        let inlet = Inlet::new(shared, self.turn.shard);
        match self.is_classic(group)? {
            true => inlet.send_as_broker(ApiKey::LeaveGroup, LEAVE_GROUP, &leave_request(group, member), tell),
            false => {
                let request = leave_heartbeat(group, member);
                inlet.send_as_broker(ApiKey::ConsumerGroupHeartbeat, HEARTBEAT, &request, tell)
            }
        }
    }

    fn is_classic(&self, group: &str) -> Result<bool, String> {
        let coordinator = self.turn.shared.coordinators().of_key(&self.turn.view, group);
        let looked = coordinator.and_then(|coordinator| coordinator.look(|groups| groups.describe_classic(group)));
        let (described, _) = looked.map_err(|error| format!("the coordinator of {group} answers {error}"))?;
        Ok(described.is_ok())
    }
}
