//! The source: LeanCloud's REST interface, read-only.
//!
//! [`Api::get`] sends one logical request until it is answered for good: paced by the [`gate`],
//! repeated after resets, timeouts, half answers and server errors, with growing pauses. A refusal
//! for too many requests is no failure and is waited out however long it lasts; anything else
//! that goes on for longer than the operator's patience is given up, and the caller lists it.
//!
//! [`gate`]: self

mod credentials;
mod gate;
mod http;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::http::{StatusCode, Uri, header::HeaderMap};
use serde::Deserialize;
use tokio::sync::Semaphore;

pub use credentials::MASTER_KEY_VARIABLE;
pub(crate) use credentials::headers;

use self::gate::Gate;
use self::http::{Answer, Http};
use crate::ambient;
use crate::error::Error;

/// First and longest pause between attempts at one request.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Why one request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// The credentials are wrong; nothing else would succeed.
    #[error("the application id or master key was refused: {0}")]
    Unauthorized(String),
    /// The source refused this request and would refuse it again.
    #[error("refused with {status}: {message} (code {code})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// LeanCloud's code, or 0.
        code: i64,
        /// LeanCloud's words.
        message: String,
    },
    /// No answer for longer than the patience allows; the text is the last failure.
    #[error("given up after {attempts} attempts: {last}")]
    GaveUp {
        /// Requests sent.
        attempts: u32,
        /// How the last one failed.
        last: String,
    },
}

impl ApiError {
    /// What the source says when it has no such thing: class, conversation, or route.
    pub(crate) fn is_absent(&self) -> bool {
        // 101: class or object does not exist
        // (https://docs.leancloud.cn/sdk/other/error-code/, 101).
        matches!(self, Self::Refused { status, code, .. } if *status == 404 || *code == 101)
    }
}

/// How to reach the source and how hard to press it.
pub(crate) struct Settings {
    /// Scheme and host, without a path.
    pub(crate) host: String,
    pub(crate) headers: HeaderMap,
    /// Requests a second at most.
    pub(crate) rate: f64,
    /// Requests under way at once.
    pub(crate) parallel: usize,
    /// Limit of one request.
    pub(crate) timeout: Duration,
    /// How long one request may keep failing.
    pub(crate) patience: Duration,
}

/// What was sent so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Requests sent, repeated ones included.
    pub(crate) requests: AtomicU64,
    /// Refusals with 429.
    pub(crate) throttled: AtomicU64,
    /// Requests that failed otherwise and were repeated.
    pub(crate) failed: AtomicU64,
}

/// A connection to the source.
pub(crate) struct Api {
    settings: Settings,
    http: Http,
    gate: Mutex<Gate>,
    under_way: Semaphore,
    /// For progress and the log of runs.
    pub(crate) counters: Counters,
}

/// A request as one attempt sends it.
pub(crate) struct Call {
    path: String,
    query: String,
}

impl Call {
    /// A path below the host. Parts that come from data are escaped by [`escape`].
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            query: String::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.query
            .push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        self.query.push_str(&escape(&value.to_string()));
        self
    }
}

/// Escapes everything that could mean something in a path or query.
pub(crate) fn escape(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        })
}

enum Outcome<T> {
    Done(T),
    Throttled(Option<Duration>),
    Failed(String),
    Refused(ApiError),
}

impl Api {
    pub(crate) fn new(settings: Settings) -> Result<Self, Error> {
        let http = Http::new(settings.timeout)?;
        let gate = Mutex::new(Gate::new(settings.rate));
        let under_way = Semaphore::new(settings.parallel);
        Ok(Self {
            settings,
            http,
            gate,
            under_way,
            counters: Counters::default(),
        })
    }

    /// Requests under way at once, at most.
    pub(crate) fn parallel(&self) -> usize {
        self.settings.parallel
    }

    /// Requests a second at present.
    pub(crate) fn rate(&self) -> f64 {
        self.gate().rate()
    }

