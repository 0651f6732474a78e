//! DescribeCluster (key 60), versions 0–2: the cluster's id, its controller and its brokers (KIP-700).
//!
//! Versions: 1 says whether brokers or controllers are meant (KIP-919), here it is always the brokers; 2 may ask for
//! fenced brokers, too (KIP-1073): those that are in the metadata log and do not run. The controller is this broker; of
//! several that are played, the first that serves.

use super::{Outcome, Request, State, cluster_state};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::wire::api::describe_cluster::{self as message, DescribeClusterBroker};

/// `EndpointType`
const BROKER: i8 = 1;
const CONTROLLER: i8 = 2;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (error, message) = match body.endpoint_type {
        BROKER => return request.head.answer(&describe(context, request, &body)),
        // `AuthHelper.computeDescribeClusterResponse`
        CONTROLLER => (
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                .to_string(),
        ),
        other => (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")),
    };
    request.head.answer(&message::Response {
        error_code: error.code(),
        error_message: Some(message.into()),
        ..Default::default()
    })
}

fn describe<'r>(context: &'r Context<'_>, request: &'r Request<'_>, body: &message::Request) -> message::Response<'r> {
    let nodes = request.nodes(context);
    let mut brokers: Vec<_> = nodes
        .into_iter()
        .map(|node| DescribeClusterBroker {
            broker_id: node.id,
            host: node.host.into(),
            port: node.port,
            rack: node.rack.map(Into::into),
            is_fenced: false,
        })
        .collect();
    if body.include_fenced_brokers {
        brokers.extend(fenced(context, request.session.route.listener));
    }
    let mut response = message::Response {
        cluster_id: context.view.cluster_id().into(),
        controller_id: cluster_state::controller(context),
        brokers,
        ..Default::default()
    };
    if body.include_cluster_authorized_operations {
        response.cluster_authorized_operations = request.cluster_operations(context);
    }
    response
}

fn fenced<'r>(context: &'r Context<'_>, listener: usize) -> impl Iterator<Item = DescribeClusterBroker<'r>> {
    let listener = context.shared.endpoint(listener).map_or("", |endpoint| &endpoint.listener);
    let cast = context.shared.config.cast();
    let others = context.view.image.brokers().filter(move |b| b.fenced && (!cast.is_one() || !cast.plays(b.id)));
    others.filter_map(move |broker| {
        let endpoint = broker.endpoint(listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id,
            host: endpoint.host.as_str().into(),
            port: endpoint.port.into(),
            rack: broker.rack.as_deref().map(Into::into),
            is_fenced: true,
        })
    })
}
