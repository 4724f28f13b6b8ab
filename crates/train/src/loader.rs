//! Reads the batches ahead of the trainer.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use ddsp_model::Config;

use crate::error::Error;
use crate::order::Order;
use crate::parallel::map_indexed;
use crate::source::ExampleSource;
use crate::window::Window;

/// Batches that wait for the trainer; one more is being read meanwhile. Two bridge a hiccup of the
/// disk, and of batch 16 with windows of 4 s each takes 4 MB.
const BATCHES_AHEAD: usize = 2;

/// The batches of a run in order, read on another thread.
///
/// What a batch holds depends on its step alone, so how far the reading is ahead changes nothing. At
/// most [`BATCHES_AHEAD`] and one batch are in memory beside the trainer's own.
pub(crate) struct Loader {
    batches: Receiver<Result<Vec<Window>, Error>>,
    waited: Duration,
}

impl Loader {
    /// Starts to read the batches of `steps` (0 is the first) with up to `n_threads` at a time; ends
    /// when the loader is dropped, or after an error.
    pub(crate) fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        source: &'env dyn ExampleSource,
        config: &'env Config,
        steps: Range<u64>,
        n_threads: usize,
    ) -> Self {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        let order = Order::new(source, config);
        scope.spawn(move || read_all(order, (source, config), steps, n_threads, &sender));
        Self { batches, waited: Duration::ZERO }
    }

    /// The next batch.
    ///
    /// # Errors
    ///
    /// If an example cannot be read or used.
    ///
    /// # Panics
    ///
    /// After the last of the steps, or an error.
    pub(crate) fn next(&mut self) -> Result<Vec<Window>, Error> {
        let begin = Instant::now();
        let batch = self.batches.recv().expect("a batch for each step");
        self.waited += begin.elapsed();
        batch
    }

    /// Time that [`next`](Self::next) waited, in all.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }
}

fn read_all(
    mut order: Order,
    (source, config): (&dyn ExampleSource, &Config),
    steps: Range<u64>,
    n_threads: usize,
    sender: &SyncSender<Result<Vec<Window>, Error>>,
) {
    for step in steps {
        let draws = order.batch(step);
        let read = |i: usize| draws[i].window(source, config);
        let windows = map_indexed(draws.len(), n_threads, read);
        let batch: Result<Vec<Window>, Error> = windows.into_iter().collect();
        let is_last = batch.is_err();
        // Nobody receives any more once the run has ended.
        if sender.send(batch).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use ddsp_data::TrainingExample;
    use ddsp_kernels::FrameGrid;

    use super::*;

    /// Counts what is read of a few examples, the last of which may be missing.
    struct Counted {
        n_read: AtomicUsize,
        broken: Option<usize>,
    }

    impl ExampleSource for Counted {
        fn len(&self) -> usize {
            5
        }

        fn read(&self, index: usize, _: FrameGrid) -> Result<TrainingExample, ddsp_data::Error> {
            self.n_read.fetch_add(1, Ordering::Relaxed);
            if self.broken == Some(index) {
                return Err(ddsp_data::Error::Data(format!("example {index} is gone")));
            }
            Ok(TrainingExample {
                id: index.to_string(),
                audio: vec![index as f32; 640],
                f0_hz: vec![100.0; 10],
                f0_confidence: vec![1.0; 10],
                loudness_db: vec![-20.0; 10],
                labels: Default::default(),
            })
        }

        fn fingerprint(&self) -> u64 {
            0
        }
    }

    fn config() -> Config {
        let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
        config.train.batch = 2;
        config.train.example_secs = 0.04;
        config
    }

    #[test]
    fn batches_come_in_order_from_any_step_on_for_any_number_of_threads() {
        let (config, source) = (config(), Counted { n_read: AtomicUsize::new(0), broken: None });
        let load = |first, n, n_threads| {
            thread::scope(|scope| {
                let mut loader =
                    Loader::start(scope, &source, &config, first..first + n, n_threads);
                (0..n).map(|_| loader.next().expect("readable")).collect::<Vec<_>>()
            })
        };
        let all = load(0, 12, 1);
        let mut order = Order::new(&source, &config);
        for (step, batch) in (0..).zip(&all) {
            let ids: Vec<String> =
                order.batch(step).iter().map(|draw| draw.index.to_string()).collect();
            assert!(batch.iter().map(|window| &window.id).eq(&ids), "step {step}: {ids:?}");
        }
        assert_eq!(load(7, 5, 3), all[7..], "resuming skips");
    }

    #[test]
    fn little_is_read_ahead() {
        let (config, source) = (config(), Counted { n_read: AtomicUsize::new(0), broken: None });
        thread::scope(|scope| {
            let mut loader = Loader::start(scope, &source, &config, 0..100, 1);
            loader.next().expect("readable");
            thread::sleep(Duration::from_millis(50));
            let n_read = source.n_read.load(Ordering::Relaxed);
            // The one taken, those waiting, and the one in hand.
            assert!(
                n_read <= 2 * (2 + BATCHES_AHEAD),
                "{n_read} windows read for one batch of two"
            );
        });
    }

    #[test]
    fn an_example_that_cannot_be_read_is_told_in_its_turn() {
        let (config, mut source) =
            (config(), Counted { n_read: AtomicUsize::new(0), broken: None });
        let last = Order::new(&source, &config).batch(2)[0].index;
        source.broken = Some(last);
        thread::scope(|scope| {
            let mut loader = Loader::start(scope, &source, &config, 0..100, 2);
            // Five examples in batches of two: the third batch has the one not seen before.
            (0..2).for_each(|_| drop(loader.next().expect("readable")));
            let error = loader.next().expect_err("gone").to_string();
            assert!(error.contains("is gone"), "{error}");
        });
    }
}
