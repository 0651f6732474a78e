//! What can be done with what, in the numbers of Kafka's ACLs (`AclOperation`, `ResourceType`).

/// An operation that an ACL allows or denies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i8)]
pub enum AclOperation {
    Read = 3,
    Write = 4,
    Create = 5,
    Delete = 6,
    Alter = 7,
    Describe = 8,
    ClusterAction = 9,
    DescribeConfigs = 10,
    AlterConfigs = 11,
    IdempotentWrite = 12,
    CreateTokens = 13,
    DescribeTokens = 14,
    TwoPhaseCommit = 15,
}

impl AclOperation {
    pub const ALL: [AclOperation; 13] = [
        AclOperation::Read,
        AclOperation::Write,
        AclOperation::Create,
        AclOperation::Delete,
        AclOperation::Alter,
        AclOperation::Describe,
        AclOperation::ClusterAction,
        AclOperation::DescribeConfigs,
        AclOperation::AlterConfigs,
        AclOperation::IdempotentWrite,
        AclOperation::CreateTokens,
        AclOperation::DescribeTokens,
        AclOperation::TwoPhaseCommit,
    ];

    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            AclOperation::Read => "READ",
            AclOperation::Write => "WRITE",
            AclOperation::Create => "CREATE",
            AclOperation::Delete => "DELETE",
            AclOperation::Alter => "ALTER",
            AclOperation::Describe => "DESCRIBE",
            AclOperation::ClusterAction => "CLUSTER_ACTION",
            AclOperation::DescribeConfigs => "DESCRIBE_CONFIGS",
            AclOperation::AlterConfigs => "ALTER_CONFIGS",
            AclOperation::IdempotentWrite => "IDEMPOTENT_WRITE",
            AclOperation::CreateTokens => "CREATE_TOKENS",
            AclOperation::DescribeTokens => "DESCRIBE_TOKENS",
            AclOperation::TwoPhaseCommit => "TWO_PHASE_COMMIT",
        }
    }
}

/// A kind of thing that ACLs protect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i8)]
pub enum AclResource {
    Topic = 2,
    Group = 3,
    Cluster = 4,
    TransactionalId = 5,
    DelegationToken = 6,
    User = 7,
}

impl AclResource {
    pub const ALL: [AclResource; 6] = [
        AclResource::Topic,
        AclResource::Group,
        AclResource::Cluster,
        AclResource::TransactionalId,
        AclResource::DelegationToken,
        AclResource::User,
    ];

    pub fn from_id(id: i8) -> Option<AclResource> {
        AclResource::ALL.into_iter().find(|resource| *resource as i8 == id)
    }

    /// Kafka's word for it in log lines (`SecurityUtils.resourceTypeName`).
    pub const fn name(self) -> &'static str {
        match self {
            AclResource::Topic => "Topic",
            AclResource::Group => "Group",
            AclResource::Cluster => "Cluster",
            AclResource::TransactionalId => "TransactionalId",
            AclResource::DelegationToken => "DelegationToken",
            AclResource::User => "User",
        }
    }

    /// Whether Kafka knows the operation for this kind of resource (`AclEntry.supportedOperations`).
    pub const fn supports(self, operation: AclOperation) -> bool {
        use AclOperation::*;
        match self {
            AclResource::Topic => {
                matches!(operation, Read | Write | Create | Delete | Alter | Describe | DescribeConfigs | AlterConfigs)
            }
            AclResource::Group => matches!(operation, Read | Delete | Describe | DescribeConfigs | AlterConfigs),
            AclResource::Cluster => matches!(
                operation,
                Create | Alter | Describe | ClusterAction | DescribeConfigs | AlterConfigs | IdempotentWrite
            ),
            AclResource::TransactionalId => matches!(operation, Write | Describe | TwoPhaseCommit),
            AclResource::DelegationToken => matches!(operation, Describe),
            AclResource::User => matches!(operation, CreateTokens | DescribeTokens),
        }
    }

    /// All operations that there are for it, one bit each, as authorized operations are told (KIP-430).
    pub const fn operations(self) -> i32 {
        let (mut bits, mut at) = (0, 0);
        while at < AclOperation::ALL.len() {
            if self.supports(AclOperation::ALL[at]) {
                bits |= 1 << AclOperation::ALL[at] as i8;
            }
            at += 1;
        }
        bits
    }
}

/// An operation on a resource.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    pub operation: AclOperation,
    pub resource: AclResource,
    pub name: &'a str,
}
