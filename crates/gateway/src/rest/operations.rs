//! For whoever runs the server: is it alive, is it ready, how is it doing. Without secrets and
//! without names of users, so these need no key.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Api;
use super::failure::{ErrorBody, Result};

/// The process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain")),
    security()
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The server takes requests: the store answers, and it is not going down.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "It does.", body = String, content_type = "text/plain"),
        (status = 503, description = "Not now.", body = ErrorBody),
        (status = 507, description = "The disk is full.", body = ErrorBody),
    ),
    security()
)]
pub(super) async fn readyz(State(api): State<Api>) -> Result<&'static str> {
    api.engine.ready().await?;
    Ok("ready\n")
}

/// Figures in Prometheus' text format.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The figures.", body = String, content_type = "text/plain")),
    security()
)]
pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let mut text = String::new();
    api.http.write(&mut text);
    for write in &api.metrics {
        write(&mut text);
    }
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
}
