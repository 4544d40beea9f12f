//! The frames of a live log stream (contracts.md section 4, docs/live-logs.md): what a log-agent, or the centre that relays several of
//! them, tells a viewer, and what the viewer may say. Each is one WebSocket text frame. Pure.
//!
//! `source` is what a file is known by: 16 hex digits made of its device, inode and birth. It stays the same when the file is renamed
//! and when the agent starts again; `file` is the name it has now. Offsets count bytes within a `generation`: one more each time the
//! file was truncated. Without a filter, a source's frames have no hole between them: each begins where the last one ended, or a `gap`
//! says why not. With a filter, what lies between was read and did not fit.

use crate::ids::{InstanceId, NodeName};
use crate::moment::Moment;
use serde::{Deserialize, Serialize};

mod note;

/// The subprotocol that both sides speak.
pub const PROTOCOL: &str = "qae.logs.1";
/// A subprotocol that begins so carries the ticket; the server never selects it.
pub const PROTOCOL_TICKET: &str = "qae.ticket.";

/// One frame, with the instance it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The log-agent says it in `hello` only; the centre, which merges instances, in every frame that is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// What is told.
    #[serde(flatten)]
    pub frame: Frame,
}

/// Which file, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Of {
    /// What the file is known by.
    pub source: String,
    /// Its name, in the escaped form of lists and paths.
    pub file: String,
    /// The generation that offsets count in.
    pub generation: u64,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Frame {
    /// A file joins the stream: nothing of it was told before.
    Hello {
        /// Which.
        #[serde(flatten)]
        of: Of,
        /// Its length now.
        size: u64,
        /// Where its lines begin here; what is before can be asked for.
        offset: u64,
        /// When the ticket ends, and the stream with it.
        expires: Moment,
    },
    /// No file fits yet; each that comes is told by its `hello`.
    Waiting {
        /// When the ticket ends, and the stream with it.
        expires: Moment,
    },
    /// Lines.
    Lines {
        /// Of which file.
        #[serde(flatten)]
        of: Of,
        /// The first byte this frame stands for.
        offset: u64,
        /// Behind the last.
        next: u64,
        /// When they were read.
        time: Moment,
        /// As they are in the file, without their ends; bytes that are no UTF-8 are U+FFFD.
        lines: Vec<String>,
        /// Which of them, counted from 0, have such bytes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replaced: Vec<u32>,
        /// The first one goes on with the last one of this source.
        #[serde(default, skip_serializing_if = "is_false")]
        continues: bool,
        /// The last one goes on in a later frame.
        #[serde(default, skip_serializing_if = "is_false")]
        open: bool,
    },
    /// Something was left out.
    Gap {
        /// Of which file.
        #[serde(flatten)]
        of: Of,
        /// The first byte.
        from: u64,
        /// Behind the last.
        to: u64,
        /// `to - from`.
        bytes: u64,
        /// Lines, where they could be counted.
        lines: Option<u64>,
        /// `slow` (this viewer did not keep up; they can be asked for), `hole` (NUL bytes), `truncated`, `gone` or `failed` (nobody
        /// can read them any more).
        why: String,
    },
    /// The file was renamed. Whatever is still written to it is told under the new name; the file that has the old one now says `hello`.
    Rotated {
        /// The file, with its new name.
        #[serde(flatten)]
        of: Of,
        /// The name it had.
        was: String,
    },
    /// The file was truncated or rewritten: it begins again at byte 0 of this generation.
    Truncated {
        /// The file, with the new generation.
        #[serde(flatten)]
        of: Of,
    },
    /// The file has no name any more, and everything in it was told.
    Deleted {
        /// The file.
        #[serde(flatten)]
        of: Of,
    },
    /// So many files fit, and are not in the stream since it has as many as it may.
    LeftOut {
        /// How many.
        files: u64,
    },
    /// The viewer's filter is in force from here on.
    Filter(Filter),
    /// What the viewer said was not done.
    Refused {
        /// For programs.
        code: String,
        /// For people.
        detail: String,
    },
    /// The centre only: an instance joins the stream.
    Began {
        /// Its key.
        key: String,
        /// Where it runs.
        node: Option<NodeName>,
    },
    /// The centre only: nothing comes from this instance for now. It is tried again, and goes on where it was; what cannot be had any
    /// more is then told by a `gap`.
    Away {
        /// For people.
        detail: String,
        /// When it is tried again, in milliseconds; null if when something changes.
        retry_ms: Option<u64>,
    },
    /// The stream ends; with an `instance` in a stream of several, only its part of it.
    End {
        /// For programs: `expired`, `instance_ended` (and everything was told), `gone` (its volume was removed), `stopping`, or why the
        /// ticket, the request or the viewer was refused.
        why: String,
        /// For people.
        detail: String,
    },
}