    /// Sends a request until it has an answer that `parse` accepts. `call` makes the request of each
    /// attempt, so that a page can get smaller when it keeps failing.
    pub(crate) async fn get<T>(
        &self,
        call: impl Fn(u32) -> Call,
        parse: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, ApiError> {
        let mut attempt = 0;
        let mut failing_since = None;
        loop {
            let call = call(attempt);
            match self.once(&call, &parse).await? {
                Outcome::Done(value) => return Ok(value),
                Outcome::Refused(error) => return Err(error),
                Outcome::Throttled(retry_after) => {
                    self.counters.throttled.fetch_add(1, Ordering::Relaxed);
                    self.gate().refused(ambient::monotonic(), retry_after);
                }
                Outcome::Failed(last) => {
                    self.counters.failed.fetch_add(1, Ordering::Relaxed);
                    attempt += 1;
                    let now = ambient::monotonic();
                    let since = *failing_since.get_or_insert(now);
                    if now - since >= self.settings.patience {
                        return Err(ApiError::GaveUp {
                            attempts: attempt,
                            last,
                        });
                    }
                    ambient::sleep(backoff(attempt, ambient::jitter())).await;
                }
            }
        }
    }

    async fn once<T>(
        &self,
        call: &Call,
        parse: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Outcome<T>, ApiError> {
        let _permit = self
            .under_way
            .acquire()
            .await
            .expect("the semaphore is never closed");
        self.wait_for_gate().await;
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let text = format!("{}{}{}", self.settings.host, call.path, call.query);
        let uri: Uri = match text.parse() {
            Ok(uri) => uri,
            Err(_) => return Ok(refused(0, "this cannot be a URL")),
        };
        let answer = match self.http.get(&uri, &self.settings.headers).await {
            Ok(answer) => answer,
            Err(reason) => return Ok(Outcome::Failed(reason)),
        };
        Ok(self.judge(&answer, parse))
    }

    fn judge<T>(&self, answer: &Answer, parse: impl Fn(&[u8]) -> Result<T, String>) -> Outcome<T> {
        let status = answer.status;
        if status.is_success() {
            self.gate().answered();
            return match parse(&answer.body) {
                Ok(value) => Outcome::Done(value),
                Err(reason) => {
                    Outcome::Failed(format!("an answer that is not understood: {reason}"))
                }
            };
        }
        let error = Refusal::read(&answer.body);
        match status {
            StatusCode::TOO_MANY_REQUESTS => Outcome::Throttled(answer.retry_after),
            StatusCode::UNAUTHORIZED => Outcome::Refused(ApiError::Unauthorized(error.message)),
            StatusCode::REQUEST_TIMEOUT => Outcome::Failed("408 Request Timeout".to_owned()),
            _ if status.is_server_error() => {
                Outcome::Failed(format!("{status}: {}", error.message))
            }
            _ => Outcome::Refused(ApiError::Refused {
                status: status.as_u16(),
                code: error.code,
                message: error.message,
            }),
        }
    }

    async fn wait_for_gate(&self) {
        loop {
            let now = ambient::monotonic();
            let at = self.gate().reserve(now);
            if at > now {
                ambient::sleep(at - now).await;
            }
            if self.gate().still_open(ambient::monotonic()) {
                return;
            }
        }
    }

    /// Downloads a file of the application's file domain; no credentials are sent there.
    pub(crate) async fn download(
        &self,
        uri: &Uri,
        piece: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<StatusCode, String> {
        let _permit = self
            .under_way
            .acquire()
            .await
            .expect("the semaphore is never closed");
        self.http.download(uri, piece).await
    }

    /// The source's clock, in milliseconds.
    pub(crate) async fn time(&self) -> Result<i64, ApiError> {
        #[derive(Deserialize)]
        struct Date {
            iso: String,
        }
        let parse = |body: &[u8]| {
            let date: Date = serde_json::from_slice(body).map_err(|error| error.to_string())?;
            crate::civil::parse_iso(&date.iso).ok_or_else(|| format!("`{}` is no time", date.iso))
        };
        self.get(|_| Call::new("/1.1/date"), parse).await
    }

    /// How long to wait before an attempt at something outside [`Api::get`]; `None` when patience ends.
    pub(crate) fn pause_before(&self, attempt: u32, failing_for: Duration) -> Option<Duration> {
        (failing_for < self.settings.patience).then(|| backoff(attempt, ambient::jitter()))
    }

    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate
            .lock()
            .expect("nothing panics while it holds the gate")
    }
}

fn refused<T>(status: u16, message: &str) -> Outcome<T> {
    Outcome::Refused(ApiError::Refused {
        status,
        code: 0,
        message: message.to_owned(),
    })
}

/// Doubles from attempt to attempt; the random half keeps parallel requests apart.
fn backoff(attempt: u32, jitter: f64) -> Duration {
    let full = BACKOFF_FIRST
        .saturating_mul(1 << attempt.saturating_sub(1).min(10))
        .min(BACKOFF_MAX);
    full.mul_f64(0.5 + jitter / 2.0)
}

/// LeanCloud's form of an error: `{"code":101,"error":"…"}`.
#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: i64,
    #[serde(default, rename = "error")]
    message: String,
}

impl Refusal {
    fn read(body: &[u8]) -> Self {
        let mut refusal: Self = serde_json::from_slice(body).unwrap_or_else(|_| Self {
            code: 0,
            message: String::from_utf8_lossy(body).into_owned(),
        });
        // Gateways answer with whole pages of HTML.
        if let Some((end, _)) = refusal.message.char_indices().nth(200) {
            refusal.message.truncate(end);
        }
        refusal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_limit() {
        assert_eq!(backoff(1, 1.0), BACKOFF_FIRST);
        assert_eq!(backoff(5, 1.0), Duration::from_secs(4));
        assert_eq!(backoff(30, 1.0), BACKOFF_MAX);
        assert_eq!(backoff(5, 0.0), Duration::from_secs(2));
    }

    #[test]
    fn queries_are_escaped() {
        let call = Call::new(format!("/x/{}", escape("a/b")))
            .with("where", r#"{"a":1}"#)
            .with("n", 5);
        assert_eq!(
            format!("{}{}", call.path, call.query),
            "/x/a%2Fb?where=%7B%22a%22%3A1%7D&n=5"
        );
    }

    #[test]
    fn refusals_are_read_and_cut() {
        let refusal = Refusal::read(br#"{"code":101,"error":"no such class"}"#);
        assert_eq!(
            (refusal.code, refusal.message.as_str()),
            (101, "no such class")
        );
        let html = "鸿".repeat(5000);
        assert_eq!(Refusal::read(html.as_bytes()).message.chars().count(), 200);
    }
}
