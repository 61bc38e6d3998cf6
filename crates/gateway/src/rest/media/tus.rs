//! Uploads in pieces, by the tus protocol 1.0: creation, expiration, checksum, termination.
//!
//! The path of an upload ends with the id that its file will have. An offset that was answered is
//! on disk. A piece that fails its checksum leaves nothing behind.

use anser_domain::{Code, Reject};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::Api;
use super::super::extract::Path;
use super::super::failure::{ErrorBody, Failure, Result};
use super::super::spec::Common;
use super::caller::Caller;
use super::files::{MediaPath, NAME_BYTES_MAX, announce, complete, remove};
use super::transfer::{Checksum, expect_nothing, receive};
use super::{key, refuse};

/// Of the protocol.
pub(super) const VERSION: &str = "1.0.0";
/// Bytes of `Upload-Metadata` that are looked at.
const METADATA_BYTES_MAX: usize = 4 * 1024;

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &'static str) -> Result<u64> {
    let value = text(headers, name).and_then(|value| value.parse().ok());
    value.ok_or_else(|| Failure::invalid(format!("{name} is missing, or no number")))
}

fn check_version(headers: &HeaderMap) -> Result<()> {
    match text(headers, "tus-resumable") {
        Some(VERSION) => Ok(()),
        _ => {
            Err(Failure::invalid("Tus-Resumable is 1.0.0").status(StatusCode::PRECONDITION_FAILED))
        }
    }
}

/// The file's name in `Upload-Metadata`, where clients put it.
fn name(headers: &HeaderMap) -> Result<String> {
    let metadata = text(headers, "upload-metadata").unwrap_or_default();
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(Failure::invalid(
            "Upload-Metadata is longer than 4096 bytes",
        ));
    }
    for pair in metadata.split(',') {
        let (key, value) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
        if key != "filename" && key != "name" {
            continue;
        }
        let decoded = BASE64.decode(value.trim()).ok();
        let name = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        return name
            .filter(|name| name.len() <= NAME_BYTES_MAX)
            .ok_or_else(|| Failure::invalid("Upload-Metadata: filename is no base64 of UTF-8"));
    }
    Ok(String::new())
}

/// Seconds of a time, as HTTP writes it.
fn http_date(ms: u64) -> Option<HeaderValue> {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms);
    HeaderValue::from_str(&httpdate::fmt_http_date(time)).ok()
}

