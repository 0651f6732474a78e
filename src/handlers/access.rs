//! What the client of a request may do, and how it is told that it may not (`AuthHelper`).
//!
//! Without an authorizer every client may do everything. Deviation: Kafka's sentence about the cluster has the whole
//! request with addresses of its memory in it, ours does not.

use super::Request;
use crate::model::{ErrorCode, Refusal};
use crate::security::access::{AclOperation, AclResource};
use crate::security::authorizer::{Action, Audited, CLUSTER_NAME, Verdict};
use crate::shard::context::Context;

impl Request<'_> {
    /// Whether the client may do this with a resource.
    pub(super) fn may(
        &self,
        context: &Context<'_>,
        operation: AclOperation,
        resource: AclResource,
        name: &str,
    ) -> bool {
        let action = Action { operation, resource, name };
        let Some(verdict) = self.decide(context, action) else { return true };
        let (session, request) = (self.session, self.head.description.key.name());
        let listener = context.shared.endpoint(session.listener).map_or("", |endpoint| &endpoint.listener);
        context.audit.tell(&Audited { who: session.subject(), action, request, listener, verdict }, context.now);
        verdict.allows()
    }

    /// `None`: there is no authorizer.
    fn decide<'a>(&'a self, context: &'a Context<'_>, action: Action<'a>) -> Option<Verdict<'a>> {
        let authorizer = context.shared.authorizer.as_ref()?;
        Some(authorizer.authorize(context.view.image.acl_index(), &self.session.subject(), &action))
    }

    pub(super) fn may_cluster(&self, context: &Context<'_>, operation: AclOperation) -> bool {
        self.may(context, operation, AclResource::Cluster, CLUSTER_NAME)
    }

    /// `AuthHelper.authorizeClusterOperation`
    pub(super) fn must_cluster(&self, context: &Context<'_>, operation: AclOperation) -> Result<(), Refusal> {
        match self.may_cluster(context, operation) {
            true => Ok(()),
            false => {
                let needed = operation.name();
                let reason = format!("The request needs {needed} permission.");
                Err(Refusal::new(ErrorCode::ClusterAuthorizationFailed, reason))
            }
        }
    }

    /// What the client may do with a resource, one bit each (KIP-430).
    pub(super) fn operations(&self, context: &Context<'_>, resource: AclResource, name: &str) -> i32 {
        let supported = AclOperation::ALL.into_iter().filter(|operation| resource.supports(*operation));
        let may = |operation| self.decide(context, Action { operation, resource, name }).is_none_or(|v| v.allows());
        let allowed = supported.filter(|operation| may(*operation));
        allowed.fold(0, |bits, operation| bits | 1 << operation as i8)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Broker;
    use crate::codec::Message;
    use crate::config::AuthorizerSettings;
    use crate::model::ApiKey;
    use crate::security::principal::Principal;
    use crate::wire::api;

    const REFUSED: i16 = 31;

    /// A broker with a super user `admin`.
    fn broker() -> Broker {
        let super_users = vec!["User:admin".to_string()];
        Broker::start_with(&[], Some(AuthorizerSettings { super_users, allow_everyone_if_no_acl_found: false }))
    }

    /// What a client is answered that may do nothing, and what one that may do everything.
    fn both<'m, R: Message<'static>>(key: ApiKey, version: i16, body: &impl Message<'m>) -> (R, R) {
        let mut broker = broker();
        let denied = broker.ask(key, version, body);
        broker.session.principal = Principal::new(Principal::USER, "admin");
        (denied, broker.ask(key, version, body))
    }

    #[test]
    fn the_cluster_answers_those_who_may_ask() {
        use api::{describe_log_dirs, describe_quorum, list_config_resources, unregister_broker};
        let request = list_config_resources::Request::default();
        let (denied, told): (list_config_resources::Response<'_>, list_config_resources::Response<'_>) =
            both(ApiKey::ListConfigResources, 1, &request);
        assert_eq!((denied.error_code, denied.config_resources.len(), told.error_code), (REFUSED, 0, 0));
        assert!(!told.config_resources.is_empty());

        let request = describe_log_dirs::Request::default();
        let (denied, told): (describe_log_dirs::Response<'_>, describe_log_dirs::Response<'_>) =
            both(ApiKey::DescribeLogDirs, 3, &request);
        assert_eq!((denied.error_code, denied.results.len(), told.error_code, told.results.len()), (REFUSED, 0, 0, 1));
        // Before version 3 there is no place for the error.
        let (denied, _): (describe_log_dirs::Response<'_>, describe_log_dirs::Response<'_>) =
            both(ApiKey::DescribeLogDirs, 2, &request);
        assert_eq!(denied.results.len(), 0);

        let request = describe_quorum::Request::default();
        for version in 0..=2 {
            let (denied, told): (describe_quorum::Response<'_>, describe_quorum::Response<'_>) =
                both(ApiKey::DescribeQuorum, version, &request);
            let message = (version == 2).then_some("Cluster authorization failed.");
            let said = denied.error_message.as_deref().filter(|said| !said.is_empty());
            assert_eq!((denied.error_code, said), (REFUSED, message));
            assert_eq!((denied.topics.len(), told.error_code), (0, 0));
        }

        let request = unregister_broker::Request { broker_id: 7 };
        let (denied, told): (unregister_broker::Response<'_>, unregister_broker::Response<'_>) =
            both(ApiKey::UnregisterBroker, 0, &request);
        let message = denied.error_message.as_deref();
        assert_eq!((denied.error_code, message), (REFUSED, Some("The request needs ALTER permission.")));
        assert_ne!(told.error_code, REFUSED);
    }

    #[test]
    fn only_what_is_allowed_is_told_as_allowed() {
        use api::describe_cluster;
        let request = describe_cluster::Request { include_cluster_authorized_operations: true, ..Default::default() };
        let (denied, told): (describe_cluster::Response<'_>, describe_cluster::Response<'_>) =
            both(ApiKey::DescribeCluster, 0, &request);
        assert_eq!((denied.cluster_authorized_operations, told.cluster_authorized_operations), (0, 8096));
        // The brokers are told to all.
        assert_eq!((denied.error_code, denied.brokers.len()), (0, 1));
    }
}
