//! What the programs in front of librdkafka share: one JSON object a line out, and the end of the input as the wish to end.

use crate::Result;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub fn print(event: serde_json::Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{event}")?;
    Ok(out.flush()?)
}

/// Turns true when this program's input has ended.
pub fn until_input_ends() -> Arc<AtomicBool> {
    let ends = Arc::new(AtomicBool::new(false));
    let input_ended = Arc::clone(&ends);
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while matches!(std::io::stdin().read(&mut bytes), Ok(1..)) {}
        input_ended.store(true, Ordering::Relaxed);
    });
    ends
}

/// Nanoseconds on the clock that all processes of this machine share.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec into ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
