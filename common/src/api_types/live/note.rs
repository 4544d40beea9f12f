//! Frames in words, for whoever shows lines as plain text. Pure.

use super::Frame;

impl Frame {
    /// What is to be said between the lines; None for lines, and for what needs no words. Text of others is in it as it came: escape it.
    pub fn note(&self) -> Option<String> {
        Some(match self {
            Self::Gap { of, bytes, lines, why, .. } => {
                let lines = lines.map(|lines| format!("{lines} lines, ")).unwrap_or_default();
                let why = match why.as_str() {
                    "slow" => "this reader is too slow",
                    "hole" => "they are NUL bytes",
                    "truncated" => "the file was truncated before they were read",
                    "gone" => "the file is gone",
                    _ => "they cannot be read",
                };
                format!("{}: left out {lines}{bytes} bytes: {why}", of.file)
            }
            Self::Rotated { of, was } => format!("{was} is {} now", of.file),
            Self::Truncated { of } => format!("{} was truncated", of.file),
            Self::Deleted { of } => format!("{} was deleted", of.file),
            Self::LeftOut { files } => format!("{files} more files fit, and are left out"),
            Self::Refused { detail, .. } => detail.clone(),
            Self::Away { detail, retry_ms: Some(ms) } => {
                // a tenth of a second is exact enough
                format!("{detail}; tried again in {}.{} s", ms / 1_000, ms % 1_000 / 100)
            }
            Self::Away { detail, retry_ms: None } => detail.clone(),
            Self::End { why, .. } if why == "complete" => return None,
            Self::End { detail, .. } => detail.clone(),
            Self::Hello { .. }
            | Self::Waiting { .. }
            | Self::Lines { .. }
            | Self::Filter(_)
            | Self::Began { .. } => return None,
        })
    }
}
