//! `quorum-state`: what a node of the metadata quorum must not forget, its epoch above all (`FileQuorumStateStore`).
//!
//! Two versions: 0 belongs to quorums whose voters are configured (`controller.quorum.voters`, kraft.version 0), 1 to
//! those whose voters stand in the log (KIP-853). A directory keeps the one that its kraft.version asks for.

use std::path::Path;

use crate::io::disk::Disk;
use crate::model::{LeaderEpoch, NodeId, Uuid};
use crate::storage::Error;

const FILE_NAME: &str = "quorum-state";
/// It has a few hundred bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// `KRaftVersion.KRAFT_VERSION_1`: voters stand in the log.
const KRAFT_VERSION_1: i16 = 1;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QuorumState {
    /// 0 if the file says none that can be read: the log's own epochs count then.
    pub epoch: LeaderEpoch,
    /// Version 0 only has them.
    pub voters: Vec<i32>,
}

/// Reads the file; empty if there is none.
pub fn read(disk: &dyn Disk, directory: &Path) -> QuorumState {
    let content = disk.read_small(&directory.join(FILE_NAME), MAX_FILE_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let epoch = numbers(&text, "\"leaderEpoch\"").next().unwrap_or(0).max(0);
    QuorumState { epoch: LeaderEpoch(epoch), voters: numbers(&text, "\"voterId\"").collect() }
}

/// The numbers behind each appearance of a key. The file is one line of flat JSON without other strings than ids.
fn numbers<'t>(text: &'t str, key: &'t str) -> impl Iterator<Item = i32> + 't {
    text.split(key).skip(1).filter_map(|behind| {
        let value = behind.trim_start().strip_prefix(':')?.trim_start();
        let end = value.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(value.len());
        value[..end].parse().ok()
    })
}

/// Says that this node leads in the epoch, being the only voter. Blocks.
pub fn write(
    disk: &dyn Disk,
    directory: &Path,
    node: NodeId,
    epoch: LeaderEpoch,
    kraft_version: i16,
) -> Result<(), Error> {
    assert!(epoch.0 > 0, "a leader has an epoch");
    let content = if kraft_version >= KRAFT_VERSION_1 {
        let none = Uuid::ZERO;
        format!(
            "{{\"leaderId\":{node},\"leaderEpoch\":{epoch},\"votedId\":-1,\"votedDirectoryId\":\"{none}\",\
             \"data_version\":1}}"
        )
    } else {
        format!(
            "{{\"clusterId\":\"\",\"leaderId\":{node},\"leaderEpoch\":{epoch},\"votedId\":-1,\"appliedOffset\":0,\
             \"currentVoters\":[{{\"voterId\":{node}}}],\"data_version\":0}}"
        )
    };
    let path = directory.join(FILE_NAME);
    disk.replace(&path, content.as_bytes()).map_err(Error::io("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;

    #[test]
    fn both_versions_are_kafkas() {
        let disk = SimulatedDisk::default();
        let directory = Path::new("/");
        assert_eq!(read(&disk, directory), QuorumState::default());
        let text = |version| {
            write(&disk, directory, NodeId(1), LeaderEpoch(7), version).unwrap();
            String::from_utf8(disk.read_small(Path::new("/quorum-state"), 1000).unwrap()).unwrap()
        };
        // As Apache Kafka 4.3.1 left them behind.
        assert_eq!(
            text(0),
            "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":7,\"votedId\":-1,\"appliedOffset\":0,\
             \"currentVoters\":[{\"voterId\":1}],\"data_version\":0}"
        );
        assert_eq!(read(&disk, directory), QuorumState { epoch: LeaderEpoch(7), voters: vec![1] });
        assert_eq!(
            text(1),
            "{\"leaderId\":1,\"leaderEpoch\":7,\"votedId\":-1,\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\
             \"data_version\":1}"
        );
        assert_eq!(read(&disk, directory), QuorumState { epoch: LeaderEpoch(7), voters: vec![] });
    }

    #[test]
    fn what_is_no_quorum_state_says_nothing() {
        let disk = SimulatedDisk::default();
        for wrong in ["", "{}", "{\"leaderEpoch\":}", "{\"leaderEpoch\":-1}", "{\"leaderEpoch\":99999999999}"] {
            disk.replace(Path::new("/quorum-state"), wrong.as_bytes()).unwrap();
            assert_eq!(read(&disk, Path::new("/")), QuorumState::default(), "{wrong:?}");
        }
    }
}
