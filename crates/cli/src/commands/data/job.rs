//! The arguments of commands whose work can be shared out.

use clap::Args;
use ddsp_data::Shard;

/// Which share of the work, on how many threads, over what is there, told how.
#[derive(Args)]
pub struct Job {
    /// Do one process's share of the work, such as 0/4 (see docs/sharding.md).
    #[arg(long, value_name = "I/N", conflicts_with = "force")]
    shard: Option<Shard>,
    /// Threads to use [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Start over what an earlier run made.
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

impl Job {
    /// The share to do; without `--shard`, all.
    pub fn shard(&self) -> Shard {
        self.shard.unwrap_or_default()
    }

    /// Threads; without `--threads`, as many as there are processors.
    pub fn n_threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, |n| n.get());
        self.threads.map_or_else(all, usize::from)
    }
}
