//! TFRecord and audio data sets: read, write, sort, inspect, prepare and synthesize.

#![forbid(unsafe_code)]
