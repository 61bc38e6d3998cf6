//! Around every request: an id, a log span, a time limit, figures, and headers that keep answers
//! out of caches and content sniffers.

#![expect(
    clippy::disallowed_methods,
    reason = "durations for metrics are measured by the machine's own clock"
)]

use std::time::Instant;

use anser_domain::{Code, Reject};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::future::{Either, select};
use tracing::Instrument as _;

use super::Api;
use super::failure::Failure;
use super::media;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes of a request id taken over from the caller.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// The middleware.
pub(super) async fn envelope(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&api, request.headers());
    let method = known_method(request.method().as_str());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("http", request_id = %id, method, route);

    let answer = Box::pin(next.run(request));
    let limit_ms = match media::is_transfer(&route, method) {
        true => media::TRANSFER_MS_MAX,
        false => api.settings.timeout_ms,
    };
    let limit = Box::pin(api.env.sleep(limit_ms));
    let mut response = async {
        match select(answer, limit).await {
            Either::Left((response, _)) => response,
            Either::Right(_) => Failure::from(Reject::from(Code::Timeout)).into_response(),
        }
    }
    .instrument(span.clone())
    .await;

    let took = started.elapsed();
    let status = response.status().as_u16();
    api.http.record(&route, method, status, took);
    span.in_scope(|| tracing::debug!(status, ms = took.as_secs_f64() * 1e3, "answered"));

    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The caller's id of the request if it is harmless in a log, or a new one.
fn request_id(api: &Api, headers: &HeaderMap) -> String {
    let harmless = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(harmless)
        .map_or_else(
            || format!("{:016x}", api.env.random_u64()),
            ToOwned::to_owned,
        )
}

/// Anybody may invent methods; as labels they would be without end.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    KNOWN
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
