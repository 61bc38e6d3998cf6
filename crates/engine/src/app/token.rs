//! Tokens: JWTs, signed with HMAC-SHA-256 (RFC 7519, RFC 7515).
//!
//! The server mints them, or the customer's backend does by itself with a token key. The
//! algorithm is pinned; `kid` names the key, `aud` is the app key, `sub` the user, and `exp` is at
//! most thirty days after `iat`. Revocation moves the user's "not before" beyond every token
//! issued so far.

use anser_domain::limits::{TOKEN_BYTES_MAX, TOKEN_CLOCK_SKEW_SECONDS, TOKEN_LIFE_SECONDS_MAX};
use anser_domain::{Code, Reject, Timestamp, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// What a token says.
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The app key.
    pub(crate) aud: String,
    /// The user.
    pub(crate) sub: String,
    /// Unix seconds.
    pub(crate) iat: u64,
    /// Unix seconds.
    pub(crate) exp: u64,
}

/// Signs.
pub(crate) fn sign(kid: &str, secret: &str, claims: &Claims) -> String {
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&header, claims, &key)
        .expect("claims of strings and numbers are valid JSON")
}

/// Which key a token says it is signed with. Nothing of it is to be believed yet.
pub(crate) fn kid(token: &str) -> Result<String, Reject> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Reject::new(
            Code::TokenInvalid,
            "the token is longer than 4,096 bytes",
        ));
    }
    let header = jsonwebtoken::decode_header(token)
        .map_err(|_| Reject::new(Code::TokenInvalid, "the token is no JWT"))?;
    if header.alg != Algorithm::HS256 {
        return Err(Reject::new(
            Code::TokenInvalid,
            "the token's algorithm must be HS256",
        ));
    }
    header
        .kid
        .ok_or_else(|| Reject::new(Code::TokenInvalid, "the token's header lacks \"kid\""))
}

/// Checks signature, audience and times.
pub(crate) fn verify(
    token: &str,
    app_key: &str,
    secret: &str,
    now: Timestamp,
) -> Result<(UserId, Claims), Reject> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[app_key]);
    validation.set_required_spec_claims(&["aud", "exp"]);
    // The times are checked below, against the clock that is handed in.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(secret.as_bytes());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
        .map_err(|error| {
            Reject::new(
                Code::TokenInvalid,
                format!("the token does not verify: {error}"),
            )
        })?
        .claims;
    let now = now.0 / 1_000;
    if claims.exp <= now {
        return Err(Code::TokenExpired.into());
    }
    if claims.iat > now + TOKEN_CLOCK_SKEW_SECONDS {
        return Err(Reject::new(
            Code::TokenInvalid,
            "the token says it is issued in the future; check the clocks",
        ));
    }
    if claims.exp.saturating_sub(claims.iat) > TOKEN_LIFE_SECONDS_MAX {
        return Err(Reject::new(
            Code::TokenInvalid,
            "the token lives longer than 30 days",
        ));
    }
    let user = UserId::new(&claims.sub)
        .map_err(|why| Reject::new(Code::TokenInvalid, format!("the token's \"sub\" {why}")))?;
    Ok((user, claims))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn claims() -> Claims {
        Claims {
            aud: "app".into(),
            sub: "alice".into(),
            iat: NOW.0 / 1_000,
            exp: NOW.0 / 1_000 + 60,
        }
    }

    fn check(change: impl FnOnce(&mut Claims)) -> Result<(), Code> {
        let mut claims = claims();
        change(&mut claims);
        verify(&sign("1.1", "secret", &claims), "app", "secret", NOW)
            .map(|_| ())
            .map_err(|r| r.code)
    }

    #[test]
    fn a_token_is_for_one_app_one_user_and_a_time() {
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|c| c.aud = "other".into()), Err(Code::TokenInvalid));
        assert_eq!(check(|c| c.sub = String::new()), Err(Code::TokenInvalid));
        assert_eq!(check(|c| c.exp = NOW.0 / 1_000), Err(Code::TokenExpired));
        assert_eq!(check(|c| c.iat += 61), Err(Code::TokenInvalid));
        assert_eq!(
            check(|c| c.exp = c.iat + TOKEN_LIFE_SECONDS_MAX + 1),
            Err(Code::TokenInvalid)
        );
    }

    #[test]
    fn a_signature_by_another_key_or_none_is_refused() {
        let token = sign("1.1", "secret", &claims());
        assert_eq!(
            verify(&token, "app", "other", NOW).unwrap_err().code,
            Code::TokenInvalid
        );
        let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).unwrap());
        let none = format!(
            "{}.{body}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"1.1"}"#)
        );
        assert_eq!(kid(&none).unwrap_err().code, Code::TokenInvalid);
        let rs = format!(
            "{}.{body}.AAAA",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"1.1"}"#)
        );
        assert_eq!(kid(&rs).unwrap_err().code, Code::TokenInvalid);
        assert_eq!(kid(&token).unwrap(), "1.1");
    }
}
