//! Signatures of download addresses: HMAC-SHA256 with a key made of the installation's.

use anser_domain::{AppId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{HMAC_SHA256, Key, sign as hmac, verify};

/// The installation's key seals secrets; what signs addresses is made of it and is not it.
fn key(installation_key: &[u8; 32]) -> Key {
    let installation = Key::new(HMAC_SHA256, installation_key);
    Key::new(
        HMAC_SHA256,
        hmac(&installation, b"anser media addresses").as_ref(),
    )
}

/// No part can reach into the next: an id and a variant have no line ends.
fn text(app: AppId, id: &str, variant: &str, expires: Timestamp) -> String {
    format!("{}\n{id}\n{variant}\n{}", app.0, expires.0)
}

pub(super) fn sign(
    installation_key: &[u8; 32],
    app: AppId,
    id: &str,
    variant: &str,
    expires: Timestamp,
) -> String {
    let text = text(app, id, variant, expires);
    URL_SAFE_NO_PAD.encode(hmac(&key(installation_key), text.as_bytes()))
}

pub(super) fn is_signed(
    installation_key: &[u8; 32],
    app: AppId,
    id: &str,
    variant: &str,
    expires: Timestamp,
    signature: &str,
) -> bool {
    let text = text(app, id, variant, expires);
    URL_SAFE_NO_PAD
        .decode(signature)
        .is_ok_and(|tag| verify(&key(installation_key), text.as_bytes(), &tag).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_for_one_file_one_variant_one_time() {
        let good = sign(&[7; 32], AppId(1), "id", "content", Timestamp(9));
        let is = |key: u8, app, id, variant, expires| {
            is_signed(
                &[key; 32],
                AppId(app),
                id,
                variant,
                Timestamp(expires),
                &good,
            )
        };
        assert!(is(7, 1, "id", "content", 9));
        assert!(!is(8, 1, "id", "content", 9));
        assert!(!is(7, 2, "id", "content", 9));
        assert!(!is(7, 1, "ie", "content", 9));
        assert!(!is(7, 1, "id", "thumbnail", 9));
        assert!(!is(7, 1, "id", "content", 10));
        for bad in ["", "AAAA", &good[1..]] {
            assert!(!is_signed(
                &[7; 32],
                AppId(1),
                "id",
                "content",
                Timestamp(9),
                bad
            ));
        }
    }
}
