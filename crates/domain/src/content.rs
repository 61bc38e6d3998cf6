//! What a message says: the types that everybody understands alike, and their shapes.
//!
//! A body of the type `text` is UTF-8. Those of `image`, `voice`, `video`, `file`, `location` and
//! `command` are JSON objects whose known members are checked here, once somebody has read them
//! ([`Fields`]); what else is in them is the application's. Every other type is the application's
//! own, and its body opaque.

use crate::code::{Code, Reject};
use crate::limits::{
    COMMAND_ACTION_BYTES_MAX, DURATION_MS_MAX, FILE_NAME_BYTES_MAX, MEDIA_ID_CHARACTERS,
    PIXELS_SIDE_MAX, PLACE_BYTES_MAX, URL_BYTES_MAX,
};

/// The type of a content, as far as there are rules for it.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// A picture.
    Image,
    /// Something spoken.
    Voice,
    /// Moving pictures.
    Video,
    /// Any file.
    File,
    /// A place on earth.
    Location,
    /// For the application on the other side, not for its user: it is unread for nobody, newest of
    /// no conversation, and clients don't keep it.
    Command,
    /// The application's own.
    Custom,
}

impl Kind {
    /// The kind of a content type.
    #[must_use]
    pub fn of(content_type: &str) -> Self {
        match content_type {
            "text" => Self::Text,
            "image" => Self::Image,
            "voice" => Self::Voice,
            "video" => Self::Video,
            "file" => Self::File,
            "location" => Self::Location,
            "command" => Self::Command,
            _ => Self::Custom,
        }
    }

    /// Is the body a JSON object with members that are checked?
    #[must_use]
    pub const fn has_fields(self) -> bool {
        !matches!(self, Self::Text | Self::Custom)
    }
}

/// Is it a content that no user is shown?
#[must_use]
pub fn is_command(content_type: &str) -> bool {
    Kind::of(content_type) == Kind::Command
}

/// Where bytes are: uploaded here, or anywhere on the web.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Source {
    /// The id of an upload.
    pub media: Option<String>,
    /// Or an address, `http` or `https`.
    pub url: Option<String>,
}

/// The known members of a body.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Fields {
    /// Of image, voice, video, file: the bytes themselves.
    pub source: Source,
    /// Of a video: a picture of it.
    pub thumbnail: Option<Source>,
    /// Of whatever has bytes: what the file is called. Of a location: what the place is called.
    pub name: Option<String>,
    /// How many bytes.
    pub bytes: Option<u64>,
    /// Pixels across, of image and video.
    pub width: Option<u64>,
    /// Pixels down.
    pub height: Option<u64>,
    /// Of voice and video, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Of a location, for people.
    pub address: Option<String>,
    /// Of a command: what is to be done.
    pub action: Option<String>,
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Reject {
    Reject::new(Code::InvalidRequest, message)
}

/// Does the body have the shape that its kind promises?
pub fn check(kind: Kind, fields: &Fields) -> Result<(), Reject> {
    match kind {
        Kind::Text | Kind::Custom => Ok(()),
        Kind::Image => {
            check_file(fields)?;
            check_sides(fields)
        }
        Kind::Voice => {
            check_file(fields)?;
            if fields.duration_ms.is_none() {
                return Err(invalid("content.duration_ms is missing"));
            }
            check_duration(fields)
        }
        Kind::Video => {
            check_file(fields)?;
            check_sides(fields)?;
            let thumbnail = fields.thumbnail.as_ref();
            thumbnail.map_or(Ok(()), |source| check_source("content.thumbnail", source))?;
            check_duration(fields)
        }
        Kind::File => {
            check_file(fields)?;
            if fields.name.is_none() {
                return Err(invalid("content.name is missing"));
            }
            Ok(())
        }
        Kind::Location => check_location(fields),
        Kind::Command => match &fields.action {
            Some(action) => check_text("content.action", action, COMMAND_ACTION_BYTES_MAX),
            None => Err(invalid("content.action is missing")),
        },
    }
}

/// Is it the id of an upload, by its form?
#[must_use]
pub fn is_media_id(text: &str) -> bool {
    text.len() == MEDIA_ID_CHARACTERS
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn check_file(fields: &Fields) -> Result<(), Reject> {
    check_source("content", &fields.source)?;
    match &fields.name {
        Some(name) => check_text("content.name", name, FILE_NAME_BYTES_MAX),
        None => Ok(()),
    }
}

fn check_source(field: &str, source: &Source) -> Result<(), Reject> {
    match (&source.media, &source.url) {
        (Some(media), None) if is_media_id(media) => Ok(()),
        (Some(_), None) => Err(invalid(format!("{field}.media is not the id of an upload"))),
        (None, Some(url)) => check_url(&format!("{field}.url"), url),
        _ => Err(invalid(format!("{field} has exactly one of media and url"))),
    }
}

fn check_url(field: &str, url: &str) -> Result<(), Reject> {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let known = lower.starts_with("https://") || lower.starts_with("http://");
    let printable = !url.chars().any(|c| c.is_control() || c.is_whitespace());
    if url.len() > URL_BYTES_MAX || !known || !printable {
        let message = format!("{field} is not http(s)://…, or longer than {URL_BYTES_MAX} bytes");
        return Err(invalid(message));
    }
    Ok(())
}

fn check_text(field: &str, text: &str, bytes_max: usize) -> Result<(), Reject> {
    if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
        return Err(invalid(format!(
            "{field} is not 1–{bytes_max} bytes, printable"
        )));
    }
    Ok(())
}

