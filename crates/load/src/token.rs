//! Login tokens, minted as a customer's backend mints them: a JWT signed with a token key.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Deserialize;
use serde_json::json;

/// Long enough for any run, short of what a server allows.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// A key of an app for signing tokens.
#[derive(Deserialize)]
pub(crate) struct TokenKey {
    /// The `kid` of its tokens.
    id: String,
    /// What HMAC-SHA256 is keyed with: the bytes of this text.
    secret: String,
}

/// A token of a user of an app (RFC 7519, HS256).
pub(crate) fn mint(key: &TokenKey, app_key: &str, user: &str) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock stands after 1970")
        .as_secs();
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": key.id});
    let claims = json!({"aud": app_key, "sub": user, "iat": now, "exp": now + LIFE.as_secs()});
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key.secret.as_bytes()),
        signed.as_bytes(),
    );
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_its_claims_and_a_signature_over_them() {
        let key = TokenKey {
            id: "k1".into(),
            secret: "hush".into(),
        };
        let token = mint(&key, "app", "alice");
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (_, claims) = signed.split_once('.').unwrap();
        let claims: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(
            (claims["aud"].as_str(), claims["sub"].as_str()),
            (Some("app"), Some("alice"))
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"hush");
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    }
}
