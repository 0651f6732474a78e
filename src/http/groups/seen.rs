//! What the journal of requests knows of a group's members: the last request of each kind by which consumers live and read.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::ApiKey;
use crate::shard::journal::{RequestExchange, Ring};

/// Exchanges that are copied under a ring's lock at once.
const SLICE: usize = 256;
/// What a consumer asks to live in its group and to read.
pub(super) const OF_CONSUMERS: [ApiKey; 8] = [
    ApiKey::Fetch,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::OffsetFetch,
    ApiKey::OffsetCommit,
    ApiKey::FindCoordinator,
];

/// The last request of each client, host and API. Members are known by client id and host: Fetch does not name them.
pub(super) struct Seen {
    /// Requests are kept at all.
    pub is_kept: bool,
    last: BTreeMap<(String, IpAddr, i16), Arc<RequestExchange>>,
}

impl Seen {
    pub fn of(journals: &[Arc<Ring>]) -> Seen {
        let mut last: BTreeMap<(String, IpAddr, i16), Arc<RequestExchange>> = BTreeMap::new();
        for ring in journals {
            // Not what comes meanwhile: a shard may be faster than this look.
            let (mut next, (end, _)) = (0, ring.counts());
            while next < end {
                let slice = ring.starting_at(next, SLICE);
                let Some(newest) = slice.last() else { break };
                next = newest.number + 1;
                for exchange in slice.into_iter().filter(|exchange| OF_CONSUMERS.contains(&exchange.api)) {
                    let key = (exchange.client_id.clone(), exchange.peer.ip().to_canonical(), exchange.api.id());
                    if last.get(&key).is_none_or(|known| known.came <= exchange.came) {
                        last.insert(key, exchange);
                    }
                }
            }
        }
        Seen { is_kept: !journals.is_empty(), last }
    }

    #[cfg(test)]
    pub fn with(exchanges: Vec<RequestExchange>) -> Seen {
        let key = |of: &RequestExchange| (of.client_id.clone(), of.peer.ip(), of.api.id());
        let last = exchanges.into_iter().map(|exchange| (key(&exchange), Arc::new(exchange)));
        Seen { is_kept: true, last: last.collect() }
    }

    /// The host is as a group describes it: `/127.0.0.1`.
    pub fn last(&self, client_id: &str, host: &str, api: ApiKey) -> Option<&Arc<RequestExchange>> {
        let address: IpAddr = host.trim_start_matches('/').parse().ok()?;
        self.last.get(&(client_id.to_string(), address.to_canonical(), api.id()))
    }
}