fn check_sides(fields: &Fields) -> Result<(), Reject> {
    let sides = [("width", fields.width), ("height", fields.height)];
    for (name, side) in sides {
        if side.is_some_and(|side| !(1..=PIXELS_SIDE_MAX).contains(&side)) {
            let message = format!("content.{name} is not in 1–{PIXELS_SIDE_MAX}");
            return Err(invalid(message));
        }
    }
    if fields.width.is_some() != fields.height.is_some() {
        return Err(invalid(
            "content.width and content.height come together or not at all",
        ));
    }
    Ok(())
}

fn check_duration(fields: &Fields) -> Result<(), Reject> {
    if fields.duration_ms.is_some_and(|ms| ms > DURATION_MS_MAX) {
        let message = format!("content.duration_ms is above {DURATION_MS_MAX}");
        return Err(invalid(message));
    }
    Ok(())
}

fn check_location(fields: &Fields) -> Result<(), Reject> {
    let degrees = [
        ("latitude", fields.latitude, 90.0),
        ("longitude", fields.longitude, 180.0),
    ];
    for (name, value, max) in degrees {
        // Not a number is in no range.
        if !value.is_some_and(|value| (-max..=max).contains(&value)) {
            return Err(invalid(format!("content.{name} is not in -{max}–{max}")));
        }
    }
    for (name, text) in [("name", &fields.name), ("address", &fields.address)] {
        if let Some(text) = text {
            check_text(&format!("content.{name}"), text, PLACE_BYTES_MAX)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uploaded() -> Source {
        Source {
            media: Some("0123456789abcdef0123456789abcdef".to_owned()),
            url: None,
        }
    }

    fn at(url: &str) -> Source {
        Source {
            media: None,
            url: Some(url.to_owned()),
        }
    }

    fn file(source: Source) -> Fields {
        Fields {
            source,
            name: Some("a.bin".to_owned()),
            duration_ms: Some(1),
            ..Fields::default()
        }
    }

    #[test]
    fn bytes_are_in_one_place() {
        for kind in [Kind::Image, Kind::Voice, Kind::Video, Kind::File] {
            let ok = |source| check(kind, &file(source)).is_ok();
            assert!(ok(uploaded()));
            assert!(ok(at("https://example.com/a")));
            assert!(ok(at("HTTP://example.com/a")));
            assert!(!ok(Source::default()));
            assert!(!ok(at("javascript:alert(1)")));
            assert!(!ok(at("https://example.com/a b")));
            assert!(!ok(at("https://example.com/\n")));
            assert!(!ok(at(&format!("https://{}", "a".repeat(URL_BYTES_MAX)))));
            assert!(!ok(at("é")));
            assert!(!ok(Source {
                url: Some("https://example.com/a".to_owned()),
                ..uploaded()
            }));
            let other = ["", "../../etc/passwd", "0123456789ABCDEF0123456789ABCDEF"];
            for id in other {
                assert!(!ok(Source {
                    media: Some(id.to_owned()),
                    url: None
                }));
            }
        }
    }

    #[test]
    fn each_kind_says_what_it_must() {
        let with = |change: fn(&mut Fields)| {
            let mut fields = file(uploaded());
            change(&mut fields);
            fields
        };
        let nameless = with(|fields| fields.name = None);
        assert!(check(Kind::Image, &nameless).is_ok());
        assert!(check(Kind::File, &nameless).is_err());
        let endless = with(|fields| fields.duration_ms = None);
        assert!(check(Kind::Video, &endless).is_ok());
        assert!(check(Kind::Voice, &endless).is_err());
        let long = with(|fields| fields.duration_ms = Some(DURATION_MS_MAX + 1));
        assert!(check(Kind::Voice, &long).is_err());
        assert!(check(Kind::Video, &long).is_err());
        let flat = with(|fields| fields.width = Some(1));
        assert!(check(Kind::Image, &flat).is_err());
        let sized = with(|fields| (fields.width, fields.height) = (Some(1), Some(20_000)));
        assert!(check(Kind::Image, &sized).is_ok());
        let empty = with(|fields| (fields.width, fields.height) = (Some(0), Some(1)));
        assert!(check(Kind::Image, &empty).is_err());
        let shown = with(|fields| fields.thumbnail = Some(Source::default()));
        assert!(check(Kind::Video, &shown).is_err());
        assert!(check(Kind::Command, &Fields::default()).is_err());
        let command = Fields {
            action: Some("refresh".to_owned()),
            ..Fields::default()
        };
        assert!(check(Kind::Command, &command).is_ok());
    }

    #[test]
    fn a_place_is_on_earth() {
        let ok = |latitude, longitude| {
            let fields = Fields {
                latitude: Some(latitude),
                longitude: Some(longitude),
                ..Fields::default()
            };
            check(Kind::Location, &fields).is_ok()
        };
        assert!(ok(39.9, 116.4));
        assert!(ok(-90.0, -180.0));
        assert!(!ok(90.1, 0.0));
        assert!(!ok(0.0, 180.1));
        assert!(!ok(f64::NAN, 0.0));
        assert!(check(Kind::Location, &Fields::default()).is_err());
    }

    #[test]
    fn what_nobody_knows_is_custom() {
        for name in ["", "texts", "Image", "acme.card"] {
            assert_eq!(Kind::of(name), Kind::Custom);
        }
        assert!(is_command("command"));
        assert!(!is_command("commands"));
    }
}
