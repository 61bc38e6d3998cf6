//! Downloads: whole or a part, with a token or a signed address.

use std::fmt::Write as _;
use std::ops::Range;

use anser_domain::{AppId, Code, Reject, Timestamp};
use anser_engine::media::MediaInfo;
use anser_media::{Read, Variant, is_inline};
use axum::body::Body;
use axum::extract::{FromRequestParts as _, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::Api;
use super::super::extract::{Path, Query, present};
use super::super::failure::{ErrorBody, Failure, Result};
use super::super::spec::Common;
use super::caller::Caller;
use super::files::MediaPath;
use super::{key, refuse};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::rest) struct SignedQuery {
    /// Of a signed address: its app.
    #[serde(default, deserialize_with = "present")]
    #[param(required = false, value_type = u32)]
    app: Option<u32>,
    /// Of a signed address: until when.
    #[serde(default, deserialize_with = "present")]
    #[param(required = false, value_type = u64)]
    expires: Option<u64>,
    /// Of a signed address: its signature.
    #[serde(default, deserialize_with = "present")]
    #[param(required = false, value_type = String, max_length = 64)]
    signature: Option<String>,
}

/// Download a file.
///
/// With a token, or at the signed address that the file's description comes with. One range of
/// bytes may be asked for. Pictures, audio and video are shown in place, all else is saved.
#[utoipa::path(
    get, path = "/v1/media/{media_id}/content", tag = "media",
    params(MediaPath, SignedQuery, ("Range" = Option<String>, Header, example = "bytes=0-1023")),
    responses(
        (status = 200, description = "The file.", content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for.", content_type = "application/octet-stream"),
        (status = 304, description = "It is what `If-None-Match` says."),
        (status = 403, description = "The address has expired, or is not one of ours.", body = ErrorBody),
        (status = 404, description = "There is no such file, or it is not ready.", body = ErrorBody),
        (status = 416, description = "There is no such part."),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn get_content(
    State(api): State<Api>,
    Path(path): Path<MediaPath>,
    Query(query): Query<SignedQuery>,
    mut parts: Parts,
) -> Result<Response> {
    let variant = Variant::Content;
    let app = admit(&api, &path.media_id, "content", &query, &mut parts).await?;
    serve(&api, app, &path.media_id, variant, &parts.headers).await
}

/// Download a picture's thumbnail.
///
/// A JPEG with no side above 320 pixels, turned as the camera said, without metadata.
#[utoipa::path(
    get, path = "/v1/media/{media_id}/thumbnail", tag = "media",
    params(MediaPath, SignedQuery),
    responses(
        (status = 200, description = "The thumbnail.", content_type = "image/jpeg"),
        (status = 206, description = "The part that was asked for.", content_type = "image/jpeg"),
        (status = 304, description = "It is what `If-None-Match` says."),
        (status = 403, description = "The address has expired, or is not one of ours.", body = ErrorBody),
        (status = 404, description = "There is no such picture, or it is not ready.", body = ErrorBody),
        (status = 416, description = "There is no such part."),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn get_thumbnail(
    State(api): State<Api>,
    Path(path): Path<MediaPath>,
    Query(query): Query<SignedQuery>,
    mut parts: Parts,
) -> Result<Response> {
    let variant = Variant::Thumbnail;
    let app = admit(&api, &path.media_id, "thumbnail", &query, &mut parts).await?;
    serve(&api, app, &path.media_id, variant, &parts.headers).await
}

/// May the caller have it? In which app it is.
async fn admit(
    api: &Api,
    id: &str,
    variant: &str,
    query: &SignedQuery,
    parts: &mut Parts,
) -> Result<AppId> {
    match (query.app, query.expires, &query.signature) {
        (Some(app), Some(expires), Some(signature)) => {
            let (app, expires) = (AppId(app), Timestamp(expires));
            let engine = &api.engine;
            match engine.check_media_signature(app, id, variant, expires, signature) {
                true => Ok(app),
                false => Err(Reject::new(
                    Code::NotAllowed,
                    "the address has expired, or is not one of ours",
                )
                .into()),
            }
        }
        (None, None, None) => Ok(Caller::from_request_parts(parts, api).await?.app),
        _ => Err(Failure::invalid(
            "a signed address has app, expires and signature",
        )),
    }
}

async fn serve(
    api: &Api,
    app: AppId,
    id: &str,
    variant: Variant,
    asked: &HeaderMap,
) -> Result<Response> {
    let info = api.engine.media(app, id).await?;
    if !info.ready || (variant == Variant::Thumbnail && info.width == 0) {
        return Err(
            Reject::new(Code::NotFound, "there is no such file, or it is not ready").into(),
        );
    }
    // A file never changes, so its id says all.
    let etag = match variant {
        Variant::Content => format!("\"{id}\""),
        Variant::Thumbnail => format!("\"{id}-thumbnail\""),
    };
    let said = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let knows = said(header::IF_NONE_MATCH).is_some_and(|known| {
        known == "*"
            || known
                .split(',')
                .any(|one| one.trim().trim_start_matches("W/") == etag)
    });
    let mut response = if knows {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let same = said(header::IF_RANGE).is_none_or(|known| known == etag);
        let wanted = said(header::RANGE).filter(|_| same);
        send(api, &key(app, id)?, variant, wanted).await?
    };
    let headers = response.headers_mut();
    describe(headers, &info, variant);
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}

async fn send(
    api: &Api,
    key: &anser_media::Key,
    variant: Variant,
    wanted: Option<&str>,
) -> Result<Response> {
    let mut partial = false;
    let choose = |len| match wanted.map_or(Wanted::All, |text| parse(text, len)) {
        Wanted::All => Some(0..len),
        Wanted::Part(range) => {
            partial = true;
            Some(range)
        }
        Wanted::Nothing => None,
    };
    let read = api.media.files.read(key, variant, choose).await;
    let Read { len, range, bytes } = match read.map_err(refuse)? {
        Ok(read) => read,
        Err(len) => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{len}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Ok(response);
        }
    };
    let mut response = Body::from_stream(bytes).into_response();
    let (from, to) = (range.start, range.end);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, (to - from).into());
    if partial {
        let value = format!("bytes {from}-{}/{len}", to.saturating_sub(1));
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn describe(headers: &mut HeaderMap, info: &MediaInfo, variant: Variant) {
    let content_type = match variant {
        Variant::Content => info.content_type.as_str(),
        Variant::Thumbnail => "image/jpeg",
    };
    let mut say = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    say(header::CONTENT_TYPE, content_type);
    say(header::ACCEPT_RANGES, "bytes");
    say(header::CACHE_CONTROL, "private, max-age=86400, immutable");
    // Should a browser take it for a page after all, that page can do nothing.
    say(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox",
    );
    let how = match is_inline(content_type) {
        true => "inline",
        false => "attachment",
    };
    say(
        header::CONTENT_DISPOSITION,
        &format!("{how}; filename*=UTF-8''{}", percent_encoded(&info.name)),
    );
    say(
        HeaderName::from_static("cross-origin-resource-policy"),
        "cross-origin",
    );
}

/// As RFC 8187 wants names.
fn percent_encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                encoded.push(char::from(byte));
            }
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[derive(Debug, PartialEq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Nothing,
}

/// One range of bytes of a file. Several, or what is no range, count as none: the whole file is
/// always a right answer.
fn parse(text: &str, len: u64) -> Wanted {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|it| it.split_once('-'))
    else {
        return Wanted::All;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(len),
        (Ok(first), Err(_)) if last.is_empty() => first..len,
        (Err(_), Ok(last)) if first.is_empty() => len.saturating_sub(last)..len,
        _ => return Wanted::All,
    };
    match range.is_empty() {
        true => Wanted::Nothing,
        false => Wanted::Part(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(parse("bytes=0-3", 10), Wanted::Part(0..4));
        assert_eq!(parse("bytes=3-99", 10), Wanted::Part(3..10));
        assert_eq!(parse("bytes=3-", 10), Wanted::Part(3..10));
        assert_eq!(parse("bytes=-3", 10), Wanted::Part(7..10));
        assert_eq!(parse("bytes=-99", 10), Wanted::Part(0..10));
        let max = format!("bytes=0-{}", u64::MAX);
        assert_eq!(parse(&max, 10), Wanted::Part(0..10));
        for beyond in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(parse(beyond, 10), Wanted::Nothing, "{beyond}");
        }
        for other in [
            "",
            "bytes=",
            "bytes=-",
            "bytes=3-2",
            "bytes=0-1,3-4",
            "lines=0-1",
        ] {
            assert_eq!(parse(other, 10), Wanted::All, "{other}");
        }
    }

    #[test]
    fn names_in_headers() {
        assert_eq!(
            percent_encoded("a b\"\r\n雁.png"),
            "a%20b%22%0D%0A%E9%9B%81.png"
        );
    }
}
