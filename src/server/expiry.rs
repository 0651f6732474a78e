//! A rule of a test ends a member's session: the broker lets the member leave, by a request of its own, and the request that
//! the rule has struck waits for that. Its member hears of it with the answer, as when its session had ended by itself.

use crate::faults::Struck;
use crate::handlers::Handler;
use crate::model::ApiKey;
use crate::server::Server;
use crate::server::faults::body_of;
use crate::server::inlet::{Asking, Inlet};
use crate::shard::inquiry::Tell;
use crate::wire::api::{consumer_group_heartbeat, leave_group};

const LEAVE_GROUP: i16 = 5;
const HEARTBEAT: i16 = 1;
/// `ConsumerGroupHeartbeatRequest.LEAVE_GROUP_MEMBER_EPOCH`
const LEAVES: i32 = -1;
const WHY: &str = "a rule of a test ends its session";

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
            true => {
                let leaving = leave_group::MemberIdentity {
                    member_id: member.into(),
                    reason: Some(WHY.into()),
                    ..leave_group::MemberIdentity::default()
                };
                let request = leave_group::Request {
                    group_id: group.into(),
                    members: vec![leaving],
                    ..leave_group::Request::default()
                };
                inlet.send_as_broker(ApiKey::LeaveGroup, LEAVE_GROUP, &request, tell)
            }
            false => {
                let request = consumer_group_heartbeat::Request {
                    group_id: group.into(),
                    member_id: member.into(),
                    member_epoch: LEAVES,
                    rebalance_timeout_ms: -1,
                    ..consumer_group_heartbeat::Request::default()
                };
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
