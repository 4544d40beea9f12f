//! A client of a viewer: frames put together, each checked against the one before.

use super::super::{Asked, Viewer};
use crate::live::room::Room;
use crate::live::testing::{DEADLINE, Lab};
use common::api_types::live::{Frame, Told};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;

/// What a client knows of one file.
#[derive(Debug, Default)]
pub struct Seen {
    pub text: String,
    pub generation: u64,
    pub next: u64,
}

/// A client: frames put together, each checked against the one before.
pub struct Client {
    pub viewer: Viewer,
    pub files: BTreeMap<String, Seen>,
    pub told: Vec<Frame>,
    pub strict: bool,
}

impl Client {
    pub fn new(lab: &Lab, asked: Asked) -> Self {
        Self::in_room(Arc::new(Room::new(lab.files.clone())), asked)
    }

    pub fn in_room(room: Arc<Room>, asked: Asked) -> Self {
        let strict = asked.filter.is_open();
        let viewer = Viewer::new(room, asked);
        Self { viewer, files: BTreeMap::new(), told: Vec::new(), strict }
    }

    pub async fn one(&mut self) -> Option<Frame> {
        let out = timeout(DEADLINE, self.viewer.next()).await;
        let out = out.unwrap_or_else(|_| panic!("no frame in time after {:?}", self.told))?;
        let told: Told = serde_json::from_slice(out.encoded.bytes()).unwrap();
        self.hear(&told.frame);
        Some(told.frame)
    }

    pub fn hear(&mut self, frame: &Frame) {
        self.told.push(frame.clone());
        match frame {
            Frame::Hello { of, offset, .. } => {
                let (text, generation, next) = (String::new(), of.generation, *offset);
                self.files.insert(of.source.clone(), Seen { text, generation, next });
            }
            Frame::Lines { of, offset, next, lines, continues, open, .. } => {
                let seen = self.files.get_mut(&of.source).expect("hello came first");
                assert_eq!(seen.generation, of.generation);
                if self.strict {
                    assert_eq!(seen.next, *offset, "no byte is left out or repeated");
                }
                assert!(*offset >= seen.next && next > offset);
                seen.next = *next;
                for (n, line) in lines.iter().enumerate() {
                    assert!(n > 0 || !continues || !seen.text.ends_with('\n'));
                    seen.text.push_str(line);
                    if n + 1 < lines.len() || !open {
                        seen.text.push('\n');
                    }
                }
            }
            Frame::Gap { of, from, to, bytes, .. } => {
                let seen = self.files.get_mut(&of.source).expect("hello came first");
                assert_eq!((seen.next, *bytes), (*from, to - from));
                seen.next = *to;
            }
            Frame::Truncated { of } => {
                let seen = self.files.entry(of.source.clone()).or_default();
                (seen.generation, seen.next) = (of.generation, 0);
            }
            _ => {}
        }
    }

    /// Hears frames until it is as wanted.
    pub async fn until(&mut self, wanted: impl Fn(&Self) -> bool) {
        while !wanted(self) {
            let told = self.one().await;
            assert!(told.is_some(), "it ended: {:?}", self.told);
        }
    }

    pub fn text(&self) -> String {
        self.files.values().map(|seen| seen.text.as_str()).collect()
    }

    pub fn has(&self, text: &str) -> bool {
        self.files.values().any(|seen| seen.text.contains(text))
    }
}
