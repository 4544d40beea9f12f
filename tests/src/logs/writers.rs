//! Writers of numbered lines: `w<writer> g<generation> s<serial> <padding>`. Each writes one file at a rate and rotates it as logrotate
//! would, by rename or by copying and truncating; the serial goes on over generations, so that what is missing shows.

use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How a file is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// `app.log` becomes `app.log.1`, that `app.log.2`..., the last is removed: inodes are used again at once.
    Rename,
    /// `app.log` is copied to `app.log.1` and truncated.
    CopyTruncate,
}

/// One writer.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its number.
    pub writer: u32,
    /// The file it writes.
    pub file: PathBuf,
    /// How the file is rotated.
    pub rotation: Rotation,
    /// Lines of a generation; 0 for no rotation.
    pub generation: u64,
    /// Rotated generations that stay.
    pub keep: u32,
    /// Lines a second.
    pub rate: u64,
    /// Length of a line with its LF, at least 40.
    pub length: usize,
}

/// What one writer wrote.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Its number.
    pub writer: u32,
    /// How many lines; their serials count from 0.
    pub lines: u64,
    /// How its file was rotated.
    pub rotation: Rotation,
    /// How often.
    pub rotations: u64,
}

/// Running writers, a thread each.
#[derive(Debug)]
pub struct Writers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Written>>>,
}

impl Writers {
    /// Starts them.
    pub fn start(plans: Vec<Plan>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = plans
            .into_iter()
            .map(|plan| {
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || write(&plan, &stop))
            })
            .collect();
        Self { stop, threads }
    }

    /// Ends them, after the line they are at.
    pub fn stop(self) -> Result<Vec<Written>> {
        self.stop.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads.map(|t| t.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?).collect()
    }
}

/// One line as the writers number them.
pub fn line(writer: u32, generation: u64, serial: u64, length: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    // writing to a Vec cannot fail
    write!(out, "w{writer:03} g{generation:05} s{serial:010} ").ok();
    out.resize((begin + length).max(out.len() + 1) - 1, b'.');
    out.push(b'\n');
}

fn write(plan: &Plan, stop: &AtomicBool) -> Result<Written> {
    let mut file = open(&plan.file)?;
    let (mut serial, mut generation, mut within) = (0_u64, 0_u64, 0_u64);
    let mut lines = Vec::new();
    let begin = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        // what is due by now, as one write: at most up to the next rotation
        let due = u64::try_from(begin.elapsed().as_micros())?.saturating_mul(plan.rate) / 1_000_000;
        let mut some = due.saturating_sub(serial).min(2_000);
        if plan.generation > 0 {
            some = some.min(plan.generation - within);
        }
        lines.clear();
        for _ in 0..some {
            line(plan.writer, generation, serial, plan.length, &mut lines);
            serial += 1;
        }
        file.write_all(&lines).with_context(|| plan.file.display().to_string())?;
        within += some;
        if plan.generation > 0 && within == plan.generation {
            file = rotate(plan, file)?;
            within = 0;
            generation += 1;
        }
        // pacing of the load, not waiting for something
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Written {
        writer: plan.writer,
        lines: serial,
        rotation: plan.rotation,
        rotations: generation,
    })
}

fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.with_context(|| path.display().to_string())
}

fn rotate(plan: &Plan, file: File) -> Result<File> {
    let name = |n: u32| PathBuf::from(format!("{}.{n}", plan.file.display()));
    for n in (1..plan.keep).rev() {
        if name(n).exists() {
            fs::rename(name(n), name(n + 1))?;
        }
    }
    match plan.rotation {
        Rotation::Rename => {
            fs::rename(&plan.file, name(1))?;
            open(&plan.file)
        }
        Rotation::CopyTruncate => {
            fs::copy(&plan.file, name(1))?;
            file.set_len(0)?;
            Ok(file)
        }
    }
}
