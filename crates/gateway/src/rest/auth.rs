//! Who calls.
//!
//! * An app's backend: `Authorization: Basic base64(app_key:api_secret)`.
//! * An operator: `Authorization: Bearer <admin token>`. For a request about what is inside an
//!   app, the header `Anser-App` names it by its app key.
//!
//! The app of a request comes from here and from nowhere else: no path or body can name one that
//! the caller does not hold the secret of.

use anser_domain::{AppId, Code};
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{Digest, SHA256, digest};

use super::Api;
use super::failure::{Failure, Result};

/// `WWW-Authenticate` where an app's backend is expected.
pub(crate) const BASIC_CHALLENGE: &str = "Basic realm=\"anser\", charset=\"UTF-8\"";
const BEARER_CHALLENGE: &str = "Bearer realm=\"anser\"";
const APP_HEADER: &str = "anser-app";
/// Bytes of an `Authorization` header that are looked at.
const CREDENTIALS_BYTES_MAX: usize = 1024;

/// The admin token, kept as a digest: comparing digests tells a guesser nothing by its duration.
pub(super) struct AdminToken(Digest);

impl AdminToken {
    pub(super) fn new(token: &str) -> Self {
        Self(digest(&SHA256, token.as_bytes()))
    }

    pub(super) fn is(&self, given: &str) -> bool {
        digest(&SHA256, given.as_bytes()).as_ref() == self.0.as_ref()
    }
}

/// The caller acts for this app.
pub(crate) struct App(pub(crate) AppId);

/// The caller holds the admin token.
pub(crate) struct Admin;

/// The caller acts for this app, or holds the admin token; the path names the app.
pub(crate) enum AppOrAdmin {
    App(AppId),
    Admin,
}

enum Credentials<'a> {
    Basic { key: String, secret: String },
    Bearer(&'a str),
}

fn credentials(headers: &HeaderMap) -> Option<Credentials<'_>> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let value = all.next()?.to_str().ok()?;
    if all.next().is_some() || value.len() > CREDENTIALS_BYTES_MAX {
        return None;
    }
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(rest.trim()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = String::from_utf8(BASE64.decode(rest.trim()).ok()?).ok()?;
    let (key, secret) = plain.split_once(':')?;
    Some(Credentials::Basic {
        key: key.to_owned(),
        secret: secret.to_owned(),
    })
}

impl FromRequestParts<Api> for App {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        match credentials(&parts.headers) {
            Some(Credentials::Basic { key, secret }) => {
                Ok(Self(api.engine.authenticate_api(&key, &secret).await?))
            }
            Some(Credentials::Bearer(token)) if api.admin.is(token) => {
                let key = parts
                    .headers
                    .get(APP_HEADER)
                    .and_then(|value| value.to_str().ok())
                    .ok_or_else(|| {
                        Failure::invalid("with the admin token, the header Anser-App names the app")
                    })?;
                match api.engine.app(key).await {
                    Ok(app) => Ok(Self(app.id)),
                    Err(reject) if reject.code == Code::NotFound => {
                        Err(Failure::invalid("Anser-App names no app"))
                    }
                    Err(reject) => Err(reject.into()),
                }
            }
            Some(Credentials::Bearer(_)) => Err(Failure::unauthorized(
                "this is not the admin token; an app's backend sends \
                 `Authorization: Basic base64(app_key:api_secret)`",
                BASIC_CHALLENGE,
            )),
            None => Err(Failure::unauthorized(
                "send `Authorization: Basic base64(app_key:api_secret)`",
                BASIC_CHALLENGE,
            )),
        }
    }
}

impl FromRequestParts<Api> for Admin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        match credentials(&parts.headers) {
            Some(Credentials::Bearer(token)) if api.admin.is(token) => Ok(Self),
            _ => Err(Failure::unauthorized(
                "apps are managed with `Authorization: Bearer <admin token>`; \
                 the token is in the server's data directory",
                BEARER_CHALLENGE,
            )),
        }
    }
}

impl FromRequestParts<Api> for AppOrAdmin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        match credentials(&parts.headers) {
            Some(Credentials::Bearer(token)) if api.admin.is(token) => Ok(Self::Admin),
            _ => {
                let App(app) = App::from_request_parts(parts, api).await?;
                Ok(Self::App(app))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        match credentials(&headers)? {
            Credentials::Basic { key, secret } => Some((key, secret)),
            Credentials::Bearer(token) => Some(("bearer".into(), token.into())),
        }
    }

    #[test]
    fn what_counts_as_credentials() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read("Basic YTpiOmM="), pair("a", "b:c"));
        assert_eq!(read("basic YTpi"), pair("a", "b"));
        assert_eq!(read("Bearer x"), pair("bearer", "x"));
        assert_eq!(read("Basic YWI="), None, "no colon");
        assert_eq!(read("Basic !"), None);
        assert_eq!(read("Digest YTpi"), None);
        assert_eq!(read("Basic"), None);
        assert_eq!(read(&format!("Basic {}", "YTpi".repeat(300))), None);
    }

    #[test]
    fn two_authorizations_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Basic YTpi".parse().unwrap());
        headers.append(AUTHORIZATION, "Bearer x".parse().unwrap());
        assert!(credentials(&headers).is_none());
    }

    #[test]
    fn the_admin_token_is_compared_whole() {
        let token = AdminToken::new("secret");
        assert!(token.is("secret"));
        assert!(!token.is("secre"));
        assert!(!token.is(""));
    }
}
