//! The node's files for fuzz targets; see [`crate::fuzzing`].

use super::source::Before;
use super::{Emit, cpu, disks, files, filesystems, load, memory, net, pressure, uptime, vm};
use crate::kernel::mountinfo;
use common::metric::{Name, Value};

/// How many kinds of file [`node_file`] knows.
pub const NODE_FILES: u8 = 9;

/// Reads both texts as the same kernel file, ten seconds apart, and gives the figures of the second.
pub fn node_file(kind: u8, was: &str, now: &str, each: &mut dyn FnMut(Name<'_>, Value)) {
    match kind % NODE_FILES {
        0 => pair(cpu::parse, was, now, each, cpu::emit),
        1 => pair(|text| disks::parse(text, disk), was, now, each, disks::emit),
        2 => pair(
            |text| net::parse(text.as_bytes(), |name| name.len() % 2 == 0),
            was,
            now,
            each,
            net::emit,
        ),
        3 => pair(files::parse, was, now, each, |now, _, each| files::emit(now, each)),
        4 => pair(memory::parse, was, now, each, |now, _, each| memory::emit(now, each)),
        5 => pair(uptime::parse, was, now, each, |now, _, each| uptime::emit(now, each)),
        6 => pair(vm::parse, was, now, each, |now, _, each| vm::emit(now, each)),
        7 => pair(
            |text| load::parse(text, None),
            was,
            now,
            each,
            |now, _, each| {
                load::emit(now, each);
            },
        ),
        _ => drop(pressure::parse(now)),
    }
}

/// How many file systems of this mountinfo would be asked for their fill.
pub fn filesystems(mountinfo: &str) -> usize {
    filesystems::choose(&mountinfo::parse(mountinfo.as_bytes()).0).len()
}

fn disk(name: &str) -> disks::Kind {
    match name.len() % 3 {
        0 => disks::Kind::Physical,
        1 => disks::Kind::Stacked,
        _ => disks::Kind::Other,
    }
}

fn pair<T>(
    parse: impl Fn(&str) -> Result<T, String>,
    was: &str,
    now: &str,
    each: &mut Emit<'_>,
    emit: impl Fn(&T, Option<&Before<'_, T>>, &mut Emit<'_>),
) {
    let Ok(now) = parse(now) else { return };
    let was = parse(was).ok();
    let before = was.as_ref().map(|was| Before { was, seconds: 10.0 });
    emit(&now, before.as_ref(), each);
}
