//! The process: processor, memory, descriptors, disk.

use super::family::{Family, Page, counter, families, gauge};
use crate::io::process;

families! {
    BUILD = gauge("klamm_build_info", &["version"], "What runs here.");
    CPU = counter("process_cpu_seconds_total", &[], "Processor time of the process.");
    RESIDENT = gauge("process_resident_memory_bytes", &[], "Memory of the process.");
    VIRTUAL = gauge("process_virtual_memory_bytes", &[], "Addresses of the process.");
    OPEN = gauge("process_open_fds", &[], "Open descriptors.");
    MOST = gauge("process_max_fds", &[], "The limit of open descriptors.");
    STARTED = gauge("process_start_time_seconds", &[], "When the process started, in seconds since 1970.");
    THREADS = gauge("process_threads", &[], "Threads of the process.");
    THREAD_CPU = gauge("klamm_thread_cpu_seconds", &["thread"], "Processor time of the threads that live, by name; what a thread has used goes with it.");
    DISK_READ = counter("kafka_server_kafkaserver_linux_disk_read_bytes", &[], "Bytes that the process has made the disk read.");
    DISK_WRITTEN = counter("kafka_server_kafkaserver_linux_disk_write_bytes", &[], "Bytes that the process has made the disk write.");
}

pub(super) fn write(page: &mut Page) {
    page.begin(&BUILD).add(&[env!("CARGO_PKG_VERSION")], 1);
    let Some(usage) = process::usage() else { return };
    page.single(&CPU, usage.cpu_seconds);
    page.single(&RESIDENT, usage.resident_bytes);
    page.single(&VIRTUAL, usage.virtual_bytes);
    page.single(&OPEN, usage.open_descriptors);
    if let Some(most) = usage.most_descriptors {
        page.single(&MOST, most);
    }
    page.single(&STARTED, usage.start_seconds);
    page.single(&THREADS, usage.thread_count);
    let mut samples = page.begin(&THREAD_CPU);
    usage.threads.iter().for_each(|(name, seconds)| samples.add(&[name], seconds));
    page.single(&DISK_READ, usage.disk_read_bytes);
    page.single(&DISK_WRITTEN, usage.disk_written_bytes);
}
