//! What a test does to the disk of a broker in memory, and to a batch of any log.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::control::Control;
use super::deeds::{Refused, failed};
use crate::io::memory_disk::DiskTrouble;
use crate::model::Offset;
use crate::shard::context::Shared;
use crate::storage::log::ReadError;

/// A sync takes no longer.
const MOST_SYNC_MS: u64 = 60_000;

/// What is said of the disk; what is not said stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct DiskDeed {
    full: Option<bool>,
    sync_ms: Option<u32>,
    syncs_fail: Option<bool>,
}

/// A batch, by an offset in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct BatchPlace {
    topic: String,
    partition: i32,
    offset: i64,
}

impl DiskDeed {
    pub(super) fn parse(of: &Map<String, Value>) -> Option<DiskDeed> {
        let mut deed = DiskDeed::default();
        for (name, value) in of {
            match name.as_str() {
                "full" => deed.full = Some(value.as_bool()?),
                "syncs_fail" => deed.syncs_fail = Some(value.as_bool()?),
                "sync_ms" => deed.sync_ms = Some(value.as_u64().filter(|ms| *ms <= MOST_SYNC_MS)? as u32),
                _ => return None,
            }
        }
        (deed != DiskDeed::default()).then_some(deed)
    }

    pub(super) fn perform(self, control: &Control) -> Result<Value, Refused> {
        let disk: Option<Arc<DiskTrouble>> = control.restarts().and_then(|restarts| restarts.disk());
        let Some(disk) = disk else {
            return Err((
                StatusCode::CONFLICT,
                "its data are on the disk: only those in memory can be troubled".into(),
            ));
        };
        self.full.iter().for_each(|is_full| disk.set_full(*is_full));
        self.sync_ms.iter().for_each(|ms| disk.set_sync_ms(*ms));
        self.syncs_fail.iter().for_each(|fail| disk.set_syncs_fail(*fail));
        Ok(json!({ "done": true }))
    }
}

impl BatchPlace {
    pub(super) fn parse(of: &Map<String, Value>) -> Option<BatchPlace> {
        let number = |key: &str| of.get(key)?.as_i64();
        let topic = of.get("topic")?.as_str().filter(|topic| !topic.is_empty())?.to_string();
        let partition = i32::try_from(number("partition")?).ok()?;
        (of.len() == 3).then_some(BatchPlace { topic, partition, offset: number("offset")? })
    }

    /// Breaks the batch. Blocks.
    pub(super) fn corrupt(&self, shared: &Shared) -> Result<Value, Refused> {
        let BatchPlace { topic, partition, offset } = self;
        let name = format!("{topic}-{partition}");
        let view = shared.view.load();
        let found = view.partition_by_name(topic, *partition);
        let found = found.map_err(|error| (StatusCode::NOT_FOUND, format!("{name} answers {error}")))?;
        match found.log.corrupt(Offset(*offset)) {
            Ok(Some(base)) => Ok(json!({ "base_offset": base.0 })),
            Ok(None) | Err(ReadError::OutOfRange(_)) => {
                Err((StatusCode::NOT_FOUND, format!("{name} has no batch with the offset {offset}")))
            }
            Err(error) => Err(failed(format!("{name}: {error}"))),
        }
    }
}
