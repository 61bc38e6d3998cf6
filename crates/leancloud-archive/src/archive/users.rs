//! Takes out of `_User` rows what would let somebody log in as that user.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Live session tokens, password hashes with their salts, and tokens of third-party logins.
const CREDENTIALS: [&str; 5] = [
    "sessionToken",
    "password",
    "salt",
    "authData",
    "bcryptPassword",
];

/// The row without credentials; the other values keep their text. Rows without any are unchanged.
pub(crate) fn without_credentials(line: &[u8]) -> Vec<u8> {
    let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(line) else {
        return line.to_vec();
    };
    let before = fields.len();
    fields.retain(|name, _| !CREDENTIALS.contains(&name.as_str()));
    if fields.len() == before {
        return line.to_vec();
    }
    serde_json::to_vec(&fields).expect("values that were read can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_credentials_are_taken_out() {
        let line = br#"{"username":"Tom","sessionToken":"t0p","n":1.50,"authData":{"w":{"access_token":"x"}}}"#;
        assert_eq!(without_credentials(line), br#"{"n":1.50,"username":"Tom"}"#);
        let plain = br#"{"username":"Tom","n":1}"#;
        assert_eq!(without_credentials(plain), plain);
    }
}