/// Begin an upload in pieces.
///
/// The protocol is tus 1.0; any client of it will do. `Upload-Length` says how many bytes there
/// will be; `filename` in `Upload-Metadata` what the file is called. `Location` is where the
/// pieces go, and ends with the id that the file will have.
#[utoipa::path(
    post, path = "/v1/media/uploads", tag = "media",
    params(
        ("Tus-Resumable" = String, Header, example = "1.0.0"),
        ("Upload-Length" = u64, Header, minimum = 1),
        ("Upload-Metadata" = Option<String>, Header, max_length = 4096),
    ),
    responses(
        (status = 201, description = "It can begin; `Location`, `Upload-Expires`."),
        (status = 412, description = "Another version of tus.", body = ErrorBody),
        (status = 413, description = "The file is too large.", body = ErrorBody),
        (status = 429, description = "The user has uploaded enough.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn create_upload(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response> {
    check_version(&headers)?;
    let bytes = number(&headers, "upload-length")?;
    let (key, info) = announce(&api, &caller, &name(&headers)?, bytes).await?;
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    let location = format!("/v1/media/uploads/{}", key.id());
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    if let Some(expires) = http_date(info.expires.0) {
        headers.insert("upload-expires", expires);
    }
    headers.insert("upload-offset", 0_u64.into());
    Ok(response)
}

/// Ask how far an upload is.
#[utoipa::path(
    head, path = "/v1/media/uploads/{media_id}", tag = "media",
    params(MediaPath, ("Tus-Resumable" = String, Header, example = "1.0.0")),
    responses(
        (status = 200, description = "`Upload-Offset` of `Upload-Length` bytes are on disk."),
        (status = 404, description = "There is no such upload.", body = ErrorBody),
        (status = 409, description = "All is there, and somebody makes a file of it right now.", body = ErrorBody),
        (status = 412, description = "Another version of tus.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn get_upload_offset(
    State(api): State<Api>,
    caller: Caller,
    Path(path): Path<MediaPath>,
    headers: HeaderMap,
) -> Result<Response> {
    check_version(&headers)?;
    let info = api.engine.media(caller.app, &path.media_id).await?;
    caller.check_owns(&info)?;
    let mut offset = info.bytes;
    if !info.ready {
        let key = key(caller.app, &info.id)?;
        let progress = api.media.files.uploads().progress(&key).await;
        offset = progress.map_err(refuse)?.offset;
        if offset == info.bytes {
            // All was there, and then nobody lived to make a file of it.
            complete(&api, caller.app, &key).await?;
        }
    }
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert("upload-offset", offset.into());
    headers.insert("upload-length", info.bytes.into());
    Ok(response)
}

/// Upload a piece.
///
/// `Upload-Offset` is how far the upload is. With the last piece the file is ready.
/// `Upload-Checksum` may say what the piece must be.
#[utoipa::path(
    patch, path = "/v1/media/uploads/{media_id}", tag = "media",
    params(
        MediaPath,
        ("Tus-Resumable" = String, Header, example = "1.0.0"),
        ("Upload-Offset" = u64, Header),
        ("Upload-Checksum" = Option<String>, Header, example = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses(
        (status = 204, description = "`Upload-Offset` bytes are on disk."),
        (status = 404, description = "There is no such upload.", body = ErrorBody),
        (status = 409, description = "The upload is elsewhere, or somebody else writes to it.", body = ErrorBody),
        (status = 412, description = "Another version of tus.", body = ErrorBody),
        (status = 413, description = "More than announced.", body = ErrorBody),
        (status = 415, description = "The body is not declared as application/offset+octet-stream.", body = ErrorBody),
        (status = 429, description = "The user uploads too much at once.", body = ErrorBody),
        (status = 460, description = "The piece is not what its checksum says.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn upload_piece(
    State(api): State<Api>,
    caller: Caller,
    Path(path): Path<MediaPath>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    check_version(&headers)?;
    if text(&headers, "content-type") != Some("application/offset+octet-stream") {
        return Err(Failure::invalid(
            "a piece has `Content-Type: application/offset+octet-stream`",
        )
        .status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let offset = number(&headers, "upload-offset")?;
    let checksum = text(&headers, "upload-checksum").map(Checksum::parse);
    let checksum = checksum.transpose()?;
    let info = api.engine.media(caller.app, &path.media_id).await?;
    caller.check_owns(&info)?;
    if info.ready {
        return Err(Reject::new(Code::UploadConflict, "the upload is whole already").into());
    }
    let key = key(caller.app, &info.id)?;
    let place = api.media.places.take(caller.app, caller.user.as_ref())?;
    api.media.files.check_space(0).map_err(refuse)?;
    let uploads = api.media.files.uploads();
    let mut progress = uploads.progress(&key).await.map_err(refuse)?;
    if offset == info.bytes && progress.offset == offset {
        // All was there, and then nobody lived to make a file of it.
        expect_nothing(&api, body).await?;
    } else {
        progress = receive(&api, &key, offset, body, checksum, place).await?;
    }
    if progress.offset == progress.total {
        complete(&api, caller.app, &key).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert("upload-offset", progress.offset.into());
    Ok(response)
}

/// Give an upload up.
#[utoipa::path(
    delete, path = "/v1/media/uploads/{media_id}", tag = "media",
    params(MediaPath, ("Tus-Resumable" = String, Header, example = "1.0.0")),
    responses(
        (status = 204, description = "Done."),
        (status = 404, description = "There is no such upload.", body = ErrorBody),
        (status = 409, description = "Somebody writes to it right now, or it is whole.", body = ErrorBody),
        (status = 412, description = "Another version of tus.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn delete_upload(
    State(api): State<Api>,
    caller: Caller,
    Path(path): Path<MediaPath>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    check_version(&headers)?;
    let info = api.engine.media(caller.app, &path.media_id).await?;
    caller.check_owns(&info)?;
    if info.ready {
        return Err(Reject::new(Code::UploadConflict, "the upload is whole already").into());
    }
    remove(&api, caller.app, &key(caller.app, &info.id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_among_the_metadata() {
        let named = |metadata: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("upload-metadata", HeaderValue::from_static(metadata));
            name(&headers).ok()
        };
        assert_eq!(
            named("filetype aW1hZ2U=,filename YS5wbmc="),
            Some("a.png".into())
        );
        assert_eq!(named("is_confidential"), Some(String::new()));
        assert_eq!(named("filename !"), None);
        assert_eq!(named("filename /w=="), None, "no UTF-8");
        assert_eq!(name(&HeaderMap::new()).ok(), Some(String::new()));
    }
}
