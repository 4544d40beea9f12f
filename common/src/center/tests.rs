//! The client against a played centre: one that refuses, hangs, forgets, closes, falls silent, and says what nobody can read.

mod follow;
mod play;
mod report;

use super::*;

#[test]
fn names_are_escaped_for_a_path() {
    assert_eq!(escaped("host-1.example_~"), "host-1.example_~");
    assert_eq!(escaped("a/b c\u{e9}%?&"), "a%2Fb%20c%C3%A9%25%3F%26");
}
