//! The `qae-api` command.

fn main() {}
