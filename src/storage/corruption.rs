//! A batch that is broken on purpose, for tests of what finds it.

use std::io::{ErrorKind, IoSlice};
use std::sync::Weak;

use super::error::Error;
use super::log::{Log, ReadError};
use super::view::View;
use crate::model::Offset;

impl Log {
    /// Changes the last byte of the stored batch that has this offset, so that its checksum does not fit, and forgets what is in
    /// memory of it. Answers the batch's first offset; `None`: no batch has that offset yet. Blocks.
    pub fn corrupt(&self, offset: Offset) -> Result<Option<Offset>, ReadError> {
        let mut writer = self.lock_writer().map_err(ReadError::Storage)?;
        let Some(slice) = self.read(offset, self.log_end_offset(), 1, true)? else { return Ok(None) };
        assert!(slice.length > 0, "one batch is asked for at least");
        let (mut last, at) = ([0], slice.position.0 + slice.length - 1);
        let read = slice.file.read_at(&mut last, at);
        let changed = read.and_then(|length| match length {
            1 => slice.file.write_at(&[IoSlice::new(&[!last[0]])], at),
            _ => Err(ErrorKind::UnexpectedEof.into()),
        });
        changed.map_err(|cause| ReadError::Storage(Error::io("change a batch of", self.directory())(cause)))?;
        let view = self.view.load_full();
        self.publish(&mut writer, View { recent: Weak::new(), ..(*view).clone() });
        Ok(Some(slice.base_offset))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::log::{Admission, Checkpointed, Identity, LogConfig, Origin};
    use super::*;
    use crate::io::disk::Disk;
    use crate::io::simulated_disk::SimulatedDisk;
    use crate::model::{LeaderEpoch, PartitionIndex, TimestampMs, TopicId};
    use crate::record::batches::Batches;
    use crate::record::builder::{Builder, Options, Record};

    #[test]
    fn one_batch_is_broken_and_its_neighbours_are_not() {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::default());
        let identity = Identity { topic: "t".into(), partition: PartitionIndex(0), topic_id: TopicId::ONE };
        let config = LogConfig::default();
        let log = Log::open(
            disk,
            "/data/t-0".into(),
            config,
            identity,
            Checkpointed { log_start_offset: Offset(0), recovery_point: Offset(0), clean: false },
            TimestampMs(5),
        )
        .unwrap();
        let mut kept = Vec::new();
        for value in [b"a", b"b", b"c"] {
            let mut batch = Builder::new(Options::default());
            batch.append(&Record { timestamp: TimestampMs(1), value: Some(value), ..Record::default() });
            log.append(&batch.build(), Origin::Client(Admission::None), LeaderEpoch(0), TimestampMs(5)).unwrap();
            kept.extend(log.write_and_keep(true).unwrap().and_then(|written| written.recent));
        }
        let is_valid = |offset: i64| {
            let slice = log.read(Offset(offset), Offset(3), 1, true).unwrap().unwrap();
            let mut bytes = vec![0; slice.length as usize];
            match slice.memory() {
                Some(memory) => bytes.copy_from_slice(memory),
                None => assert_eq!(slice.file.read_at(&mut bytes, slice.position.0).unwrap(), bytes.len()),
            }
            Batches::new(&bytes).next().unwrap().unwrap().is_intact()
        };
        for (offset, expected) in [(2, [true, true, false]), (1, [true, false, false])] {
            assert_eq!(log.corrupt(Offset(offset)).unwrap(), Some(Offset(offset)));
            assert_eq!([0, 1, 2].map(is_valid), expected);
        }
        assert_eq!(log.corrupt(Offset(3)).unwrap(), None);
        assert!(log.corrupt(Offset(4)).is_err(), "beyond the end");
    }
}
