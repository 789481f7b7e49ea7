//! The `walbook` command.

fn main() {}
