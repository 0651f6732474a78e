//! Log lines on standard output or standard error, one write per line: time in UTC, level, message.
//!
//! Standard output where nothing else is said, because that is where Kafka logs to and where container logs are searched. The facade `log` lets
//! every module speak without knowing this file; `io::loggers` says which lines are shown. A reader that went away must
//! not stop the broker: write errors are ignored.

use crate::io::loggers::{self, Level};
use log::{Log, Metadata, Record};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where lines go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    Output,
    Errors,
}

struct Lines(Stream);

impl Log for Lines {
    fn enabled(&self, line: &Metadata<'_>) -> bool {
        loggers::shows(line.target(), line.level())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = format!("{} {:5} {}\n", utc(SystemTime::now()), record.level(), record.args());
        let _ = match self.0 {
            Stream::Output => std::io::stdout().lock().write_all(line.as_bytes()),
            Stream::Errors => std::io::stderr().lock().write_all(line.as_bytes()),
        };
    }

    fn flush(&self) {}
}

/// Sends log lines there from now on. `level` is a name of log4j as the official images take it in
/// `KAFKA_LOG4J_ROOT_LOGLEVEL`; anything else means INFO.
pub fn start(stream: Stream, level: Option<&str>) {
    let lines: &'static Lines = match stream {
        Stream::Output => &Lines(Stream::Output),
        Stream::Errors => &Lines(Stream::Errors),
    };
    let level = level.and_then(|level| Level::from_name(&level.to_uppercase())).unwrap_or(Level::Info);
    if log::set_logger(lines).is_ok() {
        loggers::set(loggers::ROOT, Some(level));
    }
}

/// `2026-08-22T13:05:09.042Z`
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Year, month and day of a day counted from 1970 (Howard Hinnant's days algorithm: years begin in March, so that the
/// leap day is the last one).
fn civil(days_since_1970: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_utc() {
        let at = |ms| utc(UNIX_EPOCH + Duration::from_millis(ms));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(at(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_735_689_599_042), "2024-12-31T23:59:59.042Z");
        assert_eq!(at(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }
}
