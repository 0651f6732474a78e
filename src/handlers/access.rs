//! What the client of a request may do, and how it is told that it may not (`AuthHelper`).
//!
//! Without an authorizer every client may do everything. A request is judged once, when it comes: what waits keeps what it
//! was told. What the broker asks itself for is not judged. Deviation: Kafka's sentence about the cluster has the whole
//! request with addresses of its memory in it, ours does not.

use std::net::SocketAddr;

use super::Request;
use crate::model::{ErrorCode, Refusal};
use crate::replica::view::View;
use crate::security::access::{AclOperation, AclResource};
use crate::security::acl::Subject;
use crate::security::authorizer::{Action, Audited, Authorizer, CLUSTER_NAME, Verdict};
use crate::security::principal::Principal;
use crate::shard::audit::tells_permissions;
use crate::shard::context::{Context, Shared};

/// The standard texts of what is refused (`Errors`), for answers that have one beside the code.
pub(super) const TOPIC_REFUSED: &str = "Topic authorization failed.";
pub(super) const GROUP_REFUSED: &str = "Group authorization failed.";
pub(super) const CLUSTER_REFUSED: &str = "Cluster authorization failed.";
pub(super) const TRANSACTIONAL_ID_REFUSED: &str = "Transactional Id authorization failed.";
/// The same of a request that cannot be meant.
pub(super) const INVALID_REQUEST: &str = "This most likely occurs because of a request being malformed by the client \
                                          library or the message was sent to an incompatible broker. See the broker logs \
                                          for more details.";

/// Whose rights count for what is looked at after the request was, or where there is no request at hand.
#[derive(Clone)]
pub(super) struct Asker {
    principal: Principal,
    peer: SocketAddr,
    is_own: bool,
}

/// Who asks, as rules know it, or the broker itself.
struct Who<'a> {
    subject: Subject<'a>,
    is_own: bool,
}

impl Who<'_> {
    /// The one place that says who is judged. `None`: everything is allowed.
    fn judge<'s>(&self, shared: &'s Shared) -> Option<&'s Authorizer> {
        shared.authorizer.as_ref().filter(|_| !self.is_own)
    }
}

/// `None`: nothing is judged.
fn decide<'a>(shared: &'a Shared, view: &'a View, who: &Who<'a>, action: &Action<'a>) -> Option<Verdict<'a>> {
    Some(who.judge(shared)?.authorize(view.image.acl_index(), &who.subject, action))
}

/// The same where the audit log is told nothing (`Action.logIfDenied`).
fn allows(shared: &Shared, view: &View, who: &Who<'_>, action: &Action<'_>) -> bool {
    decide(shared, view, who, action).is_none_or(|verdict| verdict.allows())
}

/// Which rules hold. What was seen to be allowed stays so while this is the same.
pub(super) fn rules_epoch(context: &Context<'_>) -> u64 {
    context.view.image.acl_index().epoch()
}

