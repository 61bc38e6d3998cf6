//! An upload in pieces, by tus 1.0.
//!
//! The file is announced, which gives a place on the server, and then sent piece by piece. After a
//! failure the server is asked how far it is, again and again with longer waits between, as long as
//! something comes through now and then. A place that is gone (an upload lives for a day) is made
//! anew.

use std::fs::{File, Metadata};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anser_domain::code::{Action, Code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::sync::watch;

use super::UploadProgress;
use super::http::{Http, percent_encoded};
use crate::database::PendingUpload;
use crate::driver::database::LocalDatabase;
use crate::error::{Error, SERVER_NOT_REACHABLE};
use crate::model::MediaFile;

/// Bytes of a piece: what a failure costs.
const PIECE_BYTES: u64 = 512 * 1024;
/// Failures in a row, without anything coming through.
const FAILURES_MAX: u32 = 8;
/// The wait after the first failure; doubles each time.
const WAIT_FIRST_MS: u64 = 500;

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
const PIECE: HeaderValue = HeaderValue::from_static("application/offset+octet-stream");

/// An upload that is being carried out.
pub(super) struct Sending {
    pub(super) http: Arc<Http>,
    pub(super) database: Option<LocalDatabase>,
    pub(super) upload: PendingUpload,
    pub(super) tell: watch::Sender<UploadProgress>,
}

/// What a file on this device is.
pub(super) async fn look_at(path: PathBuf, id: String) -> Result<PendingUpload, Error> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| Error::new(Code::InvalidRequest, "a path without a name"))?;
    let path = std::path::absolute(&path).map_err(|why| unreadable(&path, &why))?;
    let Some(text) = path.to_str().map(ToOwned::to_owned) else {
        return Err(Error::new(Code::InvalidRequest, "the path is not Unicode"));
    };
    let (bytes, modified) = measure(path).await?;
    Ok(PendingUpload {
        id,
        path: text,
        name,
        bytes,
        modified,
        location: String::new(),
    })
}

fn unreadable(path: &Path, why: &std::io::Error) -> Error {
    let message = format!("{} can't be read: {why}", path.display());
    Error::new(Code::InvalidRequest, message)
}

/// Bytes, and when they were changed last.
async fn measure(path: PathBuf) -> Result<(u64, u64), Error> {
    blocking(move || {
        let metadata = std::fs::metadata(&path).and_then(|metadata| match metadata.is_file() {
            true => Ok(metadata),
            false => Err(std::io::Error::other("it is no file")),
        });
        let metadata = metadata.map_err(|why| unreadable(&path, &why))?;
        Ok((metadata.len(), modified(&metadata)))
    })
    .await
}

fn modified(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok();
    let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|why| Err(Error::new(Code::Internal, why.to_string())))
}

async fn piece(path: String, from: u64, bytes: u64) -> Result<Bytes, Error> {
    blocking(move || {
        let read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut piece = Vec::new();
            file.take(bytes).read_to_end(&mut piece)?;
            Ok(piece)
        };
        let read = read().map_err(|why| unreadable(Path::new(&path), &why))?;
        Ok(read.into())
    })
    .await
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Error> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    let number = value.and_then(|value| value.parse().ok());
    let missing = || Error::new(Code::Internal, format!("an answer without {name}"));
    number.ok_or_else(missing)
}

/// Gives the server's place of an upload up.
pub(super) async fn delete(http: &Http, location: &str) -> Result<(), Error> {
    let headers = [(RESUMABLE, VERSION)];
    let answer = http.request(Method::DELETE, location, &headers, Bytes::new());
    answer.await.map(drop)
}

impl Sending {
    pub(super) async fn run(mut self) -> Result<MediaFile, Error> {
        let sent = self.send_all().await;
        let over = match &sent {
            Ok(_) => true,
            // The same again would be refused again.
            Err(error) => error.action() == Action::GiveUp && !is_passing(error),
        };
        if over && let Some(database) = &self.database {
            database.end_upload(self.upload.id.clone()).await?;
        }
        sent
    }

