//! What the machine can do at best, measured beside the brokers, so that each of their figures is a share of it.

use crate::aligned::Aligned;
use compat_tests::{Context, Result, ensure, program};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const FOR: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 256 << 10;
const FILE_BYTES: usize = 256 << 20;
/// More than the caches of a processor hold.
const COPY_BYTES: usize = 256 << 20;
/// As large as many a batch, and in the cache, as a batch is that has just arrived.
const CHECKSUM_BYTES: usize = 64 << 10;
const SYNCED_BYTES: usize = 4096;
const ECHO_BYTES: usize = 1024;

/// One processor takes a line of memory from the other's cache so often; the best of some tries counts, as one that is
/// disturbed in between says nothing.
const HANDOVERS: u32 = 4_000;
const HANDOVER_TRIES: usize = 5;

/// Stays free while all the rest of the memory is touched.
const LEFT_FREE_BYTES: usize = 1 << 30;
const PAGE_BYTES: usize = 4096;

pub struct Limit {
    pub what: &'static str,
    pub value: f64,
    pub unit: &'static str,
}

/// `directory` is on the disk that the brokers write to.
pub fn measure(directory: &Path) -> Result<Vec<Limit>> {
    let path = directory.join("limits");
    let mut limits = vec![
        Limit { what: "TCP over loopback, hot memory", value: loopback(None)?, unit: "MB/s" },
        Limit { what: "write to a file, 1 MiB each, synced at the end", value: write(&path)?, unit: "MB/s" },
    ];
    let sent = loopback(Some(&File::open(&path)?))?;
    limits.push(Limit { what: "TCP over loopback, sendfile of cached pages", value: sent, unit: "MB/s" });
    let what = "a message there and back, 5,000 a second over 10 connections, each with a thread at both ends";
    limits.push(Limit { what, value: echoes()?, unit: "µs at p99" });
    limits.push(Limit { what: "4 KiB written and synced", value: syncs(&path)?, unit: "1/s" });
    std::fs::remove_file(&path)?;
    limits.push(Limit { what: "CRC32C", value: checksums(), unit: "MB/s" });
    limits.push(Limit { what: "copy of memory", value: copies(), unit: "MB/s" });
    Ok(limits)
}

/// How fast the kernel gives a cached file to one connection, in megabytes a second: for what is measured just before or
/// just after, as it changes from minute to minute on a machine that others use too.
pub fn sendfile(directory: &Path) -> Result<f64> {
    let path = directory.join("sent");
    write(&path)?;
    let rate = loopback(Some(&File::open(&path)?));
    std::fs::remove_file(&path)?;
    rate
}

/// How long a line of memory takes from one processor's cache to another's, in nanoseconds: whatever goes from client to
/// broker goes that way. On a virtual machine it changes fourfold from one moment to the next, probably with where the host
/// puts its processors. `None` where the first two processors are not ours to use.
pub fn handover() -> Option<f64> {
    let tries = (0..HANDOVER_TRIES).map(|_| hand_over()).collect::<Option<Vec<f64>>>();
    tries?.into_iter().min_by(f64::total_cmp)
}

fn hand_over() -> Option<f64> {
    let (turn, has_failed, ready) = (AtomicU32::new(0), AtomicBool::new(false), Barrier::new(2));
    let take_turns = |processor: u32| {
        if program::hold_thread_to(processor as usize).is_err() {
            has_failed.store(true, Ordering::Relaxed);
        }
        ready.wait();
        let began = Instant::now();
        // On one processor each turn would take a slice of the scheduler's.
        if has_failed.load(Ordering::Relaxed) {
            return None;
        }
        for number in (processor..2 * HANDOVERS).step_by(2) {
            while turn.load(Ordering::Acquire) != number {
                std::hint::spin_loop();
            }
            turn.store(number + 1, Ordering::Release);
        }
        Some(began.elapsed())
    };
    let took = std::thread::scope(|scope| {
        let threads = [0, 1].map(|processor| scope.spawn(move || take_turns(processor)));
        threads.map(|thread| thread.join().expect("no panic"))
    });
    Some(took[0]?.as_nanos() as f64 / f64::from(2 * HANDOVERS))
}

/// Touches memory that nobody has used for a while. A virtual machine's host has to find it again, which costs whoever comes
/// first seconds of processor for each gigabyte, several times what a broker needs to fill it. All of it: deleted topics stay in
/// the page cache for a minute, so that loads go through it to the end, the faster a broker the sooner.
pub fn warm_memory() -> Result<()> {
    let free = std::fs::read_to_string("/proc/meminfo")?;
    let free = free.lines().find_map(|line| line.strip_prefix("MemFree:")?.trim().strip_suffix(" kB"));
    let free = free.context("no MemFree")?.parse::<usize>()? * 1024;
    let threads = std::thread::available_parallelism()?.get();
    let bytes = free.saturating_sub(LEFT_FREE_BYTES) / threads;
    let touch = || {
        let mut memory = vec![0_u8; bytes];
        memory.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
        std::hint::black_box(&memory);
    };
    // All at the same time: none gives back what the other could take.
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(touch))));
    Ok(())
}

