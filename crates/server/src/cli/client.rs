//! Asking the running server.

use std::path::PathBuf;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::control;
use crate::data_dir::DataDir;

/// Bytes of an answer; a list of thousands of apps is smaller.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why a subcommand could not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error(
        "no server is running on the data directory {} ({error}). Start one with `anser serve`, \
         or name another directory with --data", data.display()
    )]
    NotRunning {
        data: PathBuf,
        error: std::io::Error,
    },
    #[error("cannot read the admin token: {0}")]
    Token(#[from] crate::data_dir::DataDirError),
    #[error("the server broke off: {0}")]
    Broken(String),
    #[error("{name} ({code}): {message}")]
    Refused {
        name: String,
        code: u64,
        message: String,
    },
}

/// The server of a data directory.
pub(crate) struct Server {
    data: PathBuf,
    socket: PathBuf,
    admin_token: String,
}

impl Server {
    pub(crate) fn find(data: PathBuf, configured_token: &str) -> Result<Self, AskError> {
        let dir = DataDir::new(&data);
        let socket = dir.socket();
        if let Err(error) = std::fs::metadata(&socket) {
            return Err(AskError::NotRunning { data, error });
        }
        let admin_token = match configured_token {
            "" => dir.read_admin_token()?,
            token => token.to_owned(),
        };
        Ok(Self {
            data,
            socket,
            admin_token,
        })
    }

    /// One request; `segments` become a path, each percent-encoded. The answer is JSON, or null
    /// when there is none.
    pub(crate) async fn ask(
        &self,
        method: Method,
        app: Option<&str>,
        segments: &[&str],
        body: Option<Value>,
    ) -> Result<Value, AskError> {
        self.exchange(method, app, &path(segments), body).await
    }

    /// Where clients connect.
    pub(crate) async fn address(&self) -> Result<String, AskError> {
        let answer = self
            .exchange(Method::GET, None, control::ADDRESS_PATH, None)
            .await?;
        Ok(answer["ws"].as_str().unwrap_or_default().to_owned())
    }

    async fn exchange(
        &self,
        method: Method,
        app: Option<&str>,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, AskError> {
        let stream =
            UnixStream::connect(&self.socket)
                .await
                .map_err(|error| AskError::NotRunning {
                    data: self.data.clone(),
                    error,
                })?;
        let broken = |error: &dyn std::fmt::Display| AskError::Broken(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "anser")
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.admin_token),
            );
        if let Some(app) = app {
            request = request.header("anser-app", app);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request
            .body(Full::new(body))
            .map_err(|error| broken(&error))?;
        let exchange = async {
            let answer = sender
                .send_request(request)
                .await
                .map_err(|error| broken(&error))?;
            let status = answer.status();
            let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| broken(&error))?
                .to_bytes();
            // Without the sender the connection ends, and with it the other half of this join.
            drop(sender);
            read(status, &bytes)
        };
        // The connection's own errors reach the exchange as well.
        let (answer, _) = tokio::join!(exchange, connection);
        answer
    }
}

fn read(status: StatusCode, bytes: &[u8]) -> Result<Value, AskError> {
    if bytes.is_empty() && status.is_success() {
        return Ok(Value::Null);
    }
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|_| AskError::Broken(format!("HTTP {status} without JSON")))?;
    if status.is_success() {
        return Ok(value);
    }
    let error = &value["error"];
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    Err(AskError::Refused {
        name: text("name"),
        code: error["code"].as_u64().unwrap_or_default(),
        message: text("message"),
    })
}

/// Everything but what RFC 3986 calls unreserved is encoded.
fn path(segments: &[&str]) -> String {
    let mut path = String::from("/v1");
    for segment in segments {
        path.push('/');
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn segments_stay_segments() {
        assert_eq!(
            path(&["users", "a/b c%", "token"]),
            "/v1/users/a%2Fb%20c%25/token"
        );
        assert_eq!(path(&["users", "张"]), "/v1/users/%E5%BC%A0");
    }
}
