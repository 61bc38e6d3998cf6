//! One GET: connect, send, read the body within limits, unpack.
//!
//! Redirects are not followed: a redirect to another host would carry the master key there.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::ambient;
use crate::error::Error;

/// Largest answer, as sent and unpacked: a page of 1,000 objects of 64 KB.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// An answer, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// A connection pool to the source.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    timeout: Duration,
}

impl Http {
    /// `timeout` limits one request from connecting to the last byte.
    pub(crate) fn new(timeout: Duration) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| Error::Usage(format!("TLS cannot be set up: {error}")))?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(Self { client, timeout })
    }

    /// Fetches `uri`; the error is a sentence for the operator and holds no header.
    pub(crate) async fn get(&self, uri: &Uri, headers: &HeaderMap) -> Result<Answer, String> {
        let response = async {
            let response = self.send(uri, headers).await?;
            let status = response.status();
            let header = |name| {
                response
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok())
            };
            let retry_after = header(RETRY_AFTER).and_then(|s| s.trim().parse().ok());
            let packed = header(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
            let body = collect(response.into_body()).await?;
            let body = if packed { unpack(&body)? } else { body };
            Ok(Answer {
                status,
                retry_after: retry_after.map(Duration::from_secs),
                body,
            })
        };
        let limit = self.timeout;
        let late = || Err(format!("no complete answer within {} s", limit.as_secs()));
        ambient::timeout(limit, response).await.unwrap_or_else(late)
    }

    /// Fetches `uri` without any credentials and hands the body on piece by piece.
    pub(crate) async fn download(
        &self,
        uri: &Uri,
        mut piece: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<StatusCode, String> {
        let response = self.send(uri, &HeaderMap::new()).await?;
        let status = response.status();
        let mut body = response.into_body();
        if status.is_success() {
            // The limit is on standing still, not on the whole: files may be large.
            while let Some(frame) = ambient::timeout(self.timeout, body.frame())
                .await
                .ok_or_else(|| "the download stood still".to_owned())?
            {
                if let Ok(data) = frame.map_err(|error| reason(&error))?.into_data() {
                    piece(&data)?;
                }
            }
        }
        Ok(status)
    }

    async fn send(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<http::Response<Incoming>, String> {
        let mut request = Request::get(uri.clone())
            .body(Empty::new())
            .map_err(|e| e.to_string())?;
        *request.headers_mut() = headers.clone();
        let fixed = request.headers_mut();
        fixed.insert(
            USER_AGENT,
            HeaderValue::from_static("anser-leancloud-archive"),
        );
        if !headers.is_empty() {
            fixed.insert(ACCEPT, HeaderValue::from_static("application/json"));
            fixed.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let response = ambient::timeout(self.timeout, self.client.request(request)).await;
        response
            .ok_or_else(|| "no answer in time".to_owned())?
            .map_err(|error| reason(&error))
    }
}

async fn collect(mut body: Incoming) -> Result<Bytes, String> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| reason(&error))?.into_data() {
            if whole.len() + data.len() > ANSWER_BYTES_MAX {
                return Err("the answer is longer than 64 MiB".to_owned());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.into())
}

fn unpack(body: &[u8]) -> Result<Bytes, String> {
    let mut whole = Vec::new();
    let mut unpacked = MultiGzDecoder::new(body).take(ANSWER_BYTES_MAX as u64 + 1);
    unpacked
        .read_to_end(&mut whole)
        .map_err(|error| format!("the answer cannot be unpacked: {error}"))?;
    if whole.len() > ANSWER_BYTES_MAX {
        return Err("the answer is longer than 64 MiB".to_owned());
    }
    Ok(whole.into())
}

/// An error with what caused it: hyper's own text alone says little.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
