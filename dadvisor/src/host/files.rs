//! `/proc/sys/fs/file-nr`: open files of the whole node against the kernel's limit.

use super::source::{Error, parsed};
use super::{Emit, Roots};
use common::metric::{Name, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Files {
    open: u64,
    limit: u64,
}

pub(super) fn read(roots: &Roots) -> Result<Option<Files>, Error> {
    parsed(roots.proc.join("sys/fs/file-nr"), parse)
}

/// `<allocated> <unused, always 0 since 2.6> <limit>`
pub(super) fn parse(text: &str) -> Result<Files, String> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(open)), Some(Ok(_)), Some(Ok(limit))) => Ok(Files { open, limit }),
        _ => Err("not three numbers".to_owned()),
    }
}

pub(super) fn emit(now: &Files, emit: &mut Emit<'_>) {
    emit(Name::from("files.open"), Value::Int(now.open));
    // the default is "no limit", which the kernel writes as the largest signed number
    if now.limit < i64::MAX.unsigned_abs() {
        emit(Name::from("files.limit"), Value::Int(now.limit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_numbers() {
        assert_eq!(parse("672\t0\t2466177\n"), Ok(Files { open: 672, limit: 2_466_177 }));
        assert!(parse("672 0").is_err());
        let mut names = Vec::new();
        emit(&Files { open: 1, limit: i64::MAX.unsigned_abs() }, &mut |name, _| {
            names.push(name.to_string());
        });
        assert_eq!(names, ["files.open"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            drop(parse(&text));
        }
    }
}
