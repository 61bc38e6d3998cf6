//! The bytes of the files that `_File` describes.
//!
//! They lie with a storage provider behind the application's file domain, not behind the API; no
//! credentials are sent there. A row of a file uploaded to LeanCloud may have no URL but a key, which
//! the file domain precedes (<https://docs.leancloud.cn/sdk/announcements/sunset-export/>, files).

use std::fs::{self, File};
use std::io::Write as _;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::Run;
use super::derived::{Subject, renew};
use super::lists::class_rows;
use crate::ambient;
use crate::api::Api;
use crate::digest::{Sum, sha256_file};
use crate::error::{At as _, Error};
use crate::layout::{FILE_INDEX, Layout, blob_path};
use crate::progress::Progress;
use crate::rows::{Kind, Row};
use crate::segment::Rows;

/// What became of a file: where its bytes are, or why they are not here.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// `objectId` of the `_File` row.
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) bytes: u64,
    #[serde(default)]
    pub(crate) sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
}

impl Stored {
    /// Whether the bytes are in the archive; `trust` looks at their number only.
    pub(crate) fn is_there(&self, layout: &Layout, trust: bool) -> bool {
        let Some(path) = self.path.as_ref().map(|path| layout.path(path)) else {
            return false;
        };
        let length = fs::metadata(&path).map(|file| file.len());
        length.is_ok_and(|length| length == self.bytes)
            && (trust || sha256_file(&path).is_ok_and(|(_, sum)| sum == self.sha256))
    }
}

/// What of a `_File` row is used.
#[derive(Deserialize)]
struct FileRow {
    url: Option<String>,
    key: Option<String>,
}

/// Downloads every file that is not in the archive yet.
pub(crate) async fn read(run: &Run, api: &Api) -> Result<(), Error> {
    let domain = run
        .args
        .file_domain
        .as_deref()
        .map(|domain| domain.trim_end_matches('/').to_owned());
    let subjects = class_rows(run, "_File")?.map(|row| {
        let row = row?;
        let file = serde_json::from_slice::<FileRow>(&row.line).ok();
        let url = file.and_then(|file| match (file.url, file.key, &domain) {
            (Some(url), _, _) => Some(url),
            (None, Some(key), Some(domain)) => {
                Some(format!("{domain}/{}", key.trim_start_matches('/')))
            }
            _ => None,
        });
        Ok(Subject {
            id: row.id,
            what: url,
        })
    });
    let keep = |row: &Row, _: &Subject<Option<String>>| {
        let stored = serde_json::from_slice::<Stored>(&row.line).unwrap_or_default();
        stored.is_there(&run.layout, run.args.trust_existing)
    };
    let fetch = |subject: Subject<Option<String>>| one(run, api, subject);
    renew(run, FILE_INDEX, api.parallel(), subjects, keep, fetch).await?;
    report_failures(run)
}

fn report_failures(run: &Run) -> Result<(), Error> {
    let path = run.layout.rows(FILE_INDEX);
    if !path.exists() {
        return Ok(());
    }
    let mut reasons = std::collections::BTreeMap::<String, u64>::new();
    for row in Rows::open(&path, Kind::Lists)? {
        let stored = serde_json::from_slice::<Stored>(&row?.line).unwrap_or_default();
        if let Some(reason) = stored.failed {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    for (reason, count) in reasons {
        run.missing_many(FILE_INDEX, &reason, count);
    }
    Ok(())
}

async fn one(run: &Run, api: &Api, subject: Subject<Option<String>>) -> Result<Row, Error> {
    let mut stored = Stored {
        id: subject.id,
        ..Stored::default()
    };
    let outcome = match subject.what.as_deref().map(str::parse::<Uri>) {
        None => Err("the row has neither a URL nor, with --file-domain, a key".to_owned()),
        Some(Err(_)) => Err("its URL cannot be read".to_owned()),
        Some(Ok(uri)) => download(run, api, &uri, &stored.id).await?,
    };
    match outcome {
        Ok((path, bytes, sha256)) => {
            Progress::add(&run.progress.files, 1);
            stored = Stored {
                path: Some(path),
                bytes,
                sha256,
                ..stored
            };
        }
        Err(reason) => stored.failed = Some(reason),
    }
    let line = serde_json::to_vec(&stored).expect("plain structs always serialize");
    Ok(Row {
        time: 0,
        id: stored.id,
        line,
    })
}

/// Repeats until it works, the source refuses, or patience ends.
async fn download(
    run: &Run,
    api: &Api,
    uri: &Uri,
    id: &str,
) -> Result<Result<(String, u64, String), String>, Error> {
    let relative = blob_path(id);
    let path = run.layout.path(&relative);
    let fresh = run
        .layout
        .spool(&format!("download@{}", relative.replace('/', "@")));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).at(parent)?;
    }
    let began = ambient::monotonic();
    let mut attempt = 0;
    loop {
        let mut file = File::create(&fresh).at(&fresh)?;
        let mut sum = Sum::default();
        let piece = |bytes: &[u8]| {
            let written = file.write_all(bytes).and_then(|()| sum.write_all(bytes));
            written.map_err(|error| error.to_string())
        };
        let failure = match api.download(uri, piece).await {
            Ok(status) if status.is_success() => {
                file.sync_all().at(&fresh)?;
                fs::rename(&fresh, &path).at(&path)?;
                return Ok(Ok((relative, sum.bytes, sum.finish())));
            }
            Ok(status) if status.is_client_error() && status.as_u16() != 429 => {
                fs::remove_file(&fresh).at(&fresh)?;
                return Ok(Err(format!("refused with {status}")));
            }
            Ok(status) => status.to_string(),
            Err(reason) => reason,
        };
        attempt += 1;
        match api.pause_before(attempt, ambient::monotonic() - began) {
            Some(pause) => ambient::sleep(pause).await,
            None => {
                fs::remove_file(&fresh).at(&fresh)?;
                return Ok(Err(format!("given up: {failure}")));
            }
        }
    }
}
