//! Steps about apps, their secrets and tokens: what operators and backends do.

use anser_sdk::Client;
use anser_sdk::core::{ConnectionState, Event};
use serde_json::json;

use super::Stage;
use super::args::Args;
use super::steps::{Failure, PATIENCE, named, named_json};
use crate::http::basic;
use crate::token;

/// Of an app that there is not.
const NOBODYS_KEY: &str = "4000000000.1";

/// False: there is no such step.
pub(super) async fn step(stage: &Stage, name: &str, args: &Args) -> Result<bool, Failure> {
    match name {
        "api" => api(stage, args).await?,
        "new_secret" => {
            let made = stage.api.made(&stage.api.key, "api-secrets").await?;
            let secret = made["secret"].as_str().unwrap_or_default();
            stage.names.keep("secret", &args.text("as"), secret);
        }
        "keep_token" => {
            let user = stage.names.user(&args.text("user"));
            let token = stage.api.token(&user).await?;
            stage.names.keep("token", &args.text("as"), &token);
        }
        "sign_in" => sign_in(stage, args).await?,
        _ => return Ok(false),
    }
    Ok(true)
}

async fn api(stage: &Stage, args: &Args) -> Result<(), Failure> {
    let path = named(&args.text("path"), &stage.names, true);
    let body = args.get("body").map(|body| named_json(body, &stage.names));
    let mut api = match args.maybe_text("of") {
        Some(_) => stage.shared.clone(),
        None => stage.api.clone(),
    };
    if let Some(name) = args.maybe_text("secret").filter(|name| name != "first") {
        let secret = stage.names.kept("secret", &name)?;
        api = api.with(basic(&api.key, &secret));
    }
    let answer = api.ask(&args.text("method"), &path, body).await?;
    if let Some(wanted) = args.get("answer") {
        let wanted = named_json(wanted, &stage.names);
        let keys = wanted.as_object().into_iter().flatten();
        if let Some((key, value)) = keys.into_iter().find(|(key, value)| answer[key] != **value) {
            let seen = &answer[key];
            return Err(format!("{key} is {seen}, not {value}").into());
        }
    }
    Ok(())
}

/// A token of the kind that is named: signed by the app's backend, or kept from before.
async fn token_of(stage: &Stage, user: &str, kind: &str) -> Result<String, Failure> {
    let (app, now) = (&stage.api.key, token::now_seconds());
    let iat = match kind {
        "signed" | "forged" | "other-app" => now,
        "expired" => now - 3_600,
        kept => return Ok(stage.names.kept("token", kept)?),
    };
    let claims = json!({ "aud": app, "sub": user, "iat": iat, "exp": iat + 600 });
    let made = stage.api.made(app, "token-keys").await?;
    let text = |key: &str| made[key].as_str().unwrap_or_default();
    let (id, secret) = match kind {
        "forged" => (text("id"), "not the secret"),
        "other-app" => (NOBODYS_KEY, text("secret")),
        _ => (text("id"), text("secret")),
    };
    Ok(token::sign_claims(id, secret, &claims))
}

/// A device comes with this token, and goes.
async fn sign_in(stage: &Stage, args: &Args) -> Result<(), Failure> {
    let user = stage.names.user(&args.text("user"));
    let token = token_of(stage, &user, &args.text("token")).await?;
    let builder = Client::builder(&stage.api.websocket, token).device_id(format!("{user}-visit"));
    let (client, mut events) = builder.connect()?;
    let came = async {
        while let Some(event) = events.next().await {
            match event {
                Event::State(ConnectionState::Online { .. }) => return Ok(()),
                Event::State(
                    ConnectionState::Stopped(error)
                    | ConnectionState::Waiting {
                        error: Some(error), ..
                    },
                ) => return Err(error.into()),
                _ => {}
            }
        }
        Err(Failure::Other("the client ended".to_owned()))
    };
    let came = tokio::time::timeout(PATIENCE, came).await;
    client.disconnect().await;
    came.map_err(|_| Failure::Other("nothing came of it".to_owned()))?
}