impl Request<'_> {
    fn who(&self) -> Who<'_> {
        Who { subject: self.session.subject(), is_own: self.session.is_own() }
    }

    /// Whether anything is asked at all.
    pub(super) fn is_judged(&self, context: &Context<'_>) -> bool {
        self.who().judge(context.shared).is_some()
    }

    /// Whether the client may do this with a resource.
    pub(super) fn may(
        &self,
        context: &Context<'_>,
        operation: AclOperation,
        resource: AclResource,
        name: &str,
    ) -> bool {
        let (who, action) = (self.who(), Action { operation, resource, name });
        if who.judge(context.shared).is_none() {
            return true;
        }
        let (allowed, epoch) = (&self.session.allowed, rules_epoch(context));
        // The audit log is told of each permission only where it is asked for.
        let is_kept = !tells_permissions();
        if is_kept && allowed.borrow().has(who.subject.principal, epoch, &action) {
            return true;
        }
        let Some(verdict) = decide(context.shared, context.view, &who, &action) else { return true };
        let request = self.head.description.key.name();
        let listener = context.shared.endpoint(self.session.route.listener).map_or("", |endpoint| &endpoint.listener);
        context.audit.tell(&Audited { who: who.subject, action, request, listener, verdict }, context.now);
        if is_kept && verdict.allows() {
            allowed.borrow_mut().keep(who.subject.principal, epoch, &action);
        }
        verdict.allows()
    }

    /// The same where the client did not ask for just this, so that a denial is nothing to be told of.
    pub(super) fn may_silently(
        &self,
        context: &Context<'_>,
        operation: AclOperation,
        resource: AclResource,
        name: &str,
    ) -> bool {
        let action = Action { operation, resource, name };
        allows(context.shared, context.view, &self.who(), &action)
    }

    /// Whether the client may do this with any resource of the kind (`AuthHelper.authorizeByResourceType`).
    pub(super) fn may_any(&self, context: &Context<'_>, operation: AclOperation, resource: AclResource) -> bool {
        let who = self.who();
        let Some(authorizer) = who.judge(context.shared) else { return true };
        authorizer.authorize_any(context.view.image.acl_index(), &who.subject, operation, resource)
    }

    pub(super) fn may_cluster(&self, context: &Context<'_>, operation: AclOperation) -> bool {
        self.may(context, operation, AclResource::Cluster, CLUSTER_NAME)
    }

    /// The same where it is enough and not needed.
    pub(super) fn may_cluster_silently(&self, context: &Context<'_>, operation: AclOperation) -> bool {
        self.may_silently(context, operation, AclResource::Cluster, CLUSTER_NAME)
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
        operations(context, &self.who(), resource, name)
    }

    /// The same of the cluster, where the client may be told of it; else 0.
    pub(super) fn cluster_operations(&self, context: &Context<'_>) -> i32 {
        match self.may_cluster(context, AclOperation::Describe) {
            true => self.operations(context, AclResource::Cluster, CLUSTER_NAME),
            false => 0,
        }
    }

    /// Whose rights count for what of the request is done later.
    pub(super) fn asker(&self) -> Asker {
        Asker { principal: self.session.principal.clone(), peer: self.session.peer, is_own: self.session.is_own() }
    }
}

impl Asker {
    fn who(&self) -> Who<'_> {
        Who { subject: Subject { principal: &self.principal, host: self.peer.into() }, is_own: self.is_own }
    }

    /// Whether the client may know of a topic that it did not name.
    pub(super) fn may_describe(&self, shared: &Shared, view: &View, topic: &str) -> bool {
        let action = Action { operation: AclOperation::Describe, resource: AclResource::Topic, name: topic };
        allows(shared, view, &self.who(), &action)
    }

    /// [`Request::operations`]
    pub(super) fn operations(&self, context: &Context<'_>, resource: AclResource, name: &str) -> i32 {
        operations(context, &self.who(), resource, name)
    }
}

fn operations(context: &Context<'_>, who: &Who<'_>, resource: AclResource, name: &str) -> i32 {
    if who.judge(context.shared).is_none() {
        return resource.operations();
    }
    let supported = AclOperation::ALL.into_iter().filter(|operation| resource.supports(*operation));
    let allowed = supported.filter(|operation| {
        let action = Action { operation: *operation, resource, name };
        allows(context.shared, context.view, who, &action)
    });
    allowed.fold(0, |bits, operation| bits | 1 << operation as i8)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Broker;
    use crate::codec::Message;
    use crate::config::AuthorizerSettings;
    use crate::model::ApiKey;
    use crate::security::access::AclResource;
    use crate::security::principal::Principal;
    use crate::shard::session::Session;
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

    /// What Apache Kafka answers without an authorizer.
    #[test]
    fn operations_are_kafkas() {
        let kinds = [AclResource::Topic, AclResource::Cluster, AclResource::Group];
        assert_eq!(kinds.map(AclResource::operations), [3576, 8096, 3400]);
    }

    #[test]
    fn the_broker_may_do_what_it_asks_itself_for() {
        use api::describe_cluster;
        let mut broker = broker();
        broker.session = Session::of_the_broker();
        let request = describe_cluster::Request { include_cluster_authorized_operations: true, ..Default::default() };
        let told: describe_cluster::Response<'_> = broker.ask(ApiKey::DescribeCluster, 0, &request);
        assert_eq!((told.error_code, told.cluster_authorized_operations), (0, 8096));
        let request = api::list_config_resources::Request::default();
        let told: api::list_config_resources::Response<'_> = broker.ask(ApiKey::ListConfigResources, 1, &request);
        assert_eq!(told.error_code, 0);
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
