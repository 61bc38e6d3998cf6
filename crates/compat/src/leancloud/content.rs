//! What messages say, there and here.
//!
//! A message of LeanCloud's is a text or bytes, and the text is JSON of a type, `_lctype`, or
//! anything. What clients of both kinds can show becomes a content of ours:
//!
//! | There | Here |
//! |---|---|
//! | `_lctype` -1, a text and nothing beside it | `text` |
//! | -2, -3, -4, -6 with an address | `image`, `voice`, `video`, `file` |
//! | -5 | `location` |
//! | any other `_lctype` n | `lc.<n>`, opaque |
//! | any other text | `lc.string`, opaque |
//! | bytes | `lc.binary`, opaque |
//!
//! A body of the second and third line carries the text as it was sent, under `lc`, so clients of
//! LeanCloud's get back exactly that. What others sent is written anew.

use anser_domain::Timestamp;
use anser_engine::message::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// What of a recalled message is left.
pub const RECALLED: &str = r#"{"_lctype":-127}"#;
/// The type of a recalled message.
pub const RECALLED_TYPE: i64 = -127;

/// What a message says, as a client of LeanCloud's sends it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Said<'a> {
    /// A text, mostly JSON.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// What a message says, as clients of LeanCloud's get it.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Content {
    /// A text, or bytes in base64.
    pub data: String,
    /// Bytes in base64?
    pub bin: bool,
    /// Its `_lctype`, if it has one.
    pub lctype: Option<i64>,
    /// When it was edited or recalled last.
    pub patched: Option<Timestamp>,
    /// It mentions everybody.
    pub mention_all: bool,
    /// It mentions these.
    pub mentions: Vec<String>,
}

/// Type and body of a content of ours.
#[must_use]
pub fn to_engine(said: Said<'_>) -> (Box<str>, Bytes) {
    let text = match said {
        Said::Binary(bytes) => return ("lc.binary".into(), Bytes::copy_from_slice(bytes)),
        Said::Text(text) => text,
    };
    let opaque = |content_type: String| {
        let body = Bytes::copy_from_slice(text.as_bytes());
        (content_type.into_boxed_str(), body)
    };
    let typed = text.contains("_lctype").then(|| serde_json::from_str(text));
    let Some(Ok(Value::Object(typed))) = typed else {
        return opaque("lc.string".to_owned());
    };
    let Some(number) = typed.get("_lctype").and_then(Value::as_i64) else {
        return opaque("lc.string".to_owned());
    };
    let plain = typed.get("_lctext").and_then(Value::as_str);
    match (number, plain) {
        (-1, Some(plain)) if typed.len() == 2 => {
            ("text".into(), Bytes::copy_from_slice(plain.as_bytes()))
        }
        _ => match shape(number, &typed) {
            Some((content_type, mut body)) => {
                body.insert("lc".to_owned(), text.into());
                let body = Value::Object(body).to_string();
                (content_type.into(), body.into())
            }
            None => opaque(format!("lc.{number}")),
        },
    }
}

/// The same of a later content of a message, which keeps its type: clients of other protocols rely
/// on that. What does not fit the type comes as it is, and is refused.
#[must_use]
pub fn edited(content_type: &str, said: Said<'_>) -> (Box<str>, Bytes) {
    let (own, body) = to_engine(said);
    let keeps = content_type == "text" || content_type.starts_with("lc.");
    let Said::Text(text) = said else {
        return (own, body);
    };
    if *own == *content_type || !keeps || content_type == "lc.binary" {
        return (own, body);
    }
    let fields: Value = serde_json::from_str(text).unwrap_or_default();
    let words = match content_type {
        "text" => fields["_lctext"].as_str().unwrap_or(text),
        _ => text,
    };
    (
        content_type.into(),
        Bytes::copy_from_slice(words.as_bytes()),
    )
}

