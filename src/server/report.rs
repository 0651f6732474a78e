//! What the shards have counted, in log lines: one for each shard, by what requests cost, and one for all of them, by API.

use std::fmt::Write;
use std::time::Duration;

use crate::handlers::HANDLERS;
use crate::handlers::table::Cost;
use crate::metrics::{ApiCounts, Counts, Ending};
use crate::shard::context::Shared;

/// The lines, the sum last.
pub fn lines(shared: &Shared) -> Vec<String> {
    let read = shared.metrics.read();
    let mut sum = Counts::default();
    read.iter().for_each(|counts| sum.add(counts));
    let shard =
        |(number, counts): (usize, &Counts)| format!("metrics shard={number} {}{}", general(counts), by_cost(counts));
    let mut lines: Vec<String> = read.iter().enumerate().map(shard).collect();
    lines.push(format!("metrics shards={} {}{}", read.len(), general(&sum), by_api(&sum)));
    lines
}

fn general(counts: &Counts) -> String {
    let mut line = format!("turns={} wake_ups={} accepted={}", counts.turns, counts.wake_ups, counts.accepted);
    for ending in Ending::ALL {
        let _ = write!(line, " ended_{}={}", ending.name(), counts.ended[ending as usize]);
    }
    let _ = write!(line, " bytes_in={} bytes_out={}", counts.bytes_in, counts.bytes_out);
    line
}

fn by_cost(counts: &Counts) -> String {
    let mut line = String::new();
    for cost in Cost::ALL {
        let mut together = ApiCounts::default();
        for row in HANDLERS.iter().filter(|row| row.cost == cost) {
            together.add(&counts.apis[row.key as usize]);
        }
        line.push_str(&told(&format!("{cost:?}"), &together));
    }
    line
}

fn by_api(counts: &Counts) -> String {
    HANDLERS.iter().map(|row| told(row.name(), &counts.apis[row.key as usize])).collect()
}

/// Nothing of what was not asked for.
fn told(name: &str, counts: &ApiCounts) -> String {
    if counts.requests == 0 {
        return String::new();
    }
    let micros = |time: Duration| time.as_micros();
    let (times, median, slow) = (&counts.times, counts.times.percentile(50), counts.times.percentile(99));
    format!(
        " {name}{{requests={} answered={} bytes_in={} bytes_out={} p50_us={} p99_us={}}}",
        counts.requests,
        times.count(),
        counts.bytes_in,
        counts.bytes_out,
        micros(median),
        micros(slow)
    )
}
