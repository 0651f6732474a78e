//! How far clients have fetched a partition, by the journal of requests: a Fetch that asks from an offset on has got what is below.
//!
//! Each request is looked at once for a wait. A Fetch of a session names a partition again when its offset has moved, so that
//! none is missed but those that the journal does not keep.

use std::sync::Arc;

use serde_json::Value;

use crate::http::requests;
use crate::model::ApiKey;
use crate::shard::context::Shared;
use crate::shard::journal::RequestExchange;

/// What is waited for.
pub(super) struct FetchedWanted {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// `None`: any client.
    pub client_id: Option<String>,
}

#[derive(Default)]
pub(super) struct Fetched {
    /// The number of the next request of each shard.
    next: Vec<u64>,
    /// The furthest offset that was asked for.
    furthest: Option<i64>,
}

impl Fetched {
    /// Looks at what has come since; what is missing, as the end of a sentence.
    pub(super) async fn look(&mut self, shared: &Arc<Shared>, wanted: &FetchedWanted) -> Option<String> {
        self.next.resize(shared.journals.len(), 0);
        for (ring, next) in shared.journals.iter().zip(&mut self.next) {
            // Not what comes meanwhile: a shard may be faster than this look.
            let (end, _) = ring.counts();
            while *next < end && !wanted.holds(self.furthest) {
                let slice = ring.starting_at(*next, requests::SLICE);
                let Some(last) = slice.last() else { break };
                *next = last.number + 1;
                // Others have their turn between a few that are decoded.
                for few in slice.chunks(requests::FEW) {
                    let offsets = few.iter().filter_map(|exchange| wanted.offset_of(shared, exchange));
                    self.furthest = self.furthest.max(offsets.max());
                    tokio::task::yield_now().await;
                }
            }
        }
        (!wanted.holds(self.furthest)).then(|| self.missing(shared, wanted))
    }

    fn missing(&self, shared: &Shared, wanted: &FetchedWanted) -> String {
        let FetchedWanted { topic, partition, client_id, .. } = wanted;
        let client = client_id.as_ref().map_or("any client".to_string(), |id| format!("the client {id}"));
        let found = match self.furthest {
            None => format!("no Fetch of {topic}-{partition} by {client} is in the journal"),
            Some(offset) => {
                format!("{topic}-{partition} was fetched from the offset {offset} on by {client}, no further")
            }
        };
        match requests::forgotten(shared) {
            0 => found,
            forgotten => format!("{found}; {forgotten} requests are not kept"),
        }
    }
}

impl FetchedWanted {
    fn holds(&self, furthest: Option<i64>) -> bool {
        furthest.is_some_and(|furthest| furthest >= self.offset)
    }

    /// The offset from which on a request asks for the partition, if it is a Fetch of such a client that does.
    fn offset_of(&self, shared: &Shared, exchange: &RequestExchange) -> Option<i64> {
        let is_client = self.client_id.as_ref().is_none_or(|id| *id == exchange.client_id);
        if exchange.api != ApiKey::Fetch || !is_client {
            return None;
        }
        let body = requests::request_body(exchange)?;
        let view = shared.view.load();
        let is_topic = |topic: &&Value| {
            let mut names = ["topic", "topicId"].into_iter().filter_map(|field| topic[field].as_str());
            names.any(|name| view.image.is_topic(name, &self.topic))
        };
        let is_partition = |of: &&Value| of["partition"].as_i64() == Some(i64::from(self.partition));
        let topics = body["topics"].as_array()?.iter().filter(is_topic);
        let partitions = topics.filter_map(|topic| topic["partitions"].as_array()).flatten().filter(is_partition);
        partitions.filter_map(|of| of["fetchOffset"].as_i64()).max()
    }
}
