//! Transactional clients as processes of their own, in the manner of `member.rs`: a small program in front of each client
//! library, which gets a [`Job`] as JSON. A job without a group is a producer's; with one it reads, processes and writes.
//! They go on whatever the broker does: they try again, and begin anew with another client where one is of no use any more.
//! They print one JSON object a line, with nanoseconds on the clock that all processes of this machine share as `at`:
//!
//! - `{"e": "begins", "n": 7, "at": 1}`: its transaction number 7 begins
//! - `{"e": "writes", "r": ["topic-0=name.7.0"], "at": 1}`: what it is about to write, up to the first colon; behind a `<`
//!   stands what was processed into it: `topic-0=name.7.0<input-1@12`
//! - `{"e": "offsets", "r": ["input-1@13"], "at": 1}`: of its group, before it sends them in the transaction
//! - `{"e": "commits", "at": 1}`: before it asks for the commit
//! - `{"e": "committed", "at": 1}`, `{"e": "aborted", "at": 1}`: after the answer
//! - `{"e": "left"}`: it has ended, because its input has

use crate::broker::Broker;
use crate::member::{Crowd, Library, own_program};
use crate::{Result, bail, cache, program};
use serde::{Deserialize, Serialize};
use std::process::Command;

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Job {
    pub name: String,
    pub transactional_id: String,
    /// Where it writes, and in how many partitions.
    pub topic: String,
    pub partitions: i32,
    /// A loop's: what it reads as a member of the group, the classic protocol's with ranges.
    pub input: Option<String>,
    pub group: Option<String>,
    /// Transactions; as many at most.
    pub per_second: u64,
    /// The largest number of records in one.
    pub records: u64,
    /// Of a hundred transactions, how many are aborted, and how many are left open by a client that begins anew.
    pub aborts: u64,
    pub abandons: u64,
    /// How long it may rest before it begins anew: with the id of another client it shall not take all the turns.
    pub rest_ms: u64,
    pub padding: usize,
    pub timeout_ms: u32,
    pub session_ms: u32,
    /// How long it waits for an answer.
    pub request_ms: u32,
    pub seed: u64,
}

impl Job {
    fn command(&self, library: Library, bootstrap: &str) -> Result<Command> {
        let mut command = match library {
            Library::Librdkafka => own_program("transactor")?,
            Library::Java => program::java("Transactor", &[]),
            Library::FranzGo => {
                let mut go = Command::new(cache::root().join("go/franz"));
                go.arg("transactor");
                go
            }
            _ => bail!("{library:?} has no program with transactions"),
        };
        command.args([bootstrap, &serde_json::to_string(self)?]);
        Ok(command)
    }
}

impl Crowd {
    pub fn transact(&mut self, broker: &Broker, library: Library, job: &Job) -> Result<usize> {
        let command = job.command(library, &broker.bootstrap())?;
        self.start(library, command)
    }
}
