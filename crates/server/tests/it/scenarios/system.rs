//! Steps about conversations of the app's backend, and what is looked at of them.

use anser_sdk::Client;
use serde_json::{Value, json};

use super::actors::Names;
use super::args::Args;
use super::looks::part;
use super::steps::Failure;

/// False: there is no such step.
pub(super) async fn step(
    name: &str,
    args: &Args,
    client: &Client,
    names: &Names,
) -> Result<bool, Failure> {
    let at = names.conversation(&args.text("in"));
    match name {
        "subscribe" => drop(client.subscribe(at).await?),
        "unsubscribe" => client.unsubscribe(at).await?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// `None`: there is no such expectation.
pub(super) async fn look(
    name: &str,
    args: &Args,
    client: &Client,
    names: &Names,
) -> Result<Option<(Value, Value)>, Failure> {
    if name != "expect_system" {
        return Ok(None);
    }
    let at = names.conversation(&args.text("in"));
    let seen = client.get_system_conversation(at).await?;
    let attributes: Value = serde_json::from_str(&seen.attributes).unwrap_or_default();
    let view = json!({
        "name": seen.name,
        "portrait": seen.portrait,
        "attributes": attributes,
        "everyone": seen.everyone,
    });
    Ok(Some(part(&view, args, &["in"])))
}
