//! Speed of the kernels, on one thread and two, beside the reference and the processor's limits.
//!
//! `cargo bench -p ddsp-kernels --bench speed [-- part of a name]`. A batch is 16 clips of 4 s at
//! 16 kHz. The reference is magenta/ddsp 3.7 on TensorFlow 2.15, on both cores of an AMD EPYC with
//! AVX-512 as the rest: its figure says something on such a machine only. The limits are measured
//! in the same run. No test looks at any of this.

#[path = "speed/banks.rs"]
mod banks;
#[path = "speed/layers.rs"]
mod layers;
#[path = "speed/maps.rs"]
mod maps;
#[path = "speed/spectral.rs"]
mod spectral;
#[path = "speed/synths.rs"]
mod synths;
#[path = "speed/table.rs"]
mod table;

fn main() {
    let table = table::Table::new();
    synths::lines(&table);
    banks::lines(&table);
    spectral::lines(&table);
    layers::lines(&table);
    maps::lines(&table);
}
