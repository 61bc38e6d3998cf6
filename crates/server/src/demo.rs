//! The demo page, the tokens it signs in with, and the chat rooms it shows.
//!
//! Whoever asks for a token gets one, for any name, in the demo's own app; whoever asks for a chat
//! room gets it too, and moderates it if it is new. So the page and what belongs to it are for this
//! machine only, unless the configuration says otherwise. Behind a reverse
//! proxy every visitor seems to come from this machine: a request that says it was forwarded
//! is not local.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anser_domain::{AppId, Code, Reject, RoomId, UserId};
use anser_engine::Engine;
use anser_engine::room::{NewRoom, RoomUpdate};
use anser_gateway::rest::refusal;
use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// What the build found in `web/demo/dist`: path and contents.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/demo_files.rs"));

/// Life of a demo token: an afternoon of playing.
const TOKEN_SECONDS: u64 = 24 * 3_600;

const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' \
     'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the demo needs.
pub(crate) struct Demo {
    pub(crate) engine: Engine,
    /// The demo's app.
    pub(crate) app: AppId,
    /// And its public name.
    pub(crate) app_key: String,
    /// Serve others than this machine.
    pub(crate) everybody: bool,
}

/// Is the page in this binary?
pub(crate) const fn built() -> bool {
    !FILES.is_empty()
}

/// The demo's routes.
pub(crate) fn router(demo: Demo) -> Router {
    let demo = Arc::new(demo);
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/demo/") }))
        .route("/demo", get(|| async { Redirect::permanent("/demo/") }))
        .route("/demo/", get(|| async { file("index.html") }))
        .route("/demo/token", post(token))
        .route("/demo/room", post(room))
        .route("/demo/{*path}", get(asset))
        .layer(middleware::from_fn_with_state(Arc::clone(&demo), admit))
        .with_state(demo)
}

async fn admit(State(demo): State<Arc<Demo>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if demo.everybody || peer.is_some_and(|peer| is_local(peer.0.ip(), request.headers())) {
        return next.run(request).await;
    }
    refusal(Reject::new(
        Code::NotAllowed,
        "the demo is for the machine it runs on; `anser serve --demo` opens it to everybody",
    ))
}

fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    peer.to_canonical().is_loopback() && !forwarded.iter().any(|name| headers.contains_key(*name))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Visitor {
    user: String,
}

#[derive(Serialize)]
struct Welcome {
    token: String,
    app_key: String,
    user_id: String,
}

async fn token(
    State(demo): State<Arc<Demo>>,
    body: Result<Json<Visitor>, JsonRejection>,
) -> Response {
    match welcome(&demo, body).await {
        Ok(welcome) => Json(welcome).into_response(),
        Err(reject) => refusal(reject),
    }
}

async fn welcome(
    demo: &Demo,
    body: Result<Json<Visitor>, JsonRejection>,
) -> Result<Welcome, Reject> {
    let Json(visitor) = body.map_err(|why| Reject::new(Code::InvalidRequest, why.body_text()))?;
    let user = user_of(&visitor.user)?;
    let token = demo
        .engine
        .mint_token(demo.app, &user, TOKEN_SECONDS)
        .await?;
    Ok(Welcome {
        token: token.token,
        app_key: demo.app_key.clone(),
        user_id: user.to_string(),
    })
}

fn user_of(name: &str) -> Result<UserId, Reject> {
    UserId::new(name.trim()).map_err(|why| Reject::new(Code::InvalidRequest, format!("user {why}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    user: String,
    room: String,
}

#[derive(Serialize)]
struct Opened {
    room: String,
    /// It is new, and the user moderates it.
    created: bool,
}

async fn room(State(demo): State<Arc<Demo>>, body: Result<Json<Host>, JsonRejection>) -> Response {
    match open_room(&demo, body).await {
        Ok(opened) => Json(opened).into_response(),
        Err(reject) => refusal(reject),
    }
}

async fn open_room(demo: &Demo, body: Result<Json<Host>, JsonRejection>) -> Result<Opened, Reject> {
    let Json(host) = body.map_err(|why| Reject::new(Code::InvalidRequest, why.body_text()))?;
    let user = user_of(&host.user)?;
    let room = RoomId::new(host.room.trim())
        .map_err(|why| Reject::new(Code::InvalidRequest, format!("room {why}")))?;
    let new = NewRoom {
        settings: RoomUpdate {
            name: Some(room.to_string()),
            ..RoomUpdate::default()
        },
        moderators: vec![user],
        ..NewRoom::default()
    };
    let created = match demo.engine.create_room(demo.app, &room, new).await {
        Ok(_) => true,
        Err(reject) if reject.code == Code::AlreadyExists => false,
        Err(reject) => return Err(reject),
    };
    Ok(Opened {
        room: room.to_string(),
        created,
    })
}

async fn asset(Path(path): Path<String>) -> Response {
    file(&path)
}

fn file(path: &str) -> Response {
    if !built() {
        return page(StatusCode::OK, NOT_BUILT);
    }
    let Some((_, contents)) = FILES.iter().find(|(name, _)| *name == path) else {
        return refusal(Reject::new(Code::NotFound, "the demo has no such file"));
    };
    // The names of what is in assets/ change with the contents.
    let caching = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = Response::new(Body::from(*contents));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(path));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    secure(headers);
    response
}

fn page(status: StatusCode, html: &'static str) -> Response {
    let mut response = (status, axum::response::Html(html)).into_response();
    secure(response.headers_mut());
    response
}

fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn content_type(path: &str) -> HeaderValue {
    HeaderValue::from_static(match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Anser demo</title><style>
body { font: 16px/1.7 system-ui, "PingFang SC", "Noto Sans CJK SC", sans-serif; max-width: 38rem;
  margin: 12vh auto; padding: 0 1.5rem; color-scheme: light dark; }
code { background: #8882; border-radius: 5px; padding: .1em .4em; }
h1 { font-weight: 600; } p[lang] { margin: 1.2rem 0; }
</style></head><body>
<h1>鸿雁 Anser</h1>
<p lang="en">The server runs. The demo page is not in this binary: it is built with Node.js 20 or
newer, and there was none, or it had not been asked. <code>make run</code> builds and serves it;
<code>make web</code> builds the page alone, then build the server again.</p>
<p lang="zh">服务器已经运行。这个程序里没有演示页面：页面需要 Node.js 20 或更新版本来构建。运行 <code>make run</code>
即可构建并启动；或先运行 <code>make web</code> 构建页面，再重新编译服务器。</p>
<p><a href="/docs">API reference · 接口参考</a></p>
</body></html>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_local() {
        let none = HeaderMap::new();
        assert!(is_local("127.0.0.1".parse().unwrap(), &none));
        assert!(is_local("::1".parse().unwrap(), &none));
        assert!(is_local("::ffff:127.0.0.1".parse().unwrap(), &none));
        assert!(!is_local("10.0.0.1".parse().unwrap(), &none));
        let mut proxied = HeaderMap::new();
        proxied.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
        assert!(!is_local("127.0.0.1".parse().unwrap(), &proxied));
    }
}
