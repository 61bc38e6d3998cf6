//! Refusals over HTTP: `{"code": n, "error": "…"}`, as LeanCloud's own API says them.

use anser_domain::{Code, Reject};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::leancloud::error::{Doing, Kind, Refusal};

/// The code of an object that is not there.
const NO_OBJECT: i32 = 101;
/// The code of a request that says something impossible.
const INVALID: i32 = 1;

/// A refusal on its way out.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: i32,
    error: String,
}

/// What handlers return.
pub(super) type Answer = Result<Json<Value>, Failure>;

impl Failure {
    fn new(status: StatusCode, code: i32, error: impl Into<String>) -> Self {
        let error = error.into();
        Self {
            status,
            code,
            error,
        }
    }

    /// The request is wrong in the way that `error` names.
    pub(super) fn invalid(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID, error)
    }

    /// There is no such object.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, NO_OBJECT, "Object not found.")
    }

    /// Nobody knows who asks.
    pub(super) fn unauthorized() -> Self {
        let error = "Unauthorized.";
        Self::new(StatusCode::UNAUTHORIZED, 401, error)
    }

    /// Who asks may not do this.
    pub(super) fn forbidden(error: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, 403, error)
    }

    /// With a code of its own.
    pub(super) fn coded(code: i32, error: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, error)
    }

    /// What a refusal of the engine is here, while this was done.
    pub(super) fn of(reject: Reject, doing: Doing) -> Self {
        let status = match reject.code {
            Code::NotFound
            | Code::GroupDismissed
            | Code::RoomNotFound
            | Code::UserNotFound
            | Code::ConversationOver => StatusCode::NOT_FOUND,
            Code::NotAMember | Code::NotAllowed | Code::NotInRoom | Code::UserBanned => {
                StatusCode::FORBIDDEN
            }
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable | Code::Overloaded | Code::ShuttingDown => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Code::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        let refusal = Refusal::of(reject, doing);
        Self {
            status,
            ..refusal.into()
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            Kind::ConversationNotFound | Kind::MessageNotFound => StatusCode::NOT_FOUND,
            Kind::SignatureFailed | Kind::SessionTokenExpired | Kind::SessionRequired => {
                StatusCode::UNAUTHORIZED
            }
            _ => StatusCode::BAD_REQUEST,
        };
        let reason = refusal.kind.reason();
        let error = match refusal.detail.as_ref() {
            "" => reason.to_owned(),
            detail => format!("{reason}: {detail}"),
        };
        Self::new(status, refusal.kind.number(), error)
    }
}

/// While a conversation is changed: what most routes do.
impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        Self::of(reject, Doing::Conversation)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({"code": self.code, "error": self.error});
        (self.status, Json(body)).into_response()
    }
}
