//! Blocks of producer ids (`ProducerIdControlManager`).

use super::decision::Refusal;
use super::image::Image;
use super::record::{ProducerIdsRecord, Record};
use crate::model::ErrorCode;
use std::ops::Range;

/// `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`
pub const PRODUCER_ID_BLOCK_SIZE: i64 = 1000;
const _: () = assert!(PRODUCER_ID_BLOCK_SIZE > 0, "a block has ids");

/// The next block, which belongs to this broker alone once the record is committed.
pub fn allocate_producer_ids(image: &Image, broker_id: i32) -> Result<(Record<'static>, Range<i64>), Refusal> {
    let first = image.next_producer_id();
    let Some(next_producer_id) = first.checked_add(PRODUCER_ID_BLOCK_SIZE) else {
        return Err(Refusal::new(ErrorCode::UnknownServerError, "All producer ids have been given out"));
    };
    assert!(first < next_producer_id, "no id is given twice");
    let broker_epoch = image.broker(broker_id).map_or(-1, |broker| broker.epoch);
    let record = Record::ProducerIds(ProducerIdsRecord { broker_id, broker_epoch, next_producer_id });
    Ok((record, first..next_producer_id))
}
