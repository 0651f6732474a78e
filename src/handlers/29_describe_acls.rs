//! DescribeAcls (key 29), versions 1–3: which ACLs there are (KIP-140).
//!
//! Needs Describe of the cluster. Without an authorizer SECURITY_DISABLED, also where the metadata log holds ACLs
//! (`AclApis.handleDescribeAcls`). Answered in the order of the resources; Kafka's is that of a hash map. Versions: 1
//! prefixed patterns (KIP-290); 2 flexible; 3 users as resources (KIP-373).

use super::{Outcome, Request, State, acls};
use crate::security::access::AclOperation;
use crate::security::acl::{Acl, AclFilter};
use crate::shard::context::Context;
use crate::wire::api::describe_acls::{self as message, AclDescription, DescribeAclsResource};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let elements = [body.resource_type_filter, body.pattern_type_filter, body.operation, body.permission_type];
    if let Err(early) = acls::refuse_unknown(request, std::iter::once(elements)) {
        return early;
    }
    let without = "No Authorizer is configured on the broker";
    if let Err(refusal) = acls::refuse(context, request, AclOperation::Describe, without) {
        return request.head.answer(&message::Response {
            error_code: refusal.error.code(),
            error_message: refusal.message.map(Into::into),
            ..Default::default()
        });
    }
    let filter = filter(&body);
    let mut resources: Vec<DescribeAclsResource<'_>> = Vec::new();
    for acl in context.view.image.acls().filter(|acl| filter.matches(acl)) {
        match resources.last_mut().filter(|last| is_for(last, acl)) {
            Some(last) => last.acls.push(describe(acl)),
            None => resources.push(resource(acl)),
        }
    }
    request.head.answer(&message::Response { resources, ..Default::default() })
}

fn filter(body: &message::Request<'_>) -> AclFilter {
    AclFilter {
        resource_type: body.resource_type_filter,
        resource_name: body.resource_name_filter.as_ref().map(|name| name.to_string()),
        pattern_type: body.pattern_type_filter,
        principal: body.principal_filter.as_ref().map(|principal| principal.to_string()),
        host: body.host_filter.as_ref().map(|host| host.to_string()),
        operation: body.operation,
        permission_type: body.permission_type,
    }
}

fn is_for(resource: &DescribeAclsResource<'_>, acl: &Acl) -> bool {
    (resource.resource_type, resource.pattern_type) == (acl.resource_type, acl.pattern_type)
        && *resource.resource_name == *acl.resource_name
}

fn resource(acl: &Acl) -> DescribeAclsResource<'_> {
    DescribeAclsResource {
        resource_type: acl.resource_type,
        resource_name: acl.resource_name.as_str().into(),
        pattern_type: acl.pattern_type,
        acls: vec![describe(acl)],
    }
}

fn describe(acl: &Acl) -> AclDescription<'_> {
    AclDescription {
        principal: acl.principal.as_str().into(),
        host: acl.host.as_str().into(),
        operation: acl.operation,
        permission_type: acl.permission_type,
    }
}
