//! Requests that are repeated when a server or the network fails.

use std::io::Read;
use std::thread;
use std::time::Duration;

use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use crate::error::{Error, Result};

/// How long a server may take and fail before a download gives up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// Failures in a row, with not a byte in between, before giving up.
    pub n_failures: u32,
    /// Wait after the first failure; doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait, also where the server asks for a longer one.
    pub longest_wait: Duration,
    /// Time to connect, and to answer.
    pub answer: Duration,
    /// Time for a body, after which a slow one is asked for again from where it is.
    pub body: Duration,
}

impl Default for Patience {
    /// Gives up after about four minutes without a byte.
    fn default() -> Self {
        Self {
            n_failures: 8,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            answer: Duration::from_secs(30),
            body: Duration::from_secs(120),
        }
    }
}

impl Patience {
    /// Waits after the `n_failures`-th failure in a row; `asked` is what the server wants.
    pub(super) fn wait(&self, n_failures: u32, asked: Option<Duration>) {
        let doubled = self.first_wait.saturating_mul(1 << n_failures.saturating_sub(1).min(16));
        thread::sleep(asked.unwrap_or(doubled).max(doubled).min(self.longest_wait));
    }
}

/// An answer that is no success.
pub(super) struct Refusal {
    pub(super) reason: String,
    /// Whether the same request may succeed later.
    pub(super) may_pass: bool,
    /// How long the server asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// An HTTP client with its patience.
pub(super) struct Client {
    agent: Agent,
    pub(super) patience: Patience,
}

impl Client {
    pub(super) fn new(patience: Patience) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(patience.answer))
            .timeout_recv_response(Some(patience.answer))
            .timeout_recv_body(Some(patience.body))
            .user_agent(concat!("ddsp/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: agent.into(), patience }
    }

    /// One request for the bytes of `url` from `first` on.
    pub(super) fn get(&self, url: &str, first: u64) -> Result<Response<Body>, Refusal> {
        let mut request = self.agent.get(url);
        if first > 0 {
            request = request.header("Range", format!("bytes={first}-"));
        }
        let response = request.call().map_err(|error| Refusal {
            reason: error.to_string(),
            may_pass: !matches!(error, ureq::Error::BadUri(_)),
            retry_after: None,
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let seconds =
            response.headers().get("Retry-After").and_then(|v| v.to_str().ok()?.parse().ok());
        Err(Refusal {
            reason: format!("the server answered {status}"),
            may_pass: status.is_server_error()
                || status == StatusCode::TOO_MANY_REQUESTS
                || status == StatusCode::REQUEST_TIMEOUT,
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    /// The whole text at `url`, at most `limit` bytes of it; repeated while failures may pass.
    pub(super) fn text(&self, url: &str, limit: u64) -> Result<String> {
        let mut n_failures = 0;
        loop {
            let answer = self.get(url, 0).and_then(|mut response| {
                let mut text = String::new();
                let mut reader = response.body_mut().as_reader().take(limit);
                reader.read_to_string(&mut text).map(|_| text).map_err(|error| Refusal {
                    reason: error.to_string(),
                    may_pass: true,
                    retry_after: None,
                })
            });
            let refusal = match answer {
                Ok(text) => return Ok(text),
                Err(refusal) => refusal,
            };
            n_failures += 1;
            if !refusal.may_pass || n_failures >= self.patience.n_failures {
                return Err(Error::Data(format!("{url}: {}", refusal.reason)));
            }
            self.patience.wait(n_failures, refusal.retry_after);
        }
    }
}
