//! The `dadvisor` command.

fn main() {}
