//! A container image without a container engine: its layers unpacked into a folder, its programs started in namespaces of their
//! own (network, process ids, host name, mounts) with that folder as their root. Not every machine allows that: [`may_run`] finds out,
//! once.
//!
//! Invariant: no process and no mount outlives its `Rooted`: both end with the container's first process, which is waited for.

use crate::program::{self, Input, Lines, Output, die_with_us, ended_within};
use crate::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// The host name that containers are given, as engines give them one of their id.
pub const HOST_NAME: &str = "c0ffee";

/// What no start and no end of a container takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// A command inside takes no longer: less than `program::DEADLINE`.
const ENDS_WITHIN_SECONDS: &str = "100";
/// The programs of this machine with which a container is made and entered.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const NAMESPACES: [&str; 6] = ["--net", "--uts", "--pid", "--mount", "--fork", "--kill-child"];

/// An unpacked image with its configuration, and what the archive says of it beside that.
pub struct Image {
    root: tempfile::TempDir,
    pub config: Value,
    pub manifest: Value,
    /// `index.json`, which engines read, and `manifest.json`, which Docker without containerd's store reads.
    pub index: Value,
    pub for_docker: Value,
}

/// Started in an image.
pub struct Rooted {
    root: PathBuf,
    /// How a command of the container begins: its variables, and the change of the root and the user.
    begin: Vec<String>,
    child: Child,
    lines: Lines,
    pub said: Vec<String>,
}

impl Image {
    /// Unpacks an archive whose digests must be what it says.
    pub fn open(archive: &Path) -> Result<Image> {
        let home = tempfile::Builder::new().prefix("klamm-oci-").tempdir()?;
        untar(archive, home.path())?;
        let json = |path: &Path| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
        ensure!(json(&home.path().join("oci-layout"))?["imageLayoutVersion"] == "1.0.0", "no layout");
        let index = json(&home.path().join("index.json"))?;
        let manifest = json(&blob(home.path(), &index["manifests"][0])?)?;
        let config = json(&blob(home.path(), &manifest["config"])?)?;
        let layers = manifest["layers"].as_array().context("layers")?;
        let told = config["rootfs"]["diff_ids"].as_array().context("diff_ids")?;
        ensure!(layers.len() == told.len() && !layers.is_empty(), "{manifest} {config}");
        let root = tempfile::Builder::new().prefix("klamm-root-").tempdir()?;
        for (layer, told) in layers.iter().zip(told) {
            let packed = blob(home.path(), layer)?;
            let tar = home.path().join("layer.tar");
            let mut unpack = Command::new("gzip");
            unpack.args(["-dc"]).arg(&packed);
            program::run_to_file(unpack, &tar, program::DEADLINE)?;
            ensure!(*told == format!("sha256:{}", sha256(&tar)?), "the digest of the layer");
            untar(&tar, root.path())?;
        }
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755))?;
        let for_docker = json(&home.path().join("manifest.json"))?;
        let image = Image { root, config, manifest, index, for_docker };
        let hosts = format!("127.0.0.1 localhost {HOST_NAME}\n");
        if image.path("etc").exists() {
            fs::write(image.path("etc/hosts"), hosts)?;
        }
        Ok(image)
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// The list under a key of the configuration.
    pub fn list(&self, key: &str) -> Vec<String> {
        let texts = self.config["config"][key].as_array().into_iter().flatten();
        texts.filter_map(|text| text.as_str().map(str::to_string)).collect()
    }

    /// Starts the entry point and the command, each the image's own where `None`, with variables beside the image's own.
    pub fn start(
        &self,
        entry: Option<&[&str]>,
        command: Option<&[&str]>,
        user: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Rooted> {
        let of = |given: Option<&[&str]>, key: &str| match given {
            Some(words) => words.iter().map(|word| word.to_string()).collect(),
            None => self.list(key),
        };
        // As an engine does it: with another entry point the image's command is not used.
        let own_command = if entry.is_some() && command.is_none() { Some(&[][..]) } else { command };
        let words = [of(entry, "Entrypoint"), of(own_command, "Cmd")].concat();
        ensure!(!words.is_empty(), "nothing to start");
        let own = self.config["config"]["User"].as_str().unwrap_or("0");
        let user = user.unwrap_or(if own.is_empty() { "0" } else { own }).to_string();
        let root = self.root.path();
        for folder in ["proc", "dev"] {
            fs::create_dir_all(root.join(folder))?;
        }
        // The group has the user's number, where only that is told.
        let user = if user.contains(':') { user } else { format!("{user}:{user}") };
        let mut begin = self.list("Env");
        begin.extend(variables.iter().map(|(key, value)| format!("{key}={value}")));
        begin.extend([chroot()?, format!("--userspec={user}"), "--groups=".into(), root.display().to_string()]);
        let prepare = format!(
            "hostname {HOST_NAME} && ip link set lo up && mount -t proc proc {root}/proc && mount --bind /dev {root}/dev && \
             exec env -i \"$@\"",
            root = root.display()
        );
        let mut started = Command::new("unshare");
        started.args(NAMESPACES).args(["--", "/bin/bash", "-c", &prepare, "sh"]).args(&begin).args(&words);
        started.env_clear().env("PATH", PATH);
        started.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        die_with_us(&mut started);
        let mut child = started.spawn().context("cannot start unshare")?;
        let errors = child.stderr.take().context("stderr")?;
        let output = child.stdout.take().context("stdout")?;
        let lines = Lines::of_all(vec![Box::new(errors), Box::new(output)]);
        Ok(Rooted { root: root.to_path_buf(), begin, child, lines, said: Vec::new() })
    }

    /// The processes of this machine whose root is the image's.
    pub fn processes(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for process in fs::read_dir("/proc")? {
            let process = process?.path();
            // What has ended meanwhile has none, and what is no process neither.
            if fs::read_link(process.join("root")).is_ok_and(|root| root.starts_with(self.root.path())) {
                found.push(process.display().to_string());
            }
        }
        Ok(found)
    }
}