/// The body of a content of ours with a shape, if there is one.
fn shape(number: i64, typed: &Map<String, Value>) -> Option<(&'static str, Map<String, Value>)> {
    let mut body = Map::new();
    if number == -5 {
        let place = typed.get("_lcloc")?;
        for (name, most) in [("latitude", 90.0), ("longitude", 180.0)] {
            let degrees = place.get(name)?.as_f64()?;
            if !(-most..=most).contains(&degrees) {
                return None;
            }
            body.insert(name.to_owned(), degrees.into());
        }
        return Some(("location", body));
    }
    let content_type = match number {
        -2 => "image",
        -3 => "voice",
        -4 => "video",
        -6 => "file",
        _ => return None,
    };
    let file = typed.get("_lcfile")?;
    let url = file.get("url")?.as_str()?;
    let known = url.starts_with("http://") || url.starts_with("https://");
    let printable = !url.chars().any(|c| c.is_control() || c.is_whitespace());
    if !known || !printable || url.len() > anser_domain::limits::URL_BYTES_MAX {
        return None;
    }
    body.insert("url".to_owned(), url.into());
    let about = file.get("metaData").cloned().unwrap_or_default();
    let name = about.get("name").or_else(|| file.get("name"));
    match name.and_then(Value::as_str).filter(|name| is_name(name)) {
        Some(name) => drop(body.insert("name".to_owned(), name.into())),
        // A file is called something.
        None if number == -6 => drop(body.insert("name".to_owned(), "file".into())),
        None => {}
    }
    let number_of = |name: &str| about.get(name).and_then(Value::as_f64);
    if let Some(size) = about.get("size").and_then(Value::as_u64) {
        body.insert("bytes".to_owned(), size.into());
    }
    let side = |name: &str| {
        let side = about.get(name).and_then(Value::as_u64);
        side.filter(|side| (1..=anser_domain::limits::PIXELS_SIDE_MAX).contains(side))
    };
    if let (-2 | -4, Some(width), Some(height)) = (number, side("width"), side("height")) {
        body.insert("width".to_owned(), width.into());
        body.insert("height".to_owned(), height.into());
    }
    if matches!(number, -3 | -4) {
        let most = anser_domain::limits::DURATION_MS_MAX;
        let ms = number_of("duration").map(|seconds| (seconds * 1_000.0).round());
        let ms = ms.filter(|ms| *ms >= 0.0).map_or(0, whole).min(most);
        body.insert("duration_ms".to_owned(), ms.into());
    }
    Some((content_type, body))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and a cast stops at the greatest number"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

fn is_name(name: &str) -> bool {
    let most = anser_domain::limits::FILE_NAME_BYTES_MAX;
    (1..=most).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// What clients of LeanCloud's get of a message; `None`: it is not for them.
#[must_use]
pub fn from_engine(message: &Message) -> Option<Content> {
    let state = message.state.as_deref();
    let patched = state.filter(|state| state.edit.is_some() || state.recall.is_some());
    let mut content = of(&message.content_type, &message.body, message.is_recalled())?;
    content.patched = patched.map(|state| state.time);
    if let Some(mention) = &message.mention {
        content.mention_all = mention.all;
        content.mentions = mention.users.iter().map(ToString::to_string).collect();
    }
    Some(content)
}

/// The same of type and body only.
#[must_use]
pub fn of(content_type: &str, body: &[u8], recalled: bool) -> Option<Content> {
    let text = |data: String, lctype: Option<i64>| {
        Some(Content {
            data,
            lctype,
            ..Content::default()
        })
    };
    if recalled {
        return text(RECALLED.to_owned(), Some(RECALLED_TYPE));
    }
    // Notices of the server are told in other ways, or not at all.
    if content_type.starts_with("anser.") {
        return None;
    }
    let lossy = || String::from_utf8_lossy(body).into_owned();
    let binary = || {
        Some(Content {
            data: BASE64.encode(body),
            bin: true,
            ..Content::default()
        })
    };
    match content_type {
        "text" => text(text_json(&lossy()), Some(-1)),
        "lc.string" => text(lossy(), None),
        "lc.binary" => binary(),
        "image" | "voice" | "video" | "file" | "location" => shaped(content_type, body),
        other => match other.strip_prefix("lc.").map(str::parse) {
            Some(Ok(number)) => text(lossy(), Some(number)),
            // The application's own: a text, if it is one.
            _ if std::str::from_utf8(body).is_ok() => text(lossy(), None),
            _ => binary(),
        },
    }
}

/// A text as its SDKs write it.
#[must_use]
pub fn text_json(text: &str) -> String {
    json!({"_lctext": text, "_lctype": -1}).to_string()
}

fn shaped(content_type: &str, body: &[u8]) -> Option<Content> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let number = match content_type {
        "image" => -2,
        "voice" => -3,
        "video" => -4,
        "location" => -5,
        _ => -6,
    };
    let data = match body.get("lc").and_then(Value::as_str) {
        Some(original) => original.to_owned(),
        None if number == -5 => {
            let place = json!({"latitude": body["latitude"], "longitude": body["longitude"]});
            json!({"_lctype": -5, "_lctext": body["name"].as_str(), "_lcloc": place}).to_string()
        }
        None => {
            let ms = body["duration_ms"].as_u64();
            let mut about = Map::new();
            for (there, value) in [
                ("name", body["name"].clone()),
                ("size", body["bytes"].clone()),
                ("width", body["width"].clone()),
                ("height", body["height"].clone()),
                (
                    "duration",
                    ms.map_or(Value::Null, |ms| json!(ms as f64 / 1_000.0)),
                ),
            ] {
                if !value.is_null() {
                    about.insert(there.to_owned(), value);
                }
            }
            let address = match (body["url"].as_str(), body["media"].as_str()) {
                (Some(url), _) => url.to_owned(),
                // Only a path: what clients call this server, and the app's number, is not known here.
                (None, Some(media)) => format!("/v1/media/{media}"),
                (None, None) => return None,
            };
            let file = json!({"url": address, "metaData": about});
            json!({"_lctype": number, "_lcfile": file}).to_string()
        }
    };
    Some(Content {
        data,
        lctype: Some(number),
        ..Content::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(said: Said<'_>) -> (String, Content) {
        let (content_type, body) = to_engine(said);
        let content = of(&content_type, &body, false).unwrap();
        (content_type.into(), content)
    }

    #[test]
    fn what_was_sent_comes_back() {
        let image = r#"{"_lctype":-2, "_lcfile":{"url":"https://a/b.png","objId":"1",
            "metaData":{"name":"b.png","size":9,"width":2,"height":3}},"_lcattrs":{"x":1}}"#;
        let table = [
            ("hello", "lc.string", None),
            ("[1]", "lc.string", None),
            (r#"{"_lctype":"x"}"#, "lc.string", None),
            (r#"{"_lctype":1,"a":2}"#, "lc.1", Some(1)),
            (r#"{"_lctype":-101}"#, "lc.-101", Some(-101)),
            (
                r#"{"_lctype":-1,"_lctext":"a","_lcattrs":{"b":1}}"#,
                "lc.-1",
                Some(-1),
            ),
            (r#"{"_lctype":-2}"#, "lc.-2", Some(-2)),
            (
                r#"{"_lctype":-2,"_lcfile":{"url":"javascript:1"}}"#,
                "lc.-2",
                Some(-2),
            ),
            (image, "image", Some(-2)),
            (
                r#"{"_lctype":-3,"_lcfile":{"url":"http://a/b"}}"#,
                "voice",
                Some(-3),
            ),
            (
                r#"{"_lctype":-6,"_lcfile":{"url":"http://a/b"}}"#,
                "file",
                Some(-6),
            ),
            (
                r#"{"_lctype":-5,"_lcloc":{"latitude":39.9,"longitude":116.4}}"#,
                "location",
                Some(-5),
            ),
            (
                r#"{"_lctype":-5,"_lcloc":{"latitude":99,"longitude":0}}"#,
                "lc.-5",
                Some(-5),
            ),
        ];
        for (text, content_type, lctype) in table {
            let (found, content) = back(Said::Text(text));
            assert_eq!(found, content_type, "{text}");
            assert_eq!(content.lctype, lctype, "{text}");
            assert_eq!((content.data.as_str(), content.bin), (text, false));
        }
        let (found, content) = back(Said::Text(r#"{"_lctext":"hi \"you\"","_lctype":-1}"#));
        assert_eq!((found.as_str(), content.lctype), ("text", Some(-1)));
        assert_eq!(content.data, r#"{"_lctext":"hi \"you\"","_lctype":-1}"#);
        let (found, content) = back(Said::Binary(&[0, 255]));
        assert_eq!((found.as_str(), content.bin), ("lc.binary", true));
        assert_eq!(content.data, "AP8=");
    }

    #[test]
    fn an_image_has_what_others_need_to_show_it() {
        let text = r#"{"_lctype":-4,"_lcfile":{"url":"https://a/b","metaData":
            {"name":"b","size":9,"width":2,"height":3,"duration":1.25}}}"#;
        let (content_type, body) = to_engine(Said::Text(text));
        assert_eq!(&*content_type, "video");
        let body: Value = serde_json::from_slice(&body).unwrap();
        for (name, value) in [
            ("url", json!("https://a/b")),
            ("name", json!("b")),
            ("bytes", json!(9)),
            ("width", json!(2)),
            ("height", json!(3)),
            ("duration_ms", json!(1_250)),
        ] {
            assert_eq!(body[name], value, "{name}");
        }
    }

    #[test]
    fn what_others_send_can_be_shown() {
        let data = |content_type: &str, body: &str| {
            of(content_type, body.as_bytes(), false).map(|content| content.data)
        };
        assert_eq!(data("text", "hi"), Some(text_json("hi")));
        let image = data("image", r#"{"url":"https://a/b","width":1,"height":2}"#).unwrap();
        let image: Value = serde_json::from_str(&image).unwrap();
        assert_eq!(image["_lcfile"]["metaData"]["height"], 2);
        assert_eq!(data("acme.card", "{}"), Some("{}".to_owned()));
        assert_eq!(data("anser.group", "{}"), None);
        let gone = of("text", b"", true).unwrap();
        assert_eq!(gone.data, RECALLED);
    }
}
