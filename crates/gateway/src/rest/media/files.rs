//! Whole files: an upload in one request, what is known of a file, and its end.

use anser_domain::{AppId, Code, Reject, Timestamp};
use anser_engine::media::{Found, MediaInfo};
use anser_media::Key;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::Api;
use super::super::extract::{Path, Query};
use super::super::failure::{ErrorBody, Failure, Result};
use super::super::spec::Common;
use super::caller::Caller;
use super::transfer::receive;
use super::{key, refuse};

/// A file.
#[derive(Serialize, ToSchema)]
pub(in crate::rest) struct MediaJson {
    /// Its id: what a message says in `media`.
    #[schema(min_length = 32, max_length = 32)]
    media: String,
    /// What it is called.
    name: String,
    /// How many bytes it has, or will have.
    bytes: u64,
    /// Found in its bytes; empty until it is ready.
    #[schema(example = "image/png")]
    content_type: String,
    /// Pixels across, of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32)]
    width: Option<u32>,
    /// Pixels down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32)]
    height: Option<u32>,
    /// Can it be downloaded?
    ready: bool,
    /// When it was announced.
    created_time: u64,
    /// Where its bytes are, on this server: works without a token until `url_expires`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    url: Option<String>,
    /// The same for a JPEG with no side above 320 pixels, of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    thumbnail_url: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64)]
    url_expires: Option<u64>,
}

fn json(api: &Api, app: AppId, info: MediaInfo) -> MediaJson {
    let life = api.settings.media.url_seconds * 1_000;
    let expires = api.env.now().plus_ms(life);
    let url = |variant: &str| address(api, app, &info.id, variant, expires);
    let picture = info.width > 0;
    MediaJson {
        url: info.ready.then(|| url("content")),
        thumbnail_url: (info.ready && picture).then(|| url("thumbnail")),
        url_expires: info.ready.then_some(expires.0),
        width: picture.then_some(info.width),
        height: picture.then_some(info.height),
        media: info.id,
        name: info.name,
        bytes: info.bytes,
        content_type: info.content_type,
        ready: info.ready,
        created_time: info.created.0,
    }
}

fn address(api: &Api, app: AppId, id: &str, variant: &str, expires: Timestamp) -> String {
    let signature = api.engine.sign_media(app, id, variant, expires);
    format!(
        "/v1/media/{id}/{variant}?app={}&expires={}&signature={signature}",
        app.0, expires.0
    )
}

/// Begins an upload: its place on disk, then its row.
pub(super) async fn announce(
    api: &Api,
    caller: &Caller,
    name: &str,
    bytes: u64,
) -> Result<(Key, MediaInfo)> {
    let (files, limits) = (&api.media.files, &api.settings.media.limits);
    anser_domain::media::check_size(bytes, limits.bytes_max)?;
    files.check_space(bytes).map_err(refuse)?;
    let id = api.engine.new_media_id();
    let key = key(caller.app, &id)?;
    files.uploads().create(&key, bytes).await.map_err(refuse)?;
    let announced = api
        .engine
        .announce_media(caller.app, caller.user.as_ref(), &id, name, bytes, limits)
        .await;
    match announced {
        Ok(info) => Ok((key, info)),
        Err(reject) => {
            // What is not removed now, the sweep finds; if nobody knows whether there is a row,
            // only the sweep can tell.
            if reject.code != Code::Timeout {
                let _ = files.remove(&key).await;
            }
            Err(reject.into())
        }
    }
}

/// Makes a file of an upload that is whole.
pub(super) async fn complete(api: &Api, app: AppId, key: &Key) -> Result<MediaInfo> {
    let finished = api.media.files.finish(key).await.map_err(refuse)?;
    let found = Found {
        content_type: finished.content_type,
        size: finished.size,
    };
    let info = api.engine.complete_media(app, key.id(), found).await?;
    // What is left beside it, the sweep finds.
    let _ = api.media.files.forget(key).await;
    Ok(info)
}

