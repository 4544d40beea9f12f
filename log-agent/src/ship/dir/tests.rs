use super::*;
use crate::lines;
use crate::ship::batch::{Batch, Limits, Line};
use crate::ship::labels::Labels;
use std::fs;
use tempfile::TempDir;

fn sink(dir: &TempDir, part_bytes: u64) -> Dir {
    Dir::new(Settings { part_bytes, ..Settings::new(dir.path().join("backup")) })
}

fn batch(file: &str, content: &[u8]) -> Batch {
    let labels = Labels::new("dc1", "host-17", "shop/web", "shop_web-1", file);
    let mut batch = Batch::new(Limits { events: 10_000, bytes: 1 << 20 });
    for piece in lines::Lines::cut(content, false, 1_000) {
        let body = &content[piece.start..piece.end];
        let line = Line { offset: piece.start as u64, part: piece.part, timestamp_ms: 1, body };
        assert!(batch.push(&labels, &line));
    }
    batch
}

fn kept(dir: &TempDir) -> PathBuf {
    dir.path().join("backup/shop_web/shop_web-1")
}

/// The parts, oldest first: time and number are in the name.
fn parts(dir: &TempDir, file: &str) -> Vec<PathBuf> {
    let mut parts: Vec<_> = fs::read_dir(kept(dir))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(file))
        .collect();
    parts.sort_by_key(|p| (fs::metadata(p).unwrap().modified().unwrap(), p.clone()));
    parts
}

/// What `zstdcat` shows: everything before the first torn frame.
fn unpacked(part: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::new(fs::File::open(part).unwrap()).unwrap();
    drop(io::copy(&mut decoder, &mut out));
    out
}

fn restored(dir: &TempDir, file: &str) -> Vec<u8> {
    parts(dir, file).iter().flat_map(|p| unpacked(p)).collect()
}

#[test]
fn parts_put_together_are_the_file_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = sink(&dir, 1 << 20);
    // lines longer than a piece, empty ones, no UTF-8
    let long = format!("{}\n\n\u{1b}[31m\n{}\n", "a".repeat(2_500), "ä".repeat(900));
    let content = [long.as_bytes(), b"\xff\xfe\0\n", &long.as_bytes()[..20], b"\n"].concat();
    for _ in 0..3 {
        sink.send(&batch("app.log", &content).all()).unwrap();
        sink.send(&batch("sub/other.log", b"x\n").all()).unwrap();
    }
    assert_eq!(restored(&dir, "app.log"), content.repeat(3));
    assert_eq!(restored(&dir, "sub%2Fother.log"), b"x\nx\nx\n");
    assert_eq!(parts(&dir, "app.log").len(), 1);
    let status = sink.status();
    assert_eq!((status.works, status.batches), (true, 6));
}

#[test]
fn a_part_is_ended_by_size_and_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = sink(&dir, 1);
    for n in 0..3 {
        sink.send(&batch("app.log", format!("{n}\n").as_bytes()).all()).unwrap();
    }
    assert_eq!(parts(&dir, "app.log").len(), 3);
    sink.settings.part_bytes = 1 << 20;
    let now = SystemTime::now();
    for (seconds, wanted) in [(0, 4), (3_599, 4), (3_601, 5)] {
        sink.keep(&batch("app.log", b"x\n").all(), now + Duration::from_secs(seconds)).unwrap();
        assert_eq!(parts(&dir, "app.log").len(), wanted, "{seconds}");
    }
    sink.end_old(now + Duration::from_secs(9_999));
    assert!(sink.parts.is_empty());
}

#[test]
fn a_torn_tail_is_read_up_to_the_tear_and_never_continued() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = sink(&dir, 1 << 20);
    first.send(&batch("app.log", b"one\n").all()).unwrap();
    first.send(&batch("app.log", b"two\n").all()).unwrap();
    drop(first);
    // as a crash leaves it: the last frame is there in part, and was not acknowledged
    let part = parts(&dir, "app.log").pop().unwrap();
    let len = fs::metadata(&part).unwrap().len();
    fs::OpenOptions::new().write(true).open(&part).unwrap().set_len(len - 3).unwrap();
    assert!(unpacked(&part).starts_with(b"one\n"));
    let mut second = sink(&dir, 1 << 20);
    second.send(&batch("app.log", b"two\n").all()).unwrap();
    assert_eq!(parts(&dir, "app.log").len(), 2);
    let text = restored(&dir, "app.log");
    assert!(text.starts_with(b"one\n") && text.ends_with(b"two\n"));
}

#[test]
fn what_cannot_be_written_is_told_and_comes_again_into_a_new_part() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = sink(&dir, 1 << 20);
    fs::write(dir.path().join("backup"), b"in the way").unwrap();
    let failure = sink.send(&batch("app.log", b"one\n").all()).unwrap_err();
    let said = failure.to_string();
    assert!(
        matches!(failure, Failure::Lost { doubtful: true, .. }) && said.contains("backup"),
        "{said}"
    );
    assert!(!sink.status().works && sink.parts.is_empty());
    fs::remove_file(dir.path().join("backup")).unwrap();
    sink.send(&batch("app.log", b"one\n").all()).unwrap();
    assert_eq!(restored(&dir, "app.log"), b"one\n");
}

#[test]
fn open_files_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = sink(&dir, 1 << 20);
    for n in 0..OPEN + 3 {
        sink.send(&batch(&format!("{n}.log"), b"x\n").all()).unwrap();
    }
    assert_eq!(sink.parts.len(), OPEN);
    assert!(sink.parts.contains_key(&kept(&dir).join(format!("{}.log", OPEN + 2))));
    // the first one was ended, and goes on in a part of its own
    sink.send(&batch("0.log", b"y\n").all()).unwrap();
    assert_eq!(parts(&dir, "0.log.").len(), 2);
}
