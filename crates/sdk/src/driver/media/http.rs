//! Requests to the server's HTTP side: one connection each, since pieces are large and the rest is
//! rare. A token that the server refuses is asked for anew, once.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anser_domain::code::Code;
use anser_proto::client as wire;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::driver::address::{Address, Transport};
use crate::driver::token::{TokenError, TokenProvider};
use crate::driver::transport::Socket;
use crate::error::Error;

/// For a request with its answer: a piece on a slow line.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Where the server's HTTP side is.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(in crate::driver) struct Base {
    pub(in crate::driver) tls: bool,
    host: String,
    port: u16,
    /// `http://host:port`.
    url: String,
}

impl Base {
    /// Reads `http://host[:port]` or `https://…`.
    pub(in crate::driver) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let message = format!("\"{text}\" is not http://host[:port] or https://host[:port]");
            Error::new(Code::InvalidRequest, message)
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(wrong)?;
        if uri
            .path_and_query()
            .is_some_and(|path| path.as_str() != "/")
        {
            return Err(wrong());
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self::new(tls, host, port))
    }

    /// That of a server with a WebSocket address: it is the same listener.
    pub(in crate::driver) fn of(address: &Address) -> Option<Self> {
        let websocket = address.transport == Transport::WebSocket;
        websocket.then(|| Self::new(address.tls, &address.host, address.port))
    }

    fn new(tls: bool, host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let named = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let scheme = if tls { "https" } else { "http" };
        Self {
            tls,
            host: host.to_owned(),
            port,
            url: format!("{scheme}://{named}:{port}"),
        }
    }
}

/// What was answered.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The server's HTTP side, as one user.
pub(in crate::driver) struct Http {
    pub(in crate::driver) base: Base,
    pub(in crate::driver) tls: Option<TlsConnector>,
    pub(in crate::driver) tokens: Arc<dyn TokenProvider>,
    /// The last one that was good.
    pub(in crate::driver) token: Mutex<Option<String>>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the token.
        f.debug_tuple("Http").field(&self.base.url).finish()
    }
}

/// A request that failed.
enum Failed {
    /// The token is no good.
    Token(Error),
    Other(Error),
}

impl From<io::Error> for Failed {
    fn from(_: io::Error) -> Self {
        Self::Other(Error::not_reachable())
    }
}

impl Http {
    /// An address on this server, from its path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.url)
    }

    /// Asks, and gives the answer if it is good.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Answer, Error> {
        let known = self.known().clone();
        if let Some(token) = known {
            match self
                .once(&token, &method, path, headers, body.clone())
                .await
            {
                Err(Failed::Token(_)) => {}
                Err(Failed::Other(error)) => return Err(error),
                Ok(answer) => return Ok(answer),
            }
        }
        let token = self.tokens.token().await.map_err(no_token)?;
        match self.once(&token, &method, path, headers, body).await {
            Ok(answer) => {
                *self.known() = Some(token);
                Ok(answer)
            }
            Err(Failed::Token(error) | Failed::Other(error)) => Err(error),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // Nobody panics while holding it.
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn once(
        &self,
        token: &str,
        method: &Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Answer, Failed> {
        let wrong =
            |why: http::Error| Failed::Other(Error::new(Code::InvalidRequest, why.to_string()));
        let host = self.base.url.split_once("//").map_or("", |(_, host)| host);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(AUTHORIZATION, format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(wrong)?;
        let answered = tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request)).await;
        answered.unwrap_or_else(|_| Err(Failed::Other(Error::not_reachable())))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failed> {
        let stream = TcpStream::connect((self.base.host.as_str(), self.base.port)).await?;
        stream.set_nodelay(true)?;
        let socket: Box<dyn Socket> = match self.tls.as_ref().filter(|_| self.base.tls) {
            Some(tls) => {
                let name = ServerName::try_from(self.base.host.clone());
                let name = name.map_err(io::Error::other)?;
                Box::new(tls.connect(name, stream).await?)
            }
            None => Box::new(stream),
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
            .await
            .map_err(io::Error::other)?;
        // It ends with the answer, or with this future.
        let connection = AbortOnDrop(tokio::spawn(connection));
        let answer = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(io::Error::other)?.to_bytes();
        drop(connection);
        if head.status.is_success() {
            let headers = head.headers;
            return Ok(Answer { headers, body });
        }
        let error = refusal(head.status, &body);
        Err(match head.status {
            StatusCode::UNAUTHORIZED => Failed::Token(error),
            _ => Failed::Other(error),
        })
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn no_token(error: TokenError) -> Error {
    let code = match error {
        TokenError::Later(_) => Code::Overloaded,
        TokenError::Refused(_) => Code::TokenInvalid,
    };
    Error::new(code, error.to_string())
}

/// What the server says is wrong. An answer to `HEAD` has nothing but its status.
fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &json["error"];
    let number = |key: &str| error[key].as_u64().and_then(|n| u32::try_from(n).ok());
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    if let Some(code) = number("code") {
        return Error::from(wire::Error {
            code,
            name: text("name"),
            message: text("message"),
            retry_after_ms: number("retry_after_ms").unwrap_or(0),
        });
    }
    let code = match status {
        StatusCode::UNAUTHORIZED => Code::TokenInvalid,
        StatusCode::FORBIDDEN => Code::NotAllowed,
        StatusCode::NOT_FOUND | StatusCode::GONE => Code::NotFound,
        StatusCode::CONFLICT => Code::UploadConflict,
        status if status.is_server_error() => Code::Overloaded,
        StatusCode::TOO_MANY_REQUESTS => Code::RateLimited,
        _ => Code::InvalidRequest,
    };
    Error::new(code, format!("the server answered {status}"))
}

/// A name within an address.
pub(super) fn percent_encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => {
                // A string takes everything.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_http_is() {
        let base = |text: &str| Base::parse(text).map(|base| base.url);
        assert_eq!(base("http://h").unwrap(), "http://h:80");
        assert_eq!(base("https://[::1]:9/").unwrap(), "https://[::1]:9");
        for wrong in ["", "h", "ws://h", "http://", "http://h/path", "http://h?x"] {
            assert_eq!(base(wrong).unwrap_err().code, 3_000, "{wrong}");
        }
        let of = |text: &str| Base::of(&Address::parse(text).unwrap()).map(|base| base.url);
        assert_eq!(of("wss://h/elsewhere").unwrap(), "https://h:443");
        assert_eq!(of("ws://[::1]:9").unwrap(), "http://[::1]:9");
        assert_eq!(of("tcp://h:1"), None);
    }

    #[test]
    fn a_refusal_is_told_by_its_body_or_else_by_its_status() {
        let body =
            br#"{"error":{"code":3061,"name":"MEDIA_QUOTA","message":"m","retry_after_ms":9}}"#;
        let error = refusal(StatusCode::TOO_MANY_REQUESTS, body);
        assert_eq!((error.code, error.retry_after_ms), (3_061, 9));
        assert_eq!(refusal(StatusCode::GONE, b"").code, Code::NotFound.number());
        assert_eq!(
            refusal(StatusCode::BAD_GATEWAY, b"<html>").code,
            Code::Overloaded.number()
        );
    }

    #[test]
    fn names_in_addresses() {
        assert_eq!(percent_encoded("a b/照.png"), "a%20b%2F%E7%85%A7.png");
    }
}