/// A file, as lists of an instance's files have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogFile {
    /// What the file is known by, whatever its name is by now.
    pub source: String,
    /// Its name, in the escaped form of frames and paths.
    pub file: String,
    /// How often it was truncated or rewritten.
    pub generation: u64,
    /// Its length.
    pub size: u64,
    /// `live`, `rotated` (renamed since it was found), `deleted` (no name any more, still open).
    pub state: String,
    /// Its last modification, as its owner says.
    #[serde(default)]
    pub modified: Option<Moment>,
    /// Its instance has ended.
    #[serde(default)]
    pub ended: bool,
}

/// Which lines are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Filter {
    /// A regular expression that lines must fit; empty: all.
    #[serde(default)]
    pub grep: String,
    /// The lines that do not fit instead.
    #[serde(default)]
    pub invert: bool,
    /// Small and capital letters are two things.
    #[serde(default = "yes")]
    pub case: bool,
}

/// What a viewer may say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// The ticket, for those who cannot send headers or subprotocols: the first thing said.
    Ticket {
        /// Its text.
        ticket: String,
    },
    /// Nothing more until `resume`. Nothing is lost meanwhile.
    Pause {},
    /// Go on.
    Resume {
        /// At the end as it is now, with a `gap` for what is left out.
        #[serde(default)]
        at_end: bool,
    },
    /// Another filter.
    Filter {
        /// See [`Filter::grep`].
        #[serde(default)]
        grep: String,
        /// See [`Filter::invert`].
        #[serde(default)]
        invert: bool,
        /// See [`Filter::case`].
        #[serde(default = "yes")]
        case: bool,
        /// Start again, with so many lines that fit; without it, go on from here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lines: Option<u32>,
    },
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of() -> Of {
        Of { source: "00ff".into(), file: "app.log".into(), generation: 2 }
    }

    #[test]
    fn frames_as_they_are_documented() {
        let lines = Frame::Lines {
            of: of(),
            offset: 10,
            next: 14,
            time: Moment::from_unix_ms(0),
            lines: vec!["a\u{1b}[31m".into()],
            replaced: Vec::new(),
            continues: false,
            open: true,
        };
        for (frame, text) in [
            (
                Told { instance: None, frame: lines },
                r#"{"type":"lines","source":"00ff","file":"app.log","generation":2,"offset":10,"next":14,"time":"1970-01-01T00:00:00.000Z","lines":["a\u001b[31m"],"open":true}"#,
            ),
            (
                Told {
                    instance: Some(InstanceId::new("i1")),
                    frame: Frame::Gap {
                        of: of(),
                        from: 1,
                        to: 3,
                        bytes: 2,
                        lines: None,
                        why: "slow".into(),
                    },
                },
                r#"{"instance":"i1","type":"gap","source":"00ff","file":"app.log","generation":2,"from":1,"to":3,"bytes":2,"lines":null,"why":"slow"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&frame).unwrap(), text);
            assert_eq!(serde_json::from_str::<Told>(text).unwrap(), frame);
        }
    }

    #[test]
    fn what_viewers_say() {
        let ask = |text| serde_json::from_str::<Ask>(text);
        assert_eq!(ask(r#"{"type":"pause"}"#).unwrap(), Ask::Pause {});
        assert_eq!(ask(r#"{"type":"resume"}"#).unwrap(), Ask::Resume { at_end: false });
        let filter = Ask::Filter { grep: "x".into(), invert: false, case: true, lines: Some(5) };
        assert_eq!(ask(r#"{"type":"filter","grep":"x","lines":5}"#).unwrap(), filter);
        for wrong in [r#"{"type":"resume","x":1}"#, r#"{"type":"shout"}"#, "[]", "1", ""] {
            assert!(ask(wrong).is_err(), "{wrong}");
        }
    }
}
