//! A suite: tests with the matrix of back ends and shards that each runs on, and the last look at what they wrote.
//!
//! Every test has a broker of its own. When all have run, `kafka-dump-log` must accept every file that the brokers left
//! behind. The last line says `SUITE: N passed, N failed`; `scripts/test.sh` adds those lines up.

use crate::broker::{self, Broker, Peer, Setup};
use crate::{Result, dump_log};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

type Body = fn(&mut Broker) -> Result<()>;
/// Is called after the last test with the place for what its brokers wrote.
type Finally = Box<dyn FnOnce(&Path) -> Result<()>>;

pub struct Suite {
    name: &'static str,
    trials: Vec<Trial>,
    /// Where the directories of the brokers wait for the last look.
    written: Arc<tempfile::TempDir>,
    finally: Option<Finally>,
    threads: usize,
    /// Its brokers leave nothing that could be looked at.
    leaves_nothing: bool,
}

/// Tests at a time: the machines that run this have two cores, and a broker and a client share them.
const THREADS: usize = 2;

/// Both back ends with one and with two shards.
pub const ALL: &[(&str, u32)] = &[("uring", 1), ("uring", 2), ("epoll", 1), ("epoll", 2)];
/// Each back end once and each number of shards once.
pub const BOTH: &[(&str, u32)] = &[("uring", 2), ("epoll", 1)];
/// For what is slow and does not depend on the back end.
pub const ONE: &[(&str, u32)] = &[("uring", 2)];

impl Suite {
    pub fn new(name: &'static str) -> Suite {
        let written = tempfile::Builder::new().prefix("klamm-written-").tempdir().expect("a temporary directory");
        Suite {
            name,
            trials: Vec::new(),
            written: Arc::new(written),
            finally: None,
            threads: THREADS,
            leaves_nothing: false,
        }
    }

    /// Adds a test whose brokers are another's matter: see [`Suite::finally`].
    pub fn plain<F>(mut self, name: &str, body: F) -> Suite
    where
        F: FnOnce() -> Result<()> + Send + 'static,
    {
        let failed = |error| Failed::from(format!("{error:#}"));
        self.trials.push(Trial::test(name, move || body().map_err(failed)));
        self
    }

    /// For brokers whose files go with them: there is no last look.
    pub fn leaving_nothing(mut self) -> Suite {
        self.leaves_nothing = true;
        self
    }

    /// For tests that mostly wait.
    pub fn at_once(mut self, threads: usize) -> Suite {
        self.threads = threads;
        self
    }

    /// Ends what the tests shared, before the last look at what it wrote.
    pub fn finally(mut self, end: impl FnOnce(&Path) -> Result<()> + 'static) -> Suite {
        self.finally = Some(Box::new(end));
        self
    }