impl Rooted {
    /// Waits for a line with these words, as modules wait for a line of the log.
    pub fn await_line(&mut self, words: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.said.iter().any(|line| line.contains(words)) {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.next_within(left).with_context(|| self.what_was_said(words))?;
            self.said.push(line.with_context(|| self.what_was_said(words))?);
        }
        Ok(())
    }

    fn what_was_said(&self, instead: &str) -> String {
        format!("no {instead:?}, but:\n{}", self.said.join("\n"))
    }

    /// The exit code of a container that ends of its own accord, and what it has said.
    pub fn ends(mut self) -> Result<(Option<i32>, String)> {
        let status = program::wait_within(&mut self.child, PATIENCE)?;
        while let Some(line) = self.lines.next_within(PATIENCE)? {
            self.said.push(line);
        }
        Ok((status.code(), self.said.join("\n")))
    }

    /// `docker cp`: a file that the engine puts there.
    pub fn put(&self, path: &str, content: &str, mode: u32) -> Result<()> {
        let path = self.root.join(path.trim_start_matches('/'));
        // Under another name first: what waits for it takes it when it is there.
        let new = path.with_extension("klamm-new");
        fs::write(&new, content)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
        chown(&new, Some(0), Some(0))?;
        Ok(fs::rename(new, path)?)
    }

    /// `docker exec`: a command inside, by the container's user and with its variables.
    pub fn inside(&self, words: &[&str], input: &str) -> Result<Output> {
        let mut command = self.entering(&["--mount", "--pid"])?;
        // It is a child of `nsenter`, so that it would go on when that is ended at the deadline.
        command.args(["timeout", "--signal=KILL", ENDS_WITHIN_SECONDS, "env", "-i"]).args(&self.begin).args(words);
        program::output(command, Input::Bytes(input.as_bytes().to_vec()), program::DEADLINE)
    }

