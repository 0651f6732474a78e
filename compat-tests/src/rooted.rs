//! A container image without a container engine: its layers unpacked into a folder, its programs started in namespaces of their
//! own (network, process ids, host name, mounts) with that folder as their root. Needs root.
//!
//! Invariant: no process outlives its `Rooted`, and no folder is left.

use crate::program::{self, Input, Output, die_with_us};
use crate::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The host name that containers are given, as engines give them one of their id.
pub const HOST_NAME: &str = "c0ffee";

/// An unpacked image with its configuration.
pub struct Image {
    root: tempfile::TempDir,
    pub config: Value,
}

/// Started in an image.
pub struct Rooted {
    root: PathBuf,
    user: String,
    child: Child,
    lines: Receiver<String>,
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
        let image = Image { root, config };
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
        let inside = format!(
            "hostname {HOST_NAME}; ip link set lo up; mount -t proc proc {root}/proc; mount --bind /dev {root}/dev; \
             exec chroot --userspec={user}:{user} --groups= {root} \"$@\"",
            root = root.display()
        );
        let mut started = Command::new("unshare");
        started.args([
            "--net",
            "--uts",
            "--pid",
            "--fork",
            "--mount",
            "--kill-child",
            "--",
            "/bin/bash",
            "-c",
            &inside,
            "sh",
        ]);
        started.args(&words).env_clear();
        for pair in self.list("Env") {
            let (key, value) = pair.split_once('=').context("a variable")?;
            started.env(key, value);
        }
        // The programs of this machine in front of the change of the root are found by this one's path, too.
        started.env("PATH", "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin:/opt/kafka/bin");
        started.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        die_with_us(&mut started);
        let mut child = started.spawn().context("cannot start unshare")?;
        let (sender, lines) = channel();
        let errors = child.stderr.take().context("stderr")?;
        let output = child.stdout.take().context("stdout")?;
        let other = sender.clone();
        thread::spawn(move || {
            BufReader::new(errors).lines().map_while(|line| line.ok()).try_for_each(|line| other.send(line))
        });
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(|line| line.ok()).try_for_each(|line| sender.send(line))
        });
        Ok(Rooted { root: root.to_path_buf(), user, child, lines, said: Vec::new() })
    }
}

impl Rooted {
    /// Waits for a line with these words, as modules wait for a line of the log.
    pub fn await_line(&mut self, words: &str) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.said.iter().any(|line| line.contains(words)) {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Timeout) => crate::bail!("no {words:?} in time:\n{}", self.said.join("\n")),
                Err(RecvTimeoutError::Disconnected) => {
                    crate::bail!("it ended before {words:?}:\n{}", self.said.join("\n"))
                }
            }
        }
        Ok(())
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

    /// `docker exec`: a command inside, by the container's user.
    pub fn inside(&self, words: &[&str], input: &str) -> Result<Output> {
        let mut command = self.entering(&["--mount"])?;
        command
            .arg("chroot")
            .arg(format!("--userspec={0}:{0}", self.user))
            .arg("--groups=")
            .arg(&self.root)
            .args(words);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin:/opt/kafka/bin");
        program::output(command, Input::Bytes(input.as_bytes().to_vec()), program::DEADLINE)
    }

    /// A program of this machine in the container's network: as a client to whom the ports are mapped.
    pub fn beside(&self, words: &[&str], input: &str) -> Result<Output> {
        let mut command = self.entering(&[])?;
        command.args(words);
        program::output(command, Input::Bytes(input.as_bytes().to_vec()), program::DEADLINE)
    }

    /// The number that the container's first process has out here. It may not be there yet.
    fn first(&self) -> Result<u32> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.child.id()))?;
            if let Some(first) = children.split_whitespace().next() {
                return Ok(first.parse()?);
            }
            ensure!(Instant::now() < until, "it has ended:\n{}", self.said.join("\n"));
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn entering(&self, more: &[&str]) -> Result<Command> {
        let first = self.first()?.to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &first, "--net", "--uts"]).args(more).arg("--");
        Ok(command)
    }

    /// `docker stop`: the signal to the first process; answers whether it ended well.
    pub fn stop(mut self) -> Result<bool> {
        crate::broker::signal(self.first()?, libc::SIGTERM);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            thread::sleep(Duration::from_millis(5));
        }
        crate::bail!("it does not stop:\n{}", self.said.join("\n"))
    }
}

impl Drop for Rooted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn untar(archive: &Path, to: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--same-owner", "-xpf"]).arg(archive).arg("-C").arg(to);
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

/// Whether this process may do what it takes.
pub fn may_run() -> bool {
    let tried = Command::new("unshare").args(["--net", "--uts", "--pid", "--fork", "--mount", "true"]).status();
    tried.is_ok_and(|status| status.success())
}
