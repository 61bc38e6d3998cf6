//! The application's id and master key.
//!
//! The key comes from an environment variable or a file, never from an argument, which every user
//! of the machine could read in the process list. It is sent in one header, marked sensitive, and is
//! in no error, log, or file.

use std::path::Path;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{At as _, Error};

/// Environment variable of the master key.
pub const MASTER_KEY_VARIABLE: &str = "LEANCLOUD_MASTER_KEY";

/// Headers that authenticate a request.
///
/// # Errors
/// If there is no key, or it cannot be a header.
pub(crate) fn headers(app_id: &str, key_file: Option<&Path>) -> Result<HeaderMap, Error> {
    let key = match key_file {
        Some(path) => std::fs::read_to_string(path).at(path)?,
        None => std::env::var(MASTER_KEY_VARIABLE).map_err(|_| {
            let text = format!("set {MASTER_KEY_VARIABLE} or give --master-key-file");
            Error::Usage(text)
        })?,
    };
    // Copied from the console it may already have the suffix that LeanCloud wants.
    let key = key.trim().trim_end_matches(",master");
    let bad = |what: &str| Error::Usage(format!("the {what} holds characters that cannot be sent"));
    if key.is_empty() {
        return Err(Error::Usage("the master key is empty".to_owned()));
    }
    let mut key = HeaderValue::from_str(&format!("{key},master")).map_err(|_| bad("master key"))?;
    key.set_sensitive(true);
    let mut headers = HeaderMap::new();
    let id = HeaderValue::from_str(app_id).map_err(|_| bad("application id"))?;
    headers.insert(HeaderName::from_static("x-lc-id"), id);
    headers.insert(HeaderName::from_static("x-lc-key"), key);
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_trimmed_and_never_printed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret,master\n").unwrap();
        let headers = headers("app", Some(file.path())).unwrap();
        assert_eq!(headers["x-lc-key"], "s3cret,master");
        assert!(!format!("{headers:?}").contains("s3cret"));
    }
}
