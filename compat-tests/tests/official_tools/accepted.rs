//! Where Klamm's answer to a tool differs from Apache Kafka's and why: the one place that says so.

/// A difference that is known: the script, the beginning of the call, and why. It stands for every call that begins so, and
/// at least one of them must differ.
pub struct Accepted {
    pub script: &'static str,
    pub call: &'static str,
    pub reason: &'static str,
}

const fn accept(script: &'static str, call: &'static str, reason: &'static str) -> Accepted {
    Accepted { script, call, reason }
}

pub const ACCEPTED: &[Accepted] = &[];
