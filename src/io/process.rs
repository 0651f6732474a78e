//! What this process uses of its machine, as the kernel tells it in `/proc`.

use std::collections::BTreeMap;
use std::fs;

/// The figures of one moment.
#[derive(Clone, Default, Debug)]
pub struct ProcessUsage {
    pub cpu_seconds: f64,
    /// The processor time of the threads that live, by their names: the first fifteen bytes, as the kernel keeps them.
    pub threads: BTreeMap<String, f64>,
    pub thread_count: usize,
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub open_descriptors: usize,
    /// `None`: there is no limit.
    pub most_descriptors: Option<u64>,
    /// Seconds since 1970.
    pub start_seconds: f64,
    /// Bytes that came from the disk and went to it, rather than from and to the page cache.
    pub disk_read_bytes: u64,
    pub disk_written_bytes: u64,
}

/// `None` where there is no `/proc`.
pub fn usage() -> Option<ProcessUsage> {
    let ticks = rustix::param::clock_ticks_per_second().max(1) as f64;
    let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let booted = named(&fs::read_to_string("/proc/stat").ok()?, "btime ")?;
    let (mut threads, mut thread_count) = (BTreeMap::new(), 0);
    for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
        // It may have ended meanwhile.
        let Ok(text) = fs::read_to_string(task.path().join("stat")) else { continue };
        let Some(stat) = Stat::parse(&text) else { continue };
        thread_count += 1;
        *threads.entry(kind_of(&stat.name).to_string()).or_default() += stat.cpu_ticks as f64 / ticks;
    }
    // Another user than the one who started it may not read this one.
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    Some(ProcessUsage {
        cpu_seconds: stat.cpu_ticks as f64 / ticks,
        threads,
        thread_count,
        resident_bytes: stat.resident_pages * rustix::param::page_size() as u64,
        virtual_bytes: stat.virtual_bytes,
        // Without the one that reads the list.
        open_descriptors: fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1),
        most_descriptors: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        start_seconds: booted as f64 + stat.start_ticks as f64 / ticks,
        disk_read_bytes: named(&io, "read_bytes: ").unwrap_or_default(),
        disk_written_bytes: named(&io, "write_bytes: ").unwrap_or_default(),
    })
}

/// Workers of a ring are named by numbers that come and go.
fn kind_of(name: &str) -> &str {
    if name.starts_with("iou-wrk-") { "iou-wrk" } else { name }
}

/// The number behind a word at the beginning of a line.
fn named(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
}

/// `proc_pid_stat(5)`
struct Stat {
    name: String,
    cpu_ticks: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        // The name stands in parentheses and may hold any character.
        let (head, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The first of these is the third of the line.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            name: head.split_once('(')?.1.to_string(),
            cpu_ticks: field(14)? + field(15)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_finds_itself() {
        let usage = usage().unwrap();
        assert!(usage.resident_bytes > 1 << 20 && usage.virtual_bytes >= usage.resident_bytes);
        assert!(usage.open_descriptors >= 3 && usage.most_descriptors.is_none_or(|most| most >= 3));
        assert!(usage.start_seconds > 1.7e9 && usage.thread_count >= 1 && !usage.threads.is_empty());
    }

    #[test]
    fn names_may_hold_what_ends_them() {
        let line = "7 (a) b) S 1 7 7 0 -1 4194304 1 0 0 0 30 12 0 0 20 0 3 0 500 8192 2 18446744073709551615";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.name.as_str(), stat.cpu_ticks, stat.start_ticks), ("a) b", 42, 500));
        assert_eq!((stat.virtual_bytes, stat.resident_pages), (8192, 2));
        assert_eq!((kind_of("iou-wrk-17"), kind_of("klamm-shard-0")), ("iou-wrk", "klamm-shard-0"));
    }
}
