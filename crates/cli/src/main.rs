//! The `ddsp` command.

#![forbid(unsafe_code)]

fn main() {}