/// Removes a file or an upload: what is left if this is cut short, the sweep finds.
pub(super) async fn remove(api: &Api, app: AppId, key: &Key) -> Result<()> {
    let files = &api.media.files;
    files.condemn(key).await.map_err(refuse)?;
    api.engine.remove_media(app, key.id()).await?;
    files.remove(key).await.map_err(refuse)?;
    Ok(())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::rest) struct UploadQuery {
    /// What the file is called; folders and the like are dropped.
    #[serde(default)]
    #[param(max_length = 1024, required = false)]
    name: String,
}

/// Bytes of a name that are looked at.
pub(super) const NAME_BYTES_MAX: usize = 1024;

/// Upload a file in one request.
///
/// The body is the file, with its `Content-Length`, up to 10 MiB unless the operator says
/// otherwise; larger ones go in pieces. What the file is, is found in its bytes: `Content-Type` is
/// not looked at. A user uploads with `Authorization: Bearer <token>`.
#[utoipa::path(
    post, path = "/v1/media", tag = "media",
    params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "The file is on disk.", body = MediaJson),
        (status = 409, description = "Somebody else touched the upload meanwhile.", body = ErrorBody),
        (status = 411, description = "There is no Content-Length.", body = ErrorBody),
        (status = 413, description = "The file is too large.", body = ErrorBody),
        (status = 429, description = "The user has uploaded enough, or uploads too much at once.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn upload_media(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<MediaJson>)> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let bytes = length.ok_or_else(|| {
        Failure::invalid("Content-Length says how many bytes the file has")
            .status(StatusCode::LENGTH_REQUIRED)
    })?;
    if query.name.len() > NAME_BYTES_MAX {
        return Err(Failure::invalid("name is longer than 1024 bytes"));
    }
    let request_bytes_max = api.settings.media.request_bytes_max;
    if bytes > request_bytes_max {
        let message = format!(
            "in one request a file has at most {request_bytes_max} bytes; larger ones go in pieces"
        );
        return Err(Reject::new(Code::MediaTooLarge, message).into());
    }
    let place = api.media.places.take(caller.app, caller.user.as_ref())?;
    let (key, _) = announce(&api, &caller, &query.name, bytes).await?;
    if let Err(reject) = receive(&api, &key, 0, body, None, place).await {
        let _ = remove(&api, caller.app, &key).await;
        return Err(reject.into());
    }
    let info = complete(&api, caller.app, &key).await?;
    Ok((StatusCode::CREATED, Json(json(&api, caller.app, info))))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::rest) struct MediaPath {
    /// The file's id.
    #[param(min_length = 32, max_length = 32, pattern = "^[0-9a-f]{32}$")]
    pub(super) media_id: String,
}

/// Get what is known of a file.
///
/// With addresses for downloads that need no token, for an hour unless the operator says
/// otherwise. Whoever belongs to the app and knows the id may ask.
#[utoipa::path(
    get, path = "/v1/media/{media_id}", tag = "media",
    params(MediaPath),
    responses(
        (status = 200, description = "The file.", body = MediaJson),
        (status = 404, description = "There is no such file.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn get_media(
    State(api): State<Api>,
    caller: Caller,
    Path(path): Path<MediaPath>,
) -> Result<Json<MediaJson>> {
    let info = api.engine.media(caller.app, &path.media_id).await?;
    Ok(Json(json(&api, caller.app, info)))
}

/// Delete a file.
///
/// A user deletes their own. Its bytes are gone, for messages that name it too.
#[utoipa::path(
    delete, path = "/v1/media/{media_id}", tag = "media",
    params(MediaPath),
    responses(
        (status = 204, description = "Done."),
        (status = 404, description = "There is no such file.", body = ErrorBody),
        (status = 409, description = "Somebody uploads it right now.", body = ErrorBody),
        (status = 507, description = "The server's disk is full.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []), ("user" = []))
)]
pub(in crate::rest) async fn delete_media(
    State(api): State<Api>,
    caller: Caller,
    Path(path): Path<MediaPath>,
) -> Result<StatusCode> {
    let info = api.engine.media(caller.app, &path.media_id).await?;
    caller.check_owns(&info)?;
    remove(&api, caller.app, &key(caller.app, &info.id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
