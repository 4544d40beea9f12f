//! The `qae` command.

fn main() {}
