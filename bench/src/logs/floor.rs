//! The floor: what this machine allows whoever reads a file, finds its lines and sends them on. Nothing can do the same work for less: no
//! checkpoint, no acknowledgement, no names.

use anyhow::Result;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

const BLOCK: usize = 256 << 10;
const FRAME: usize = 1 << 20;
const HEAD: usize = 30;

/// Reads a file, copies each line behind a header of 30 bytes into frames of 1 MiB and writes them to `sink`; wall and CPU time.
pub fn frames(file: &Path, sink: SocketAddr) -> Result<(Duration, Duration)> {
    let (begin, cpu) = (Instant::now(), thread_cpu());
    let mut out = TcpStream::connect(sink)?;
    let mut file = File::open(file)?;
    let mut block = vec![0; BLOCK];
    let mut frame = Vec::with_capacity(FRAME);
    let (mut kept, mut offset) = (0, 0_u64);
    loop {
        let read = file.read(&mut block[kept..])?;
        if read == 0 {
            break;
        }
        let filled = kept + read;
        let mut at = 0;
        for end in memchr::memchr_iter(b'\n', &block[..filled]) {
            let line = &block[at..=end];
            if frame.len() + HEAD + line.len() > FRAME {
                out.write_all(&frame)?;
                frame.clear();
            }
            let mut head = [0; HEAD];
            head[..8].copy_from_slice(&offset.to_le_bytes());
            head[8..16].copy_from_slice(&(line.len() as u64).to_le_bytes());
            frame.extend_from_slice(&head);
            frame.extend_from_slice(line);
            offset += line.len() as u64;
            at = end + 1;
        }
        block.copy_within(at..filled, 0);
        kept = filled - at;
    }
    out.write_all(&frame)?;
    Ok((begin.elapsed(), thread_cpu().saturating_sub(cpu)))
}

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
