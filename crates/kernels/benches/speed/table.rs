//! Times work on one and on two threads, and prints a line for each.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ddsp_kernels::limits::multiply_adds;

/// Clips in a batch, shared by the threads.
pub const N_CLIPS: usize = 16;

/// Time spent on each figure; the best run counts, since everything else on the machine only adds.
const BUDGET: Duration = Duration::from_millis(600);

/// Lanes of the vectors that [`multiply_adds`] uses.
const LANES: f64 = 16.0;

/// What a line is about.
pub struct Work {
    /// The operation.
    pub name: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// How many of them a clip has.
    pub n_units: usize,
    /// Seconds that the reference takes for 16 clips on both cores, if it was measured.
    pub reference_secs: Option<f64>,
    /// What the processor could do at best.
    pub limit: Limit,
}

/// A bound on the speed of an operation that follows from what it has to do.
#[derive(Clone, Copy)]
pub enum Limit {
    /// None that is worth computing.
    Unknown,
    /// Vector instructions of arithmetic for each unit.
    Arithmetic(f64),
    /// Bytes that must be read or written in main memory for each unit.
    Bytes(f64),
}

/// What this processor can do, one thread and two.
struct Peak {
    /// Vector instructions a second.
    instructions: [f64; 2],
    /// Bytes a second, read plus written.
    bytes: [f64; 2],
}

/// Prints lines whose name holds the filter.
pub struct Table {
    filter: String,
    peak: Peak,
}

impl Table {
    /// Measures the processor and prints the head.
    pub fn new() -> Self {
        // cargo passes `--bench`; anything else is a filter.
        let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
        let peak = Peak::measure();
        let [one, two] = peak.instructions.map(|i| 2.0 * LANES * i / 1e9);
        println!("peak of multiply-adds: {one:.0} GFLOP/s on one thread, {two:.0} on two");
        let [one, two] = peak.bytes.map(|b| b / 1e9);
        println!("copy in main memory: {one:.1} GB/s on one thread, {two:.1} on two");
        println!("\nBatches of {N_CLIPS} clips; the best of repeated runs.\n");
        println!(
            "| operation | ms, 1 thread | 2 threads | ns a unit, 1 thread | 2 threads | unit | \
             reference ms | times faster | of the limit, 1 thread | 2 threads |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        Self { filter: filter.unwrap_or_default(), peak }
    }

    /// Measures `work`: `start` makes what a thread needs, which is then called once for each clip.
    pub fn line<F: FnMut()>(&self, work: &Work, start: impl Fn() -> F + Sync) {
        if !work.name.contains(&self.filter) {
            return;
        }
        let secs = [1, 2].map(|n_threads| best_secs(n_threads, N_CLIPS / n_threads, &start));
        let n_units = (N_CLIPS * work.n_units) as f64;
        let [ns_1, ns_2] = secs.map(|s| 1e9 * s / n_units);
        let (reference, times) = match work.reference_secs {
            Some(r) => (format!("{:.1}", 1e3 * r), format!("{:.1}", r / secs[1])),
            None => ("".into(), "".into()),
        };
        let [limit_1, limit_2] = self.shares(work.limit, [ns_1, ns_2]);
        println!(
            "| {} | {:.2} | {:.2} | {ns_1:.3} | {ns_2:.3} | {} | {reference} | {times} | \
             {limit_1} | {limit_2} |",
            work.name,
            1e3 * secs[0],
            1e3 * secs[1],
            work.unit,
        );
    }

    /// The share of the limit's speed that was reached, one thread and two.
    fn shares(&self, limit: Limit, ns: [f64; 2]) -> [String; 2] {
        [0, 1].map(|i| {
            let least_secs = match limit {
                Limit::Unknown => return String::new(),
                Limit::Arithmetic(n) => n / LANES / self.peak.instructions[i],
                Limit::Bytes(n) => n / self.peak.bytes[i],
            };
            format!("{:.0} %", 100.0 * least_secs / (1e-9 * ns[i]))
        })
    }
}

impl Peak {
    fn measure() -> Self {
        let n = 50_000_000_u64;
        let instructions = [1, 2].map(|n_threads| {
            let secs = best_secs(n_threads, 1, || {
                || {
                    black_box(multiply_adds(black_box(n)));
                }
            });
            n_threads as f64 * n as f64 / LANES / secs
        });
        // 64 MB each way: beyond every cache.
        let len = 1 << 24;
        let bytes = [1, 2].map(|n_threads| {
            let secs = best_secs(n_threads, 1, || {
                let (from, mut to) = (vec![1.0_f32; len / n_threads], vec![0.0; len / n_threads]);
                move || to.copy_from_slice(black_box(&from))
            });
            (2 * 4 * len) as f64 / secs
        });
        Self { instructions, bytes }
    }
}

/// The best time of `n_threads` that each call what `start` made `n_calls` times.
fn best_secs<F: FnMut()>(n_threads: usize, n_calls: usize, start: impl Fn() -> F + Sync) -> f64 {
    let deadline = Instant::now() + BUDGET;
    let mut best = f64::INFINITY;
    let mut n_runs = 0;
    while n_runs < 3 || Instant::now() < deadline {
        best = best.min(run_secs(n_threads, n_calls, &start));
        n_runs += 1;
    }
    best
}

/// From the moment when all threads have started to the end of the last.
fn run_secs<F: FnMut()>(n_threads: usize, n_calls: usize, start: &(impl Fn() -> F + Sync)) -> f64 {
    let barrier = Barrier::new(n_threads);
    let work = || {
        let mut clip = start();
        // Once to fill caches and make every page.
        clip();
        barrier.wait();
        let begin = Instant::now();
        (0..n_calls).for_each(|_| clip());
        barrier.wait();
        begin.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..n_threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others.into_iter().map(|t| t.join().expect("a worker")).fold(mine, f64::max)
    })
}