    /// Adds a test that runs on each cell of `matrix`, with `overrides` in the broker's configuration.
    pub fn test(self, name: &str, matrix: &[(&'static str, u32)], overrides: &[(&str, &str)], body: Body) -> Suite {
        self.own_start(name, matrix, overrides, move |setup| {
            let mut broker = Broker::start(setup)?;
            body(&mut broker)?;
            Ok(broker)
        })
    }

    /// Adds a test that starts its broker itself and gives it back at the end.
    pub fn own_start<F>(
        mut self,
        name: &str,
        matrix: &[(&'static str, u32)],
        overrides: &[(&str, &str)],
        body: F,
    ) -> Suite
    where
        F: Fn(&Setup) -> Result<Broker> + Clone + Send + 'static,
    {
        for setup in setups(matrix) {
            let setup = setup.with(overrides);
            let title = format!("{name}::{}", setup.name());
            let keep = self.written.path().join(format!("{name}.{}", setup.name()));
            let (written, body) = (Arc::clone(&self.written), body.clone());
            self.trials.push(Trial::test(title, move || {
                let _alive = written;
                let ended = body(&setup).and_then(|broker| broker.finish(Some(&keep)));
                ended.map_err(|error| Failed::from(format!("{error:#}")))
            }));
        }
        self
    }

    /// Runs everything; the exit code is 0 only if something ran and nothing failed.
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(self.threads);
        let listing = arguments.list;
        let conclusion = libtest_mimic::run(&arguments, self.trials);
        if listing {
            return ExitCode::SUCCESS;
        }
        let (mut passed, mut failed) = (conclusion.num_passed, conclusion.num_failed);
        if let Some(Err(error)) = self.finally.map(|end| end(self.written.path())) {
            println!("the end: {error:#}");
            failed += 1;
        }
        if passed > 0 && !self.leaves_nothing {
            match dump_log::check_all(self.written.path()) {
                Ok(files) => {
                    println!("kafka-dump-log accepts the {files} files that these brokers wrote");
                    passed += 1;
                }
                Err(error) => {
                    println!("kafka-dump-log: {error:#}");
                    failed += 1;
                }
            }
        }
        println!("{}: {passed} passed, {failed} failed", self.name);
        if passed > 0 && failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The cells to run: the matrix for Klamm, one for Apache Kafka.
fn setups(matrix: &[(&'static str, u32)]) -> Vec<Setup> {
    if broker::peer() == Peer::Kafka {
        return vec![Setup::kafka()];
    }
    let possible = |io: &str| io != "uring" || uring_allowed();
    matrix.iter().filter(|(io, _)| possible(io)).map(|&(io, shards)| Setup::klamm(io, shards)).collect()
}

/// The back end that Klamm itself would choose here.
pub fn default_io() -> &'static str {
    if uring_allowed() { "uring" } else { "epoll" }
}

/// Whether this kernel lets us use io_uring at all. Where it does not, only epoll can be tested, and one line says so.
fn uring_allowed() -> bool {
    static ALLOWED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *ALLOWED.get_or_init(|| {
        // SAFETY: a null pointer where the kernel wants parameters: it answers EFAULT and touches nothing.
        unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, std::ptr::null_mut::<u8>()) };
        let errno = std::io::Error::last_os_error().raw_os_error();
        let allowed = !matches!(errno, Some(libc::ENOSYS) | Some(libc::EPERM));
        if !allowed {
            println!("NOTE: this kernel forbids io_uring (errno {errno:?}); only the epoll back end is tested");
        }
        allowed
    })
}

#[cfg(test)]
mod tests {
    use crate::cache;
    use std::collections::BTreeSet;
    use std::fs;
    use std::process::Command;

    /// The suites that `scripts/test.sh` has behind those of the package `klamm` itself.
    fn suites() -> Vec<String> {
        let listed = Command::new("bash").arg(cache::package().join("../scripts/test.sh")).arg("--list").output();
        let listed = String::from_utf8(listed.expect("bash").stdout).expect("names");
        let own = listed.lines().position(|name| name == "harness").expect("the harness is a suite");
        listed.lines().skip(own + 1).map(str::to_string).collect()
    }

    #[test]
    fn the_readme_has_every_suite_in_its_order() {
        let readme = fs::read_to_string(cache::package().join("README.md")).expect("README.md");
        let (_, table) = readme.split_once("| suite | what it does").expect("the table");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let first_cells = rows.map(|row| row.split('|').nth(1).expect("a cell"));
        let named: Vec<_> = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        assert_eq!(named, suites());
    }

    /// A program of tests that no suite runs would be forgotten.
    #[test]
    fn every_program_of_tests_is_a_suite() {
        let manifest = fs::read_to_string(cache::package().join("Cargo.toml")).expect("Cargo.toml");
        let programs = manifest.split("[[test]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next());
        let suites: BTreeSet<_> = suites().into_iter().collect();
        // The suites of other clients are one program.
        let forgotten: Vec<_> = programs.filter(|name| *name != "existing" && !suites.contains(*name)).collect();
        assert!(forgotten.is_empty(), "{forgotten:?}");
    }
}
