//! A stand-in for LeanCloud's REST interface, written from its documentation.
//!
//! It holds an application made from a seed ([`source::Source`]), answers the requests an archive needs
//! with the documented paging, limits and errors ([`routes`]), and misbehaves as asked
//! ([`faults::Faults`]). Its clock is its own: a time in the past that tests move by hand.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test server owns its thread, its runtime and its delays, and may panic; truncated dice are dice"
)]

pub(crate) mod faults;
pub(crate) mod routes;
pub(crate) mod source;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::faults::{Fault, Faults};
use self::routes::{Answer, State};
use self::source::Source;

pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// A running server; dropping it stops it.
pub(crate) struct StandIn {
    pub state: Arc<State>,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl StandIn {
    pub(crate) fn start(source: Source, faults: Faults) -> Self {
        let state = Arc::new(State::new(source, faults));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let shared = state.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            runtime.unwrap().block_on(serve(shared, tell, stopped));
        });
        let address = told.recv().unwrap();
        state.set_address(address);
        Self {
            state,
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

async fn serve(
    state: Arc<State>,
    tell: std::sync::mpsc::Sender<SocketAddr>,
    mut stopped: oneshot::Receiver<()>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    tell.send(listener.local_addr().unwrap()).unwrap();
    loop {
        let stream = tokio::select! {
            biased;
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted.unwrap().0,
        };
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(state.clone(), request));
            // Broken connections are part of the play.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    state: Arc<State>,
    request: http::Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let (number, fault) = state.arrived(request.uri());
    match fault {
        Fault::Slow => tokio::time::sleep(Duration::from_millis(30)).await,
        Fault::Reset => return Err(io::Error::other("reset")),
        Fault::ServerError => {
            return Ok(plain(StatusCode::BAD_GATEWAY, "<html>bad gateway</html>"));
        }
        Fault::Garbage => {
            return Ok(plain(
                StatusCode::OK,
                "<html>welcome to the hotel network</html>",
            ));
        }
        Fault::Throttled(retry_after) => {
            let mut response = plain(
                StatusCode::TOO_MANY_REQUESTS,
                r#"{"code":429,"error":"Too many requests."}"#,
            );
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            return Ok(response);
        }
        Fault::None | Fault::Truncated => {}
    }
    let Answer { status, text } = state.answer(request.uri(), request.headers());
    if fault == Fault::Truncated && text.len() > 2 {
        return Ok(truncated(text));
    }
    state.answered(request.uri(), status);
    let zip = request
        .headers()
        .get("accept-encoding")
        .is_some_and(|v| v == "gzip")
        && number % 2 == 0;
    if zip {
        use std::io::Write as _;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text)?;
        let mut response = response(status, Full::new(gzip.finish()?.into()));
        response
            .headers_mut()
            .insert("content-encoding", http::HeaderValue::from_static("gzip"));
        return Ok(response);
    }
    Ok(response(status, Full::new(text.into())))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    response(status, Full::new(Bytes::from_static(text.as_bytes())))
}

fn response(status: StatusCode, body: Full<Bytes>) -> Response<Body> {
    let never = |error: Infallible| match error {};
    let mut response = Response::new(body.map_err(never).boxed());
    *response.status_mut() = status;
    response
}

/// Promises the whole length, sends half, and breaks the connection.
fn truncated(text: Vec<u8>) -> Response<Body> {
    let whole = text.len();
    let half = Bytes::from(text).slice(..whole / 2);
    let frames = [Ok(Frame::data(half)), Err(io::Error::other("cut"))];
    let mut response = Response::new(BoxBody::new(StreamBody::new(futures::stream::iter(frames))));
    response
        .headers_mut()
        .insert("content-length", whole.into());
    response
}
