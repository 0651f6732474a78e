//! Answers of a group's coordinator that may come in a later step than their request.

use crate::model::ErrorCode;

/// An answer that was waited for.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    Join(JoinReply),
    Sync(SyncReply),
}

/// The answer to a JoinGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinReply {
    pub error: ErrorCode,
    pub generation_id: i32,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    pub member_id: String,
    /// The leader gets all members, the others none.
    pub members: Vec<JoinedMember>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedMember {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub metadata: Vec<u8>,
}

/// The answer to a SyncGroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncReply {
    pub error: ErrorCode,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub assignment: Vec<u8>,
}

impl JoinReply {
    /// What Kafka sends with an error: its defaults.
    pub fn refused(member_id: &str, error: ErrorCode) -> JoinReply {
        JoinReply {
            error,
            generation_id: -1,
            protocol_type: None,
            protocol_name: Some(String::new()),
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_string(),
            members: Vec::new(),
        }
    }
}

impl SyncReply {
    pub fn refused(error: ErrorCode) -> SyncReply {
        SyncReply { error, protocol_type: None, protocol_name: None, assignment: Vec::new() }
    }
}
