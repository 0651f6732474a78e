//! A large text file goes in by `kcat -P -l` and comes out by `kcat -C` identical, with each codec, and across `kill -9` in
//! the middle of the load when the producer is idempotent. `KLAMM_BIG=1` gives every codec the full 100 MB.

use compat_tests::broker::Broker;
use compat_tests::program::{self, Input};
use compat_tests::raw::Raw;
use compat_tests::records::Bytes;
use compat_tests::suite::{BOTH, ONE, Suite};
use compat_tests::{Context, Result, bail, corpus, ensure};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

const FULL: u64 = 100_000_000;
const SMALL: u64 = 10_000_000;
const KILLS: usize = 3;
const DEADLINE: Duration = Duration::from_secs(300);

fn big() -> bool {
    std::env::var("KLAMM_BIG").is_ok_and(|value| value == "1")
}

fn main() -> ExitCode {
    let mut suite = Suite::new("big_file");
    suite = suite.test("full_lz4", if big() { BOTH } else { ONE }, &[], |broker| there_and_back(broker, "lz4", FULL));
    suite = suite.test("none", BOTH, &[], |broker| there_and_back(broker, "none", size()));
    suite = suite.test("gzip", ONE, &[], |broker| there_and_back(broker, "gzip", size()));
    suite = suite.test("snappy", ONE, &[], |broker| there_and_back(broker, "snappy", size()));
    suite = suite.test("zstd", ONE, &[], |broker| there_and_back(broker, "zstd", size()));
    suite = suite.test("killed_none", BOTH, &[], |broker| killed_while_loading(broker, "none"));
    suite = suite.test("killed_gzip", ONE, &[], |broker| killed_while_loading(broker, "gzip"));
    suite = suite.test("killed_snappy", ONE, &[], |broker| killed_while_loading(broker, "snappy"));
    suite = suite.test("killed_lz4", ONE, &[], |broker| killed_while_loading(broker, "lz4"));
    suite = suite.test("killed_zstd", BOTH, &[], |broker| killed_while_loading(broker, "zstd"));
    suite.run()
}

fn size() -> u64 {
    if big() { FULL } else { SMALL }
}

fn load(broker: &Broker, codec: &str, file: &Path) -> Command {
    let mut command = program::command("kcat", &["-b", &broker.bootstrap(), "-P", "-t", "big", "-p", "0", "-z", codec]);
    // -E: a broker that goes away is no reason to give up.
    command.args(["-E", "-X", "enable.idempotence=true", "-l"]).arg(file);
    command
}

/// Reads the topic into a file and compares that with the original.
fn compare(broker: &Broker, original: &Path) -> Result<()> {
    let back = broker.scratch("back.txt");
    let arguments = ["-b", &broker.bootstrap(), "-C", "-q", "-e", "-t", "big", "-p", "0", "-o", "beginning"];
    program::run_to_file(program::command("kcat", &arguments), &back, DEADLINE)?;
    let (mut a, mut b) = (BufReader::new(File::open(original)?), BufReader::new(File::open(&back)?));
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0;
    loop {
        let (n, m) = (fill(&mut a, &mut left)?, fill(&mut b, &mut right)?);
        if left[..n] != right[..m] {
            let i = left[..n].iter().zip(&right[..m]).position(|(x, y)| x != y).unwrap_or(n.min(m));
            bail!("the texts part at byte {}", at + i);
        }
        if n == 0 {
            std::fs::remove_file(back)?;
            return Ok(());
        }
        at += n;
    }
}

fn fill(from: &mut impl Read, into: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

fn there_and_back(broker: &mut Broker, codec: &str, size_bytes: u64) -> Result<()> {
    let text = broker.scratch("text.txt");
    let lines = corpus::write(&text, size_bytes)?;
    let mut raw = Raw::connect(broker.port())?;
    raw.create_topic("big", 1, &[])?;
    program::run_within(load(broker, codec, &text), Input::Nothing, DEADLINE)?;
    let end = raw.end_offset("big", 0)?;
    ensure!(end == lines as i64, "{end} records for {lines} lines");
    compare(broker, &text)
}

/// Three times during the load the broker is killed and started again; no line may be missing and none come twice.
fn killed_while_loading(broker: &mut Broker, codec: &str) -> Result<()> {
    let text = broker.scratch("text.txt");
    let lines = corpus::write(&text, if big() { FULL } else { 3 * SMALL })?;
    Raw::connect(broker.port())?.create_topic("big", 1, &[])?;
    let loader = load(broker, codec, &text);
    let loading = std::thread::spawn(move || program::run_within(loader, Input::Nothing, DEADLINE));
    let mut random = Bytes::new(lines as u64);
    for kill in 0..KILLS {
        let step = lines / (KILLS + 1);
        let reached =
            wait_for_end(broker, (kill * step + 1 + random.draw() as usize % step) as i64, || loading.is_finished())?;
        if !reached {
            ensure!(kill > 0, "the load ended before the first kill");
            break;
        }
        broker.kill9()?;
        broker.restart()?;
    }
    loading.join().expect("no panic").context("kcat's load")?;
    let end = Raw::connect(broker.port())?.end_offset("big", 0)?;
    ensure!(end == lines as i64, "{end} records for {lines} lines");
    compare(broker, &text)
}

/// Waits until the log reaches `offset`; false if the load ended before.
fn wait_for_end(broker: &Broker, offset: i64, ended: impl Fn() -> bool) -> Result<bool> {
    let mut raw = Raw::connect(broker.port())?;
    loop {
        // Apache Kafka serves before its partitions have their leader back; an error is no end yet.
        if matches!(raw.offset("big", 0, -1)?, (0, end) if end >= offset) {
            return Ok(true);
        }
        if ended() {
            return Ok(false);
        }
    }
}
