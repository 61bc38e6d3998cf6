//! Who uploads or downloads: an app's backend, or one of its users.

use anser_domain::limits::TOKEN_BYTES_MAX;
use anser_domain::{AppId, Code, Reject, UserId};
use anser_engine::media::MediaInfo;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::super::Api;
use super::super::auth::App;
use super::super::failure::{Failure, Result};

/// The caller acts for this app, as this user if it is one.
pub(in crate::rest) struct Caller {
    pub(super) app: AppId,
    pub(super) user: Option<UserId>,
}

impl Caller {
    /// May the caller go on with this upload, or remove this file? To others it is not there.
    pub(super) fn check_owns(&self, info: &MediaInfo) -> Result<()> {
        let owns = self.user.as_ref();
        if owns.is_some_and(|user| user.as_str() != info.owner) {
            return Err(Reject::new(Code::NotFound, "there is no such file").into());
        }
        Ok(())
    }
}

/// What may be the token of a user: three parts between dots.
fn user_token(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && token.len() <= TOKEN_BYTES_MAX;
    (fits && token.matches('.').count() >= 2).then_some(token)
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        // An operator's own token may have dots as well.
        let token = user_token(parts).filter(|token| !api.admin.is(token));
        if let Some(token) = token {
            let identity = api.engine.verify_token(token).await?;
            return Ok(Self {
                app: identity.app,
                user: Some(identity.user),
            });
        }
        let App(app) = App::from_request_parts(parts, api).await?;
        Ok(Self { app, user: None })
    }
}
