//! Files that messages name: where to upload, uploading, and where to download.
//!
//! A client asks for a place (`fileTokens`), puts the bytes there in one request, and says that it
//! has (`fileCallback`). The place is a token that is signed for a while and good for one file; the
//! file is one of the engine's. What it is called for good is an address of this server with an id
//! that nobody can guess, from which a download is sent on to an address that expires.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anser_domain::media::MediaLimits;
use anser_domain::{AppId, Code, Reject};
use anser_engine::media::Found;
use anser_media::{Key, Media, MediaError};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt as _;
use futures::future::{Either, select};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::{Answer, Failure};
use crate::leancloud::{DOOR, LeanCloud, Settings, iso};

/// How long a place is good.
const PLACE_MS: u64 = 3_600 * 1_000;
/// How long an address is good that a download is sent on to.
const DOWNLOAD_MS: u64 = 3_600 * 1_000;
/// Uploads at once.
const UPLOADS_MAX: usize = 64;
/// A body that stands still so long has ended.
const IDLE_MS: u64 = 30_000;
/// Bytes of a file's name, and of a token.
const NAME_BYTES_MAX: usize = 255;
const TOKEN_BYTES_MAX: usize = 1_024;

/// Where files are kept, and how many are on their way.
pub struct Files {
    media: Media,
    limits: MediaLimits,
    /// The listener speaks TLS.
    tls: bool,
    uploads: AtomicUsize,
}

impl Files {
    /// Files are kept there, within these limits.
    #[must_use]
    pub fn new(media: Media, limits: MediaLimits, tls: bool) -> Self {
        Self {
            media,
            limits,
            tls,
            uploads: AtomicUsize::new(0),
        }
    }

    /// This server, as a client reaches it.
    fn base(&self, host: &str, forwarded: Option<&str>) -> String {
        let secure = match forwarded {
            Some(proto) => proto.eq_ignore_ascii_case("https"),
            None => self.tls,
        };
        format!("{}://{host}", if secure { "https" } else { "http" })
    }
}

/// An upload on its way; dropping it makes room for another.
struct Busy(Arc<Files>);

