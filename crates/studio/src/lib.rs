//! What the commands are made of, callable without a terminal.

#![forbid(unsafe_code)]
