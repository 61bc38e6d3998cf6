//! Steps about files, and what is looked at of them.

use std::path::Path;

use anser_sdk::Client;
use serde_json::{Value, json};

use super::Stage;
use super::actors::{Actor, Names};
use super::args::Args;
use super::looks::part;
use super::steps::Failure;
use crate::http::request;

/// What is larger goes in pieces.
const WHOLE_BYTES_MAX: usize = 1024 * 1024;

/// A file of the scenarios, or so many bytes of nothing in particular.
fn contents(args: &Args) -> Vec<u8> {
    if let Some(file) = args.maybe_text("file") {
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/files");
        return std::fs::read(files.join(file)).unwrap();
    }
    let bytes = args.number("bytes");
    (0..bytes)
        .map(|n| u8::try_from(n % 251).unwrap_or(0))
        .collect()
}

/// False: there is no such step.
pub(super) async fn step(
    name: &str,
    args: &Args,
    client: &Client,
    names: &Names,
) -> Result<bool, Failure> {
    match name {
        "upload" => {
            let (called, contents) = (args.text("name"), contents(args));
            let file = if contents.len() <= WHOLE_BYTES_MAX {
                client.upload(&called, contents).await?
            } else {
                let files = tempfile::tempdir().unwrap();
                let path = files.path().join(called);
                std::fs::write(&path, contents).unwrap();
                client.upload_file(path).await?.finish().await?
            };
            names.uploaded(&args.text("as"), &file.media);
        }
        "remove_media" => {
            let media = names.media(&args.text("media"));
            client.delete_media(&media).await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// `None`: there is no such expectation.
pub(super) async fn look(
    stage: &Stage,
    name: &str,
    args: &Args,
    actor: &Actor,
) -> Result<Option<(Value, Value)>, Failure> {
    if name != "expect_media" {
        return Ok(None);
    }
    let media = stage.names.media(&args.text("media"));
    let file = actor.client.media(&media).await?;
    let get = async |url: String| {
        let server = stage.api.url.clone();
        let path = url.strip_prefix(&server).unwrap_or(&url).to_owned();
        let got = tokio::task::spawn_blocking(move || request(&server, "GET", &path, &[], b""));
        got.await.map_err(|why| Failure::from(why.to_string()))
    };
    let back = match file.url {
        Some(url) => get(url).await?.body,
        None => Vec::new(),
    };
    let thumbnail = match file.thumbnail_url {
        Some(url) => get(url).await?.header("content-type") == Some("image/jpeg"),
        None => false,
    };
    let same = back == contents(args);
    let mut seen = json!({
        "name": file.name,
        "content_type": file.content_type,
        "width": file.size.map(|(width, _)| width),
        "height": file.size.map(|(_, height)| height),
        "thumbnail": thumbnail,
    });
    seen["file"] = match args.maybe_text("file") {
        Some(file) if same => json!(file),
        _ => json!("others"),
    };
    seen["bytes"] = match args.maybe_number("bytes") {
        Some(bytes) if same => json!(bytes),
        _ => json!(back.len()),
    };
    Ok(Some(part(&seen, args, &["media"])))
}