    async fn send_all(&mut self) -> Result<MediaFile, Error> {
        let mut failures = 0;
        loop {
            let before = self.tell.borrow().sent;
            let error = match self.go_on().await {
                Ok(file) => return Ok(file),
                Err(error) => error,
            };
            let moved = self.tell.borrow().sent > before;
            failures = if moved { 1 } else { failures + 1 };
            let lost = error.code == Code::NotFound.number() && !self.upload.location.is_empty();
            if lost {
                self.upload.location.clear();
                self.told(0);
            } else if !is_passing(&error) && error.code != Code::UploadConflict.number() {
                return Err(error);
            }
            if failures > FAILURES_MAX {
                return Err(error);
            }
            let wait = (WAIT_FIRST_MS << failures.min(6)).max(error.retry_after_ms.into());
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    fn told(&self, sent: u64) {
        self.tell.send_modify(|progress| progress.sent = sent);
    }

    /// Sends what the server does not have.
    async fn go_on(&mut self) -> Result<MediaFile, Error> {
        self.check_same().await?;
        let mut sent = match self.upload.location.is_empty() {
            true => self.announce().await?,
            false => {
                let head = self.ask(Method::HEAD, Vec::new(), Bytes::new()).await?;
                number(&head, &OFFSET)?
            }
        };
        self.told(sent);
        while sent < self.upload.bytes {
            let bytes = PIECE_BYTES.min(self.upload.bytes - sent);
            let piece = piece(self.upload.path.clone(), sent, bytes).await?;
            if piece.len() as u64 != bytes {
                return Err(changed());
            }
            let headers = vec![(OFFSET, sent.into()), (CONTENT_TYPE, PIECE)];
            let head = self.ask(Method::PATCH, headers, piece).await?;
            sent = number(&head, &OFFSET)?;
            self.told(sent);
        }
        self.check_same().await?;
        let id = self.upload.location.rsplit('/').next().unwrap_or_default();
        let path = format!("/v1/media/{}", percent_encoded(id));
        let answer = self.http.request(Method::GET, &path, &[], Bytes::new());
        super::file(&self.http, &answer.await?)
    }

    /// Announces the file. Gives how much of it the server has.
    async fn announce(&mut self) -> Result<u64, Error> {
        let name = BASE64.encode(&self.upload.name);
        let metadata = HeaderValue::from_str(&format!("filename {name}"))
            .map_err(|why| Error::new(Code::InvalidRequest, why.to_string()))?;
        let headers = [
            (RESUMABLE, VERSION),
            (LENGTH, self.upload.bytes.into()),
            (METADATA, metadata),
        ];
        let path = "/v1/media/uploads";
        let answer = self
            .http
            .request(Method::POST, path, &headers, Bytes::new());
        let answer = answer.await?;
        let location = answer
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let location: Option<http::Uri> = location.and_then(|location| location.parse().ok());
        let Some(location) = location else {
            return Err(Error::new(Code::Internal, "an answer without a location"));
        };
        location.path().clone_into(&mut self.upload.location);
        if let Some(database) = &self.database {
            database.keep_upload(self.upload.clone()).await?;
        }
        Ok(0)
    }

    async fn ask(
        &self,
        method: Method,
        mut headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<HeaderMap, Error> {
        headers.push((RESUMABLE, VERSION));
        let location = &self.upload.location;
        let answer = self.http.request(method, location, &headers, body).await?;
        Ok(answer.headers)
    }

    /// Is the file still what was announced?
    async fn check_same(&self) -> Result<(), Error> {
        let (bytes, modified) = measure(PathBuf::from(&self.upload.path)).await?;
        match (bytes, modified) == (self.upload.bytes, self.upload.modified) {
            true => Ok(()),
            false => Err(changed()),
        }
    }
}

fn changed() -> Error {
    Error::new(
        Code::InvalidRequest,
        "the file was changed since its upload began",
    )
}

/// May it go better another time?
fn is_passing(error: &Error) -> bool {
    let waits = error.action() == Action::Retry || error.code == SERVER_NOT_REACHABLE;
    waits
        || [Code::RateLimited, Code::MediaQuota]
            .map(Code::number)
            .contains(&error.code)
}
