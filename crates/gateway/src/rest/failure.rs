//! Refusals as HTTP: one JSON shape, a status that fits, `Retry-After` where it helps.

use anser_domain::{Code, Reject};
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What every failed request answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// Its number; the range says what to do. See docs/errors.md.
    #[schema(example = 3010, minimum = 1000, maximum = 4999)]
    code: u32,
    /// The stable name of the code.
    #[schema(example = "NOT_FOUND")]
    name: &'static str,
    /// For a developer to read; not to be parsed.
    #[schema(example = "there is no such group")]
    message: String,
    /// Wait at least so many milliseconds before a retry; 0 leaves it to you.
    retry_after_ms: u32,
}

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    reject: Reject,
    challenge: Option<&'static str>,
}

/// What handlers return.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// The request is malformed in the way that `message` names.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Reject::new(Code::InvalidRequest, message.into()).into()
    }

    /// With another status than the code's usual one.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Not authenticated; `challenge` says how one would be.
    pub(crate) fn unauthorized(message: &'static str, challenge: &'static str) -> Self {
        Self {
            challenge: Some(challenge),
            ..Reject::new(Code::ApiKeyInvalid, message).into()
        }
    }
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        Self {
            status: status_of(reject.code),
            challenge: (reject.code == Code::ApiKeyInvalid).then_some(super::auth::BASIC_CHALLENGE),
            reject,
        }
    }
}

/// The status that says about the same as the code.
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unavailable
        | Code::Overloaded
        | Code::ShuttingDown
        | Code::HeartbeatMissed
        | Code::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
        Code::RateLimited | Code::MediaQuota => StatusCode::TOO_MANY_REQUESTS,
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Code::TokenInvalid
        | Code::TokenExpired
        | Code::TokenRevoked
        | Code::TokenWrongApp
        | Code::ApiKeyInvalid
        | Code::NotAuthenticated => StatusCode::UNAUTHORIZED,
        Code::InvalidRequest | Code::VersionNotSupported => StatusCode::BAD_REQUEST,
        Code::ContentTooLarge | Code::FrameTooLarge | Code::MediaTooLarge => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Code::NotFound | Code::UserNotFound | Code::RoomNotFound => StatusCode::NOT_FOUND,
        Code::NotAMember
        | Code::NotAllowed
        | Code::NotInSystem
        | Code::Muted
        | Code::Banned
        | Code::Blocked
        | Code::NotOnAllowList
        | Code::MutedEverywhere
        | Code::NotInRoom
        | Code::UserBanned => StatusCode::FORBIDDEN,
        Code::StaleSend
        | Code::GroupFull
        | Code::AlreadyExists
        | Code::EveryoneSubscribed
        | Code::TooManyForEveryone
        | Code::TagDecides
        | Code::TooManyForTag
        | Code::TooLate
        | Code::RoomAttributeTaken
        | Code::TooManyRoomAttributes
        | Code::UploadConflict
        | Code::Replaced
        | Code::SignedOut
        | Code::LoggedOut => StatusCode::CONFLICT,
        // The status of tus, a protocol of uploads; nobody else has one.
        Code::ChecksumMismatch => StatusCode::from_u16(460).unwrap_or(StatusCode::CONFLICT),
        Code::GroupDismissed | Code::MessageRecalled | Code::ConversationOver => StatusCode::GONE,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self {
            status,
            reject,
            challenge,
        } = self;
        if status.is_server_error() {
            // Inside the request's span, so that the request id finds this line.
            tracing::warn!(code = reject.code.name(), message = %reject.message, "request failed");
        }
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
        if reject.retry_after_ms > 0 {
            let seconds = reject.retry_after_ms.div_ceil(1000);
            headers.push((header::RETRY_AFTER, seconds.into()));
        }
        if let Some(challenge) = challenge {
            headers.push((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            ));
        }
        let body = ErrorBody {
            error: ErrorDetail {
                code: reject.code.number(),
                name: reject.code.name(),
                message: reject.message.into_owned(),
                retry_after_ms: reject.retry_after_ms,
            },
        };
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().extend(headers);
        response
    }
}

/// Where there is nothing.
pub(crate) async fn unknown_path() -> Failure {
    Reject::new(
        Code::NotFound,
        "there is nothing at this path; the API is described at /docs",
    )
    .into()
}

/// Where there is something, but not for this method; `Allow` says for which.
pub(crate) async fn unknown_method() -> Failure {
    Failure::invalid("this path does not take this method; `Allow` says which it takes")
        .status(StatusCode::METHOD_NOT_ALLOWED)
}

/// A refusal in the API's shape, for routes beside it.
pub fn refusal(reject: Reject) -> Response {
    Failure::from(reject).into_response()
}
