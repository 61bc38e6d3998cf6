//! Reading bodies whose shape is checked. The rules are in [`anser_domain::content`]; here their
//! members are found in the JSON.
//!
//! A text costs a look at its UTF-8, an application's own type nothing.

use std::borrow::Cow;

use anser_domain::content::{self, Fields, Kind, Source};
use anser_domain::{Code, Reject, message};
use serde::Deserialize;

/// Where bytes are, in a body.
#[derive(Deserialize)]
struct SourceBody {
    media: Option<String>,
    url: Option<String>,
}

/// A body. Members beside these are the application's.
#[derive(Deserialize)]
struct Body {
    media: Option<String>,
    url: Option<String>,
    thumbnail: Option<SourceBody>,
    name: Option<String>,
    bytes: Option<u64>,
    width: Option<u64>,
    height: Option<u64>,
    duration_ms: Option<u64>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    address: Option<String>,
    action: Option<String>,
}

impl From<Body> for Fields {
    fn from(body: Body) -> Self {
        Self {
            source: Source {
                media: body.media,
                url: body.url,
            },
            thumbnail: body.thumbnail.map(|it| Source {
                media: it.media,
                url: it.url,
            }),
            name: body.name,
            bytes: body.bytes,
            width: body.width,
            height: body.height,
            duration_ms: body.duration_ms,
            latitude: body.latitude,
            longitude: body.longitude,
            address: body.address,
            action: body.action,
        }
    }
}

/// Is the content acceptable: its type, its size, and the shape that its type promises?
pub(crate) fn check(content_type: &str, body: &[u8], bytes_max: usize) -> Result<(), Reject> {
    message::check_content(content_type, body.len(), bytes_max)?;
    let kind = Kind::of(content_type);
    if kind == Kind::Text && std::str::from_utf8(body).is_err() {
        return Err(Reject::new(
            Code::InvalidRequest,
            "the body of a text is UTF-8",
        ));
    }
    if !kind.has_fields() {
        return Ok(());
    }
    // An array would be read as the members in their order.
    let object = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let fields = match object {
        true => serde_json::from_slice::<Body>(body).map_err(|why| why.to_string()),
        false => Err("it is not an object".to_owned()),
    };
    match fields {
        Ok(fields) => content::check(kind, &fields.into()),
        Err(why) => Err(Reject::new(
            Code::InvalidRequest,
            format!("the body of a content of type {content_type} is a JSON object: {why}"),
        )),
    }
}

/// What a search looks at: the text itself, or what a file or a place is called.
pub(crate) fn searchable<'a>(content_type: &str, body: &'a [u8]) -> Cow<'a, str> {
    match Kind::of(content_type) {
        Kind::Text => String::from_utf8_lossy(body),
        Kind::Custom | Kind::Command => Cow::Borrowed(""),
        _ => match serde_json::from_slice::<Body>(body) {
            Ok(body) => {
                let names = [body.name, body.address];
                let names: Vec<String> = names.into_iter().flatten().collect();
                Cow::Owned(names.join(" "))
            }
            // Stored before its type had a shape.
            Err(_) => Cow::Borrowed(""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(content_type: &str, body: impl AsRef<[u8]>) -> Option<Code> {
        check(content_type, body.as_ref(), 3_072)
            .err()
            .map(|reject| reject.code)
    }

    #[test]
    fn shapes_are_found_in_json() {
        let invalid = Some(Code::InvalidRequest);
        let media = "0123456789abcdef0123456789abcdef";
        let image = format!(r#" {{"media":"{media}","width":2,"height":1,"own":[null]}}"#);
        assert_eq!(code("image", &image), None);
        assert_eq!(code("voice", &image), invalid, "no duration");
        assert_eq!(code("image", image.replace("2", "-2")), invalid);
        assert_eq!(code("image", "[null,\"https://example.com\"]"), invalid);
        assert_eq!(code("image", "hello"), invalid);
        assert_eq!(code("image", ""), invalid);
        let twice = format!(r#"{{"media":"{media}","media":"{media}"}}"#);
        assert_eq!(code("image", twice), invalid);
        assert_eq!(code("image", "[".repeat(3_000)), invalid, "no deep nesting");
        let deep = format!(r#"{{"url":"https://a","x":{}"#, "[".repeat(3_000));
        assert_eq!(code("image", deep), invalid);
        assert_eq!(
            code("location", r#"{"latitude":39,"longitude":116.4}"#),
            None
        );
        assert_eq!(
            code("location", r#"{"latitude":1e999,"longitude":0}"#),
            invalid
        );
        let video =
            format!(r#"{{"media":"{media}","duration_ms":9,"thumbnail":{{"url":"https://a/b"}}}}"#);
        assert_eq!(code("video", video), None);
        assert_eq!(
            code("file", r#"{"url":"https://a/b","name":"报告.pdf"}"#),
            None
        );
        assert_eq!(code("command", r#"{"action":"refresh","of":1}"#), None);
    }

    #[test]
    fn text_is_utf8_and_the_rest_is_free() {
        assert_eq!(code("text", "你好"), None);
        assert_eq!(code("text", b"\xff"), Some(Code::InvalidRequest));
        assert_eq!(code("acme.card", b"\xff"), None);
        assert_eq!(code("text", "a".repeat(3_072)), Some(Code::ContentTooLarge));
    }
}
