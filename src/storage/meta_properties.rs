//! `meta.properties`: whose log directory it is (`MetaProperties`; version 1, and version 0 of the ZooKeeper days).

use super::error::Error;
use crate::io::disk::Disk;
use crate::model::{NodeId, Uuid};
use std::collections::HashMap;
use std::path::Path;

pub const FILE_NAME: &str = "meta.properties";
const MAX_FILE_BYTES: u64 = 64 << 10;
/// Kafka gives the first hundred identifiers meanings of its own (`DirectoryId.reserved`).
const RESERVED_DIRECTORY_IDS: u128 = 100;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: NodeId,
    /// `None` in a directory that was formatted before Kafka 3.7.
    pub directory_id: Option<Uuid>,
}

impl MetaProperties {
    /// Reads the file; `None` if it is not there, so the directory is not formatted.
    pub fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<MetaProperties>, Error> {
        let path = directory.join(FILE_NAME);
        let content = match disk.read_small(&path, MAX_FILE_BYTES) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let parsed = parse(&String::from_utf8_lossy(&content));
        parsed.map(Some).map_err(|why| Error::Unusable { path, why })
    }

    /// Writes the file as version 1. Blocks.
    pub fn write(&self, disk: &dyn Disk, directory: &Path) -> Result<(), Error> {
        let path = directory.join(FILE_NAME);
        let mut text = format!("version=1\ncluster.id={}\nnode.id={}\n", self.cluster_id, self.node_id);
        if let Some(id) = self.directory_id {
            text.push_str(&format!("directory.id={id}\n"));
        }
        disk.replace(&path, text.as_bytes()).map_err(Error::io("write", &path))
    }
}

fn parse(text: &str) -> Result<MetaProperties, String> {
    let mut values = HashMap::new();
    for line in text.lines().map(str::trim_start) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
        values.insert(key.trim(), value.trim());
    }
    let node_key = match values.get("version") {
        Some(&"0") => "broker.id",
        Some(&"1") => "node.id",
        other => return Err(format!("has the version {:?}, but only 0 and 1 are known", other.unwrap_or(&""))),
    };
    let node_id = values.get(node_key).and_then(|id| id.parse().ok()).filter(|id| *id >= 0);
    let directory_id = match values.get("directory.id") {
        Some(text) => Some(directory_id(text).ok_or_else(|| format!("has the impossible directory.id {text}"))?),
        None => None,
    };
    Ok(MetaProperties {
        cluster_id: values.get("cluster.id").map(|id| id.to_string()).ok_or("has no cluster.id")?,
        node_id: NodeId(node_id.ok_or_else(|| format!("has no {node_key}"))?),
        directory_id,
    })
}

fn directory_id(text: &str) -> Option<Uuid> {
    Uuid::parse(text).filter(|id| u128::from_be_bytes(id.0) >= RESERVED_DIRECTORY_IDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;

    #[test]
    fn what_is_written_is_read() {
        let disk = SimulatedDisk::default();
        let directory = Path::new("/");
        assert_eq!(MetaProperties::read(&disk, directory).unwrap(), None);
        let directory_id = Some(Uuid([9; 16]));
        let meta = MetaProperties { cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(), node_id: NodeId(3), directory_id };
        meta.write(&disk, directory).unwrap();
        assert_eq!(MetaProperties::read(&disk, directory).unwrap(), Some(meta));
    }

    #[test]
    fn kafkas_own_are_understood() {
        let written = "#\n#Sun Nov 22 19:00:00 UTC 2026\ncluster.id=abc\ndirectory.id=sWmDZ0CPQgCuSbOSMwUAoA\nnode.id=1\nversion=1\n";
        assert_eq!(parse(written).unwrap().node_id, NodeId(1));
        assert_eq!(parse("version=0\nbroker.id=5\ncluster.id=abc").unwrap().node_id, NodeId(5));
        for wrong in [
            "",
            "version=2\ncluster.id=a\nnode.id=1",
            "version=1\nnode.id=1",
            "version=1\ncluster.id=a",
            "version=1\ncluster.id=a\nnode.id=-1",
            "version=1\ncluster.id=a\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
