//! Who this node's controllers are: so far itself, and alone. A configuration of a node among others stops the start.
//!
//! Kafka's own `server.properties` and images name one controller, this node, by `controller.quorum.voters` or
//! `controller.quorum.bootstrap.servers`; those start. The checks of the texts are `QuorumConfig`'s and `KafkaConfig`'s. A
//! bootstrap server has no node id: it is this node if its port is that of a controller listener and its host one of the
//! listeners' or one that `is_own_host` knows.

use super::Invalid;
use super::listeners::{self, Endpoint};
use super::settings::Settings;

/// The keys that this file judges.
pub(super) const KEYS: &[&str] = &["process.roles", VOTERS, BOOTSTRAP];

const VOTERS: &str = "controller.quorum.voters";
const BOOTSTRAP: &str = "controller.quorum.bootstrap.servers";
const CONTROLLER_NAMES: &str = "controller.listener.names";

/// Whether this node is a cluster of its own.
pub(super) fn check(settings: &Settings<'_>, is_own_host: impl Fn(&str) -> bool) -> Result<(), Invalid> {
    check_roles(settings)?;
    check_voters(settings)?;
    let own = Own::of(settings)?;
    for server in settings.list(BOOTSTRAP) {
        let Some((host, port)) = listeners::host_and_port(&server) else {
            return Err(Invalid::new(BOOTSTRAP, server, "a server is written host:port"));
        };
        if !own.has_port(port) || !(own.has_host(host) || is_own_host(host)) {
            let reason = "it is not the address of a controller listener of this node, and Klamm does not join other \
                          controllers yet: it would be a cluster of its own; name this node alone, or nothing";
            return Err(Invalid::new(BOOTSTRAP, server, reason));
        }
    }
    Ok(())
}

fn check_roles(settings: &Settings<'_>) -> Result<(), Invalid> {
    let roles = settings.list("process.roles");
    if ["broker", "controller"].iter().all(|role| roles.iter().any(|r| r == role)) {
        return Ok(());
    }
    let reason = "Klamm does not share a cluster's roles with other nodes yet: it would be a cluster of its own; say \
                  broker,controller if it is to be one";
    Err(Invalid::new("process.roles", roles.join(","), reason))
}

fn check_voters(settings: &Settings<'_>) -> Result<(), Invalid> {
    let node_id = settings.int("node.id");
    let voters = settings.list(VOTERS);
    for voter in &voters {
        let parsed = voter.split_once('@').and_then(|(id, address)| {
            listeners::host_and_port(address)?;
            id.trim().parse::<i32>().ok()
        });
        let Some(id) = parsed else {
            return Err(Invalid::new(VOTERS, voter, "Each entry should be in the form `{id}@{host}:{port}`."));
        };
        if id != node_id {
            let reason = format!(
                "node.id is {node_id}, and Klamm does not vote with other nodes yet: it would be a cluster of its own; \
                 name this node alone, or take the setting out"
            );
            return Err(Invalid::new(VOTERS, voters.join(","), reason));
        }
    }
    Ok(())
}

/// The addresses of this node.
struct Own {
    endpoints: Vec<Endpoint>,
    controllers: Vec<String>,
}

impl Own {
    fn of(settings: &Settings<'_>) -> Result<Own, Invalid> {
        let controllers: Vec<String> = settings.list(CONTROLLER_NAMES).iter().map(|n| n.to_uppercase()).collect();
        let listeners = settings.raw_or_default("listeners").unwrap_or_default();
        let mut endpoints = listeners::endpoints("listeners", listeners)?;
        if let Some(other) = controllers.iter().find(|name| !endpoints.iter().any(|e| e.name == **name)) {
            let reason = "it is not the name of one of the listeners, so the controllers are other nodes, which Klamm \
                          does not join yet: it would be a cluster of its own; add the listener, or take the name out";
            return Err(Invalid::new(CONTROLLER_NAMES, other, reason));
        }
        let advertised = settings.raw("advertised.listeners").unwrap_or_default();
        endpoints.extend(listeners::endpoints("advertised.listeners", advertised)?);
        Ok(Own { endpoints, controllers })
    }

    /// Where no controller listener is named, or the kernel chooses its port, every port may be its own.
    fn has_port(&self, port: u16) -> bool {
        let of_controller = |e: &&Endpoint| self.controllers.contains(&e.name);
        let mut ports = self.endpoints.iter().filter(of_controller).map(|e| e.port);
        self.controllers.is_empty() || ports.any(|own| own == port || own == 0)
    }

    fn has_host(&self, host: &str) -> bool {
        let is_loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let mut hosts = self.endpoints.iter().filter_map(|e| e.host.as_deref());
        is_loopback || hosts.any(|own| own.eq_ignore_ascii_case(host))
    }
}
