//! A neighbour on the same broker: a connection opened before the bad input, which must not notice it.

use compat_tests::broker::{Broker, Peer};
use compat_tests::raw::{Batch, Raw};
use compat_tests::{Context, Result, ensure};

/// Buffers of a few connections and what an allocator keeps back; far below what any of these inputs names.
pub const FLAT_BYTES: u64 = 16 << 20;
/// Address space is taken in large steps by threads and allocators; a count believed would take gigabytes.
const ADDRESS_SPACE_BYTES: u64 = 512 << 20;

pub struct Guard {
    neighbour: Raw,
    resident_bytes: u64,
    address_space_bytes: u64,
    produced: i64,
}

impl Guard {
    pub fn new(broker: &mut Broker) -> Result<Guard> {
        let mut neighbour = Raw::connect(broker.port())?;
        neighbour.create_topic("neighbour", 1, &[])?;
        let mut guard = Guard { neighbour, resident_bytes: 0, address_space_bytes: 0, produced: 0 };
        for _ in 0..10 {
            guard.use_connection()?;
        }
        guard.resident_bytes = broker.resident_bytes()?;
        guard.address_space_bytes = broker.peak_address_space_bytes()?;
        Ok(guard)
    }

    fn use_connection(&mut self) -> Result<()> {
        self.neighbour.api_versions()?;
        let found = self.neighbour.produce("neighbour", Batch::of(&[b"hello"]).encode())?;
        ensure!(found.error_code == 0, "the neighbour's produce: error {}", found.error_code);
        ensure!(found.base_offset == self.produced, "the neighbour's record went to {}", found.base_offset);
        self.produced += 1;
        let end = self.neighbour.end_offset("neighbour", 0)?;
        ensure!(end == self.produced, "the neighbour's log ends at {end}");
        Ok(())
    }

    /// To be called while the offender's connections are still open, and again after.
    pub fn check(&mut self, broker: &mut Broker) -> Result<()> {
        self.check_within(broker, FLAT_BYTES)
    }

    pub fn check_within(&mut self, broker: &mut Broker, growth_bytes: u64) -> Result<()> {
        broker.assert_alive()?;
        self.use_connection().context("the neighbour's connection")?;
        if broker.setup().peer == Peer::Kafka {
            return Ok(()); // a JVM's heap grows as it likes
        }
        let grown = broker.resident_bytes()?.saturating_sub(self.resident_bytes);
        ensure!(grown <= growth_bytes, "resident memory grew by {grown} bytes; {growth_bytes} are allowed");
        let grown = broker.peak_address_space_bytes()?.saturating_sub(self.address_space_bytes);
        ensure!(grown <= ADDRESS_SPACE_BYTES, "the address space grew by {grown} bytes");
        Ok(())
    }
}