impl Busy {
    fn take(files: &Arc<Files>) -> Result<Self, Reject> {
        let before = files.uploads.fetch_add(1, Ordering::Relaxed);
        let busy = Self(files.clone());
        match before < UPLOADS_MAX {
            true => Ok(busy),
            false => Err(Code::Overloaded.into()),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.uploads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a place says.
#[derive(Serialize, Deserialize)]
struct Ticket {
    #[serde(rename = "i")]
    id: String,
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "e")]
    expires: u64,
}

fn key(settings: &Settings) -> hmac::Key {
    let master = hmac::Key::new(hmac::HMAC_SHA256, settings.master_key.as_bytes());
    let derived = hmac::sign(&master, b"uploads");
    hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
}

fn sign(settings: &Settings, ticket: &Ticket) -> String {
    let text = serde_json::to_vec(ticket).expect("texts and numbers are JSON");
    let payload = URL_SAFE_NO_PAD.encode(text);
    let tag = hmac::sign(&key(settings), payload.as_bytes());
    format!("{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn read(settings: &Settings, token: &str, now: u64) -> Option<Ticket> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (payload, tag) = token.split_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(&key(settings), payload.as_bytes(), &tag).ok()?;
    let ticket: Ticket = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    (ticket.expires > now).then_some(ticket)
}

pub(super) fn router() -> Router<LeanCloud> {
    use axum::routing::{get, post, put};
    Router::new()
        .route("/1.1/fileTokens", post(tokens))
        .route("/1.1/fileCallback", post(callback))
        .route("/1.1/files", post(external))
        .route("/1.1/files/{id}", get(one).post(external))
        .route("/1.1/uploads/{app}/{token}", put(upload))
        .route("/1.1/media/{app}/{id}", get(download))
        .route("/1.1/media/{app}/{id}/{name}", get(download_named))
}

fn files(door: &LeanCloud) -> Result<Arc<Files>, Failure> {
    door.files.clone().ok_or_else(Failure::not_found)
}

/// The address of a file, for good.
fn address(base: &str, app: AppId, id: &str, name: &str) -> String {
    // Only the ending matters, to those who look at it.
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let plain = (1..=10).contains(&ending.len());
    match plain && ending.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => format!("{base}/1.1/media/{}/{id}/file.{ending}", app.0),
        false => format!("{base}/1.1/media/{}/{id}", app.0),
    }
}

/// `POST /1.1/fileTokens`: a place for a file.
async fn tokens(call: Call) -> Answer {
    let files = files(&call.door)?;
    let name = call.text("name").unwrap_or("file");
    if name.len() > NAME_BYTES_MAX {
        return Err(Failure::invalid("name is longer than 255 bytes"));
    }
    let id = call.door.engine.new_media_id();
    let ticket = Ticket {
        id: id.clone(),
        name: name.to_owned(),
        expires: call.door.env.now().0 + PLACE_MS,
    };
    let token = sign(&call.app.settings, &ticket);
    let base = files.base(&call.host, call.forwarded.as_deref());
    Ok(Json(json!({
        "objectId": id,
        "bucket": "anser",
        "token": token,
        "key": call.text("key").unwrap_or(&id),
        "url": address(&base, call.app.id, &id, name),
        "upload_url": format!("{base}/1.1/uploads/{}/{token}", call.app.id.0),
        "provider": "s3",
        "mime_type": call.text("mime_type").unwrap_or("application/octet-stream"),
    })))
}

/// `POST /1.1/fileCallback`: what became of an upload. It is complete by itself.
async fn callback(call: Call) -> Answer {
    let token = call.need("token")?;
    match read(&call.app.settings, token, call.door.env.now().0) {
        Some(_) => Ok(Json(json!({}))),
        None => Err(Failure::invalid("token is none of this server, or too old")),
    }
}

/// `POST /1.1/files`: a file that is somewhere else. Nothing is kept of it but what messages say.
async fn external(call: Call) -> Result<Response, Failure> {
    let url = call.need("url")?;
    let known = url.starts_with("http://") || url.starts_with("https://");
    if !known || url.len() > anser_domain::limits::URL_BYTES_MAX {
        return Err(Failure::invalid("url is no address, or too long"));
    }
    let answer = json!({
        "objectId": call.door.engine.new_media_id(),
        "createdAt": iso::text(call.door.env.now()),
        "name": call.text("name").unwrap_or_default(),
        "url": url,
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /1.1/files/{id}`.
async fn one(Path(id): Path<String>, call: Call) -> Answer {
    let files = files(&call.door)?;
    let info = call.door.engine.media(call.app.id, &id).await?;
    let base = files.base(&call.host, call.forwarded.as_deref());
    Ok(Json(json!({
        "objectId": id,
        "createdAt": iso::text(info.created),
        "name": info.name,
        "mime_type": info.content_type,
        "url": address(&base, call.app.id, &id, &info.name),
        "metaData": {"size": info.bytes},
    })))
}

/// The app of this number behind the door, and what it has set up.
async fn settings(door: &LeanCloud, app: AppId) -> Result<Settings, Failure> {
    let found = door.engine.door(app, DOOR).await?;
    let found = found.ok_or_else(Failure::not_found)?;
    let settings = Settings::from_json(&found.settings)?;
    match settings.enabled {
        true => Ok(settings),
        false => Err(Failure::not_found()),
    }
}

fn failed(error: MediaError) -> Failure {
    let reject = match error {
        MediaError::TooLong => Reject::new(Code::MediaTooLarge, "more bytes than announced"),
        MediaError::Full => Code::StorageFull.into(),
        MediaError::Busy => Code::UploadConflict.into(),
        MediaError::Unfinished => Reject::new(Code::InvalidRequest, "the body broke off"),
        error => {
            tracing::error!(%error, "a file could not be written");
            Code::Internal.into()
        }
    };
    reject.into()
}

/// `PUT` to a place: the bytes of a file. A place takes one file.
async fn upload(
    State(door): State<LeanCloud>,
    Path((app, token)): Path<(u32, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let (files, app) = (files(&door)?, AppId(app));
    let settings = settings(&door, app).await?;
    let ticket = read(&settings, &token, door.env.now().0).ok_or_else(Failure::unauthorized)?;
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let bytes = length.ok_or_else(|| Failure::invalid("Content-Length is missing"))?;
    anser_domain::media::check_size(bytes, files.limits.bytes_max)?;
    let _busy = Busy::take(&files)?;
    files.media.check_space(bytes).map_err(failed)?;
    let place = Key::new(app.0, &ticket.id).ok_or_else(Failure::not_found)?;
    files
        .media
        .uploads()
        .create(&place, bytes)
        .await
        .map_err(|error| match error {
            // The place has its file.
            MediaError::Io(io) if io.kind() == std::io::ErrorKind::AlreadyExists => {
                Reject::from(Code::UploadConflict).into()
            }
            error => failed(error),
        })?;
    let announced = door
        .engine
        .announce_media(app, None, &ticket.id, &ticket.name, bytes, &files.limits)
        .await;
    if let Err(reject) = announced {
        // What is there already belongs to the file that was put here before.
        return Err(reject.into());
    }
    match store(&door, &files, &place, body).await {
        Ok(()) => Ok(Json(json!({}))),
        Err(failure) => {
            // What is not removed now, the sweep of uploads finds.
            let removed = door.engine.remove_unfinished_media(app, &ticket.id).await;
            if removed.is_ok_and(|removed| removed) {
                drop(files.media.remove(&place).await);
            }
            Err(failure)
        }
    }
}

/// From the body to the disk, and into the list of files.
async fn store(door: &LeanCloud, files: &Files, place: &Key, body: Body) -> Result<(), Failure> {
    let mut writer = files
        .media
        .uploads()
        .writer(place, 0)
        .await
        .map_err(failed)?;
    let mut body = body.into_data_stream();
    loop {
        let idle = Box::pin(door.env.sleep(IDLE_MS));
        match select(body.next(), idle).await {
            Either::Left((Some(Ok(bytes)), _)) => writer.write(&bytes).await.map_err(failed)?,
            Either::Left((None, _)) => break,
            Either::Left((Some(Err(_)), _)) | Either::Right(_) => {
                return Err(failed(MediaError::Unfinished));
            }
        }
    }
    writer.save().await.map_err(failed)?;
    drop(writer);
    let finished = files.media.finish(place).await.map_err(failed)?;
    let found = Found {
        content_type: finished.content_type,
        size: finished.size,
    };
    let app = AppId(place.app());
    door.engine.complete_media(app, place.id(), found).await?;
    // What is left beside it, the sweep of uploads finds.
    drop(files.media.forget(place).await);
    Ok(())
}

async fn download(
    State(door): State<LeanCloud>,
    Path((app, id)): Path<(u32, String)>,
) -> Result<Response, Failure> {
    send_on(&door, AppId(app), &id).await
}

async fn download_named(
    State(door): State<LeanCloud>,
    Path((app, id, _)): Path<(u32, String, String)>,
) -> Result<Response, Failure> {
    send_on(&door, AppId(app), &id).await
}

/// Sends a download on to an address that is good for a while.
async fn send_on(door: &LeanCloud, app: AppId, id: &str) -> Result<Response, Failure> {
    settings(door, app).await?;
    let info = door.engine.media(app, id).await?;
    if !info.ready {
        return Err(Failure::not_found());
    }
    let expires = door.env.now().plus_ms(DOWNLOAD_MS);
    let signature = door.engine.sign_media(app, id, "content", expires);
    let to = format!(
        "/v1/media/{id}/content?app={}&expires={}&signature={signature}",
        app.0, expires.0
    );
    let to = HeaderValue::from_str(&to).map_err(|_| Failure::not_found())?;
    Ok((StatusCode::FOUND, [(LOCATION, to)], Json(Value::Null)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_signed_and_end() {
        let settings = |key: &str| {
            let text = format!(r#"{{"app_id":"a","app_key":"k","master_key":"{key}"}}"#);
            Settings::from_json(&text).unwrap()
        };
        let ticket = Ticket {
            id: "i".into(),
            name: "n".into(),
            expires: 10,
        };
        let token = sign(&settings("m"), &ticket);
        assert_eq!(read(&settings("m"), &token, 9).unwrap().id, "i");
        assert!(read(&settings("m"), &token, 10).is_none());
        assert!(read(&settings("n"), &token, 9).is_none());
        assert!(read(&settings("m"), &format!("x{token}"), 9).is_none());
        assert!(read(&settings("m"), "x", 9).is_none());
    }

    #[test]
    fn addresses_keep_a_plain_ending() {
        let of = |name: &str| address("http://h", AppId(3), "id", name);
        assert_eq!(of("a.png"), "http://h/1.1/media/3/id/file.png");
        assert_eq!(of("a"), "http://h/1.1/media/3/id");
        assert_eq!(of("a./../x"), "http://h/1.1/media/3/id");
        assert_eq!(of("图.p g"), "http://h/1.1/media/3/id");
    }
}
