//! The router that clients ask where to connect, and the REST beside it.

use axum::extract::{Query, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde::Deserialize;
use serde_json::json;

use super::{LeanCloud, rest};

/// Seconds that clients keep the answer of the router.
const ROUTE_SECONDS: u32 = 3_600;
/// Seconds that browsers keep what they were told about other origins.
const PREFLIGHT_SECONDS: &str = "86400";
/// Headers that the SDKs send from browsers.
const HEADERS: &str = "Content-Type, Cache-Control, Origin, Accept, X-LC-Id, X-LC-Key, X-LC-Sign, X-LC-Session, \
                       X-LC-IM-Session-Token, X-LC-UA, X-LC-Prod, X-LC-Hook-Key, X-Requested-With";

/// How clients reach this server.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Reach {
    /// The listener speaks TLS.
    pub tls: bool,
}

#[derive(Clone)]
struct Routing {
    door: LeanCloud,
    reach: Reach,
}

#[derive(Deserialize)]
struct RouteQuery {
    #[serde(rename = "appId", default)]
    app_id: String,
}

/// Everything that is asked by HTTP.
pub fn router(door: LeanCloud, reach: Reach) -> Router {
    let routing = Routing {
        door: door.clone(),
        reach,
    };
    Router::new()
        .route("/v1/route", get(route).options(preflight))
        .with_state(routing)
        .merge(rest::router(door))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(any_origin))
}

/// Where the WebSocket of an application is: here, under the name that the client asked by.
async fn route(
    State(routing): State<Routing>,
    Query(query): Query<RouteQuery>,
    headers: HeaderMap,
) -> Response {
    if routing.door.app(&query.app_id).await.is_err() {
        let body = json!({"code": 404, "error": "App not found."});
        return (StatusCode::NOT_FOUND, Json(body)).into_response();
    }
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else {
        let body = json!({"code": 400, "error": "The request names no host."});
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    };
    // Behind a proxy that takes TLS off, it is the proxy that clients reach.
    let forwarded = headers.get("x-forwarded-proto");
    let secure = match forwarded.and_then(|proto| proto.to_str().ok()) {
        Some(proto) => proto.eq_ignore_ascii_case("https"),
        None => routing.reach.tls,
    };
    let scheme = if secure { "wss" } else { "ws" };
    let server = format!("{scheme}://{host}/");
    Json(json!({
        "groupId": "g0",
        "server": server,
        "secondary": server,
        "ttl": ROUTE_SECONDS,
    }))
    .into_response()
}

async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn wrong_method() -> Response {
    let body = json!({"code": 405, "error": "This address has no such method."});
    (StatusCode::METHOD_NOT_ALLOWED, Json(body)).into_response()
}

/// Pages of any origin may call: nothing here trusts a cookie.
async fn any_origin(request: axum::extract::Request, next: Next) -> Response {
    let from_page = request.headers().contains_key(ORIGIN);
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if from_page && preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    if from_page {
        let headers = response.headers_mut();
        let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
        set(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        if preflight {
            set(
                ACCESS_CONTROL_ALLOW_METHODS,
                "GET, POST, PUT, DELETE, OPTIONS",
            );
            set(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            set(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
        }
    }
    response
}
