//! Pages of other origins may upload and download: whoever calls shows a token or a signature, and
//! browsers add nothing by themselves that would count here.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

const ANY: HeaderValue = HeaderValue::from_static("*");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, range, tus-resumable, upload-checksum, upload-length, \
     upload-metadata, upload-offset",
);
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "content-range, etag, location, tus-resumable, tus-version, upload-expires, upload-length, \
     upload-offset",
);
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PATCH, DELETE");
const DAY: HeaderValue = HeaderValue::from_static("86400");

/// Answers `OPTIONS`, of browsers and of tus clients.
pub(super) async fn asked() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Adds what browsers, and tus clients, want to see.
pub(super) async fn cors(request: Request, next: Next) -> Response {
    let resumable = request.uri().path().starts_with("/v1/media/uploads");
    let asks = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    if asks {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, DAY);
    }
    if resumable {
        tus(headers, asks);
    }
    response
}

fn tus(headers: &mut HeaderMap, asks: bool) {
    let mut say = |name: &'static str, value: &'static str| {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    };
    say("tus-resumable", super::tus::VERSION);
    say("tus-version", super::tus::VERSION);
    if asks {
        say("tus-extension", "creation,expiration,checksum,termination");
        say("tus-checksum-algorithm", "sha1,sha256");
    }
}
