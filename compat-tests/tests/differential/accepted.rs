//! Where Klamm differs from Apache Kafka on purpose: the one place that says so, with the reason.

/// A difference that is known: the script, the beginning of the command, and why.
pub struct Accepted {
    pub script: &'static str,
    pub command: &'static str,
    pub reason: &'static str,
}

pub const ACCEPTED: &[Accepted] = &[];