    /// A program of this machine in the container's network: as a client to whom the ports are mapped.
    pub fn beside(&self, words: &[&str], input: &str) -> Result<Output> {
        let mut command = self.entering(&[])?;
        command.args(words);
        program::output(command, Input::Bytes(input.as_bytes().to_vec()), program::DEADLINE)
    }

    /// The number that the container's first process has out here; nothing, before it is there and behind its end.
    fn first(&self) -> Option<u32> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.child.id())).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    fn await_first(&self) -> Result<u32> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(first) = self.first() {
                return Ok(first);
            }
            ensure!(Instant::now() < until, "{}", self.what_was_said("first process"));
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn entering(&self, more: &[&str]) -> Result<Command> {
        let first = self.await_first()?.to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &first, "--net", "--uts"]).args(more).arg("--");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_else(|| PATH.into()));
        die_with_us(&mut command);
        Ok(command)
    }

    /// `docker stop`: the signal to the first process; answers whether it ended well.
    pub fn stop(mut self) -> Result<bool> {
        crate::broker::signal(self.await_first()?, libc::SIGTERM);
        let status = ended_within(&mut self.child, PATIENCE)?;
        Ok(status.with_context(|| self.what_was_said("end"))?.success())
    }
}

impl Drop for Rooted {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // With the first of its processes the kernel ends all others, then lets go of the mounts, and then tells who waits for it.
        match self.first() {
            Some(first) => crate::broker::signal(first, libc::SIGKILL),
            None => drop(self.child.kill()),
        }
        if !matches!(ended_within(&mut self.child, PATIENCE), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn chroot() -> Result<String> {
    let found = PATH.split(':').map(|folder| Path::new(folder).join("chroot")).find(|path| path.exists());
    Ok(found.context("there is no chroot")?.display().to_string())
}

fn untar(archive: &Path, to: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    // SAFETY: it has no arguments and touches no memory.
    let owners = if unsafe { libc::geteuid() } == 0 { "--same-owner" } else { "--no-same-owner" };
    tar.args([owners, "-xpf"]).arg(archive).arg("-C").arg(to);
    program::run(tar, Input::Nothing).map(drop)
}

/// The file of a descriptor, whose digest and size are what it says.
fn blob(home: &Path, told: &Value) -> Result<PathBuf> {
    let digest = told["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).context("a digest")?;
    let path = home.join("blobs/sha256").join(digest);
    ensure!(fs::metadata(&path)?.len() == told["size"].as_u64().context("a size")?, "the size of {digest}");
    ensure!(sha256(&path)? == digest, "the digest of {digest}");
    Ok(path)
}

fn sha256(path: &Path) -> Result<String> {
    let mut sum = Command::new("sha256sum");
    sum.arg(path);
    let said = program::run(sum, Input::Nothing)?.text();
    Ok(said.split_whitespace().next().context("no digest")?.to_string())
}

/// Whether containers can be started here. Where they cannot, one line says so.
pub fn may_run() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| match try_namespaces() {
        Ok(()) => true,
        Err(error) => {
            println!("NOTE: no container can be started here, the images' programs are not tested: {error:#}");
            false
        }
    })
}

fn try_namespaces() -> Result<()> {
    let home = tempfile::tempdir()?;
    let mut tried = Command::new("unshare");
    let steps = "hostname a && ip link set lo up && mount -t proc proc \"$0\" && chroot --userspec=1000:1000 / true";
    tried.args(NAMESPACES).args(["--", "/bin/bash", "-c", steps]).arg(home.path()).env("PATH", PATH);
    let tried = program::output(tried, Input::Nothing, program::DEADLINE)?;
    let errors = String::from_utf8_lossy(&tried.stderr);
    ensure!(tried.code == Some(0), "{}", errors.trim().lines().last().unwrap_or_default());
    Ok(())
}
