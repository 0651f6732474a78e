//! A small ext4 of a test's own, in a file on a loop device: to be filled up, made read-only, taken away.
//!
//! Invariant: nothing is mounted and no image is left when it is dropped. Mounting needs privileges that not every
//! machine gives: [`may_mount`] finds out, once.

use crate::{Result, ensure, program};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub struct SmallDisk {
    /// Holds the image and the place where it is mounted.
    home: tempfile::TempDir,
    is_mounted: bool,
}

impl SmallDisk {
    /// An empty file system of so many MiB, mounted.
    pub fn new(size_mib: u64) -> Result<SmallDisk> {
        let home = tempfile::Builder::new().prefix("klamm-disk-").tempdir()?;
        fs::File::create(home.path().join("image"))?.set_len(size_mib << 20)?;
        fs::create_dir(home.path().join("disk"))?;
        let mut disk = SmallDisk { home, is_mounted: false };
        // Without blocks that are kept for the superuser, who runs the tests and the brokers alike.
        run("mkfs.ext4", &["-q", "-m", "0", &disk.image()])?;
        disk.mount()?;
        Ok(disk)
    }

    fn image(&self) -> String {
        self.home.path().join("image").display().to_string()
    }

    pub fn path(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    pub fn mount(&mut self) -> Result<()> {
        run("mount", &["-o", "loop", &self.image(), &self.path().display().to_string()])?;
        self.is_mounted = true;
        Ok(())
    }

    pub fn unmount(&mut self) -> Result<()> {
        run("umount", &[&self.path().display().to_string()])?;
        self.is_mounted = false;
        Ok(())
    }

    /// What the kernel does when it finds the file system damaged: nothing is written from now on. What was written
    /// before is on the platter.
    pub fn make_read_only(&self) -> Result<()> {
        run("sync", &["-f", &self.path().display().to_string()])?;
        run("mount", &["-o", "remount,abort", &self.path().display().to_string()])
    }

    /// Takes all the room that is left; [`SmallDisk::free`] gives it back.
    pub fn fill(&self) -> Result<()> {
        // Fails by its nature, when the last block is taken.
        let filler = format!("of={}", self.filler().display());
        let output = program::output(
            program::command("dd", &["if=/dev/zero", &filler, "bs=64K", "status=none"]),
            program::Input::Nothing,
            program::DEADLINE,
        )?;
        ensure!(output.code == Some(1), "the disk could not be filled: {}", output.tail());
        Ok(())
    }

    pub fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.is_mounted {
            // Whoever still has files open loses them with the test.
            let _ = run("umount", &["-l", &self.path().display().to_string()]);
        }
    }
}

fn run(name: &str, arguments: &[&str]) -> Result<()> {
    let output = program::output(program::command(name, arguments), program::Input::Nothing, program::DEADLINE)?;
    ensure!(output.code == Some(0), "{name} {arguments:?}: {}", output.tail());
    Ok(())
}

/// Whether this machine lets the test mount anything. Where it does not, one line says so.
pub fn may_mount() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| match SmallDisk::new(8) {
        Ok(_) => true,
        Err(error) => {
            println!("NOTE: nothing can be mounted here, full and read-only disks are not tested: {error:#}");
            false
        }
    })
}

/// The tree as it is, in another place.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).stdin(Stdio::null()).status()?;
    ensure!(status.success(), "cannot copy {} to {}", from.display(), to.display());
    Ok(())
}