fn megabytes_per_second(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

/// One connection, a thread at each end.
fn loopback(file: Option<&File>) -> Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let reader = std::thread::spawn(move || -> std::io::Result<(usize, Duration)> {
        let (mut buffer, mut bytes, began) = (Aligned::new(BUFFER_BYTES), 0, Instant::now());
        loop {
            match receiver.read(&mut buffer)? {
                0 => return Ok((bytes, began.elapsed())),
                count => bytes += count,
            }
        }
    });
    let (buffer, began) = (Aligned::new(BUFFER_BYTES), Instant::now());
    while began.elapsed() < FOR {
        match file {
            None => sender.write_all(&buffer)?,
            Some(file) => send_file(&sender, file)?,
        }
    }
    drop(sender);
    let (bytes, time) = reader.join().expect("no panic")?;
    Ok(megabytes_per_second(bytes, time))
}

/// How late the machine itself makes what is sent by the clock: what is measured in this way contains the like of it.
fn echoes() -> Result<f64> {
    const CONNECTIONS: u32 = 10;
    const INTERVAL: Duration = Duration::from_micros(2000);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let count = (FOR.as_nanos() * 2 / INTERVAL.as_nanos()) as u32;
    let start = Instant::now() + INTERVAL;
    let one = move |number: u32| -> Result<Vec<Duration>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut late = Vec::with_capacity(count as usize);
        for message in 0..count {
            let due = start + INTERVAL * message + INTERVAL * number / CONNECTIONS;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            stream.write_all(&[1; ECHO_BYTES])?;
            stream.read_exact(&mut [0; ECHO_BYTES])?;
            late.push(due.elapsed());
        }
        Ok(late)
    };
    let clients: Vec<_> = (0..CONNECTIONS).map(|number| std::thread::spawn(move || one(number))).collect();
    for _ in 0..CONNECTIONS {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        std::thread::spawn(move || -> std::io::Result<()> {
            let mut message = [0; ECHO_BYTES];
            loop {
                stream.read_exact(&mut message)?;
                stream.write_all(&message)?;
            }
        });
    }
    let late: Result<Vec<_>> = clients.into_iter().map(|client| client.join().expect("no panic")).collect();
    let mut late = late?.concat();
    late.sort();
    Ok(late[late.len() * 99 / 100].as_nanos() as f64 / 1e3)
}

fn send_file(stream: &TcpStream, file: &File) -> Result<()> {
    let mut offset: libc::off_t = 0;
    while (offset as usize) < FILE_BYTES {
        // SAFETY: both descriptors are open, the pointer is to a live offset.
        let sent = unsafe {
            libc::sendfile(stream.as_raw_fd(), file.as_raw_fd(), &raw mut offset, FILE_BYTES - offset as usize)
        };
        ensure!(sent > 0, "sendfile: {}", std::io::Error::last_os_error());
    }
    Ok(())
}

fn write(path: &Path) -> Result<f64> {
    let (mut file, buffer, began) = (File::create(path)?, Aligned::new(1 << 20), Instant::now());
    for _ in 0..FILE_BYTES / buffer.len() {
        file.write_all(&buffer)?;
    }
    file.sync_data()?;
    Ok(megabytes_per_second(FILE_BYTES, began.elapsed()))
}

fn syncs(path: &Path) -> Result<f64> {
    let mut file = File::options().append(true).open(path).context("cannot append")?;
    let (mut count, began) = (0, Instant::now());
    while began.elapsed() < FOR {
        file.write_all(&[1; SYNCED_BYTES])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn checksums() -> f64 {
    let (bytes, mut count, began) = (vec![3; CHECKSUM_BYTES], 0, Instant::now());
    while began.elapsed() < FOR {
        std::hint::black_box(crc32c::crc32c(std::hint::black_box(&bytes)));
        count += 1;
    }
    megabytes_per_second(count * CHECKSUM_BYTES, began.elapsed())
}

fn copies() -> f64 {
    let (from, mut to, mut count) = (vec![3_u8; COPY_BYTES], vec![0_u8; COPY_BYTES], 0);
    to.copy_from_slice(&from);
    let began = Instant::now();
    while began.elapsed() < FOR {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&to);
        count += 1;
    }
    megabytes_per_second(count * COPY_BYTES, began.elapsed())
}
