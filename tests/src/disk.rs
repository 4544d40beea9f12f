//! A small file system of a test's own, to be filled.

use anyhow::{Context, Result, ensure};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::fs::{File, create_dir_all, remove_file};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file system; gone with this.
#[derive(Debug)]
pub struct Small(PathBuf);

impl Small {
    /// Mounts one of so many MiB.
    pub fn mount(at: &Path, mib: u32) -> Result<Self> {
        create_dir_all(at)?;
        let options = CString::new(format!("size={mib}m,mode=700"))?;
        mount("tmpfs", at, "tmpfs", MountFlags::empty(), Some(options.as_c_str()))
            .context("mount tmpfs")?;
        Ok(Self(at.to_owned()))
    }

    /// Takes what is left of it.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::create(self.ballast())?;
        let error = loop {
            if let Err(e) = file.write_all(&[0; 4096]) {
                break e;
            }
        };
        ensure!(error.kind() == ErrorKind::StorageFull, "{error}");
        Ok(())
    }

    /// Gives it back.
    pub fn free(&self) -> Result<()> {
        Ok(remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        if let Err(e) = unmount(&self.0, UnmountFlags::DETACH) {
            eprintln!("{} stays mounted: {e}", self.0.display());
        }
    }
}
