//! `anser app`, `anser token`, `anser user`: what an operator asks of the running server.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::client::{AskError, Server};

/// Apps and their keys.
#[derive(Subcommand)]
pub(crate) enum AppCommand {
    /// List all apps.
    List,
    /// Create an app, and print its secrets for the only time.
    Create {
        /// The app key; without one, the server chooses.
        app_key: Option<String>,
        /// A name for people.
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Show an app.
    Show {
        /// The app key.
        app_key: String,
    },
    /// Make a new API secret. The one before stays alive, the one before that dies.
    RotateSecret {
        /// The app key.
        app_key: String,
    },
    /// Make a new token key. The one before stays alive, the one before that dies.
    RotateTokenKey {
        /// The app key.
        app_key: String,
    },
}

/// A token for a user.
#[derive(Args)]
pub(crate) struct TokenArgs {
    /// The user. Exists from now on.
    user: String,
    /// The app of the user, by its app key.
    #[arg(long, default_value = "default")]
    app: String,
    /// How long it is good: seconds, or a number with m, h or d.
    #[arg(long, default_value = "1d", value_parser = seconds)]
    expires: u64,
}

/// Users and their sessions.
#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Show a user and who is connected as them.
    Show {
        #[command(flatten)]
        user: UserArgs,
    },
    /// End a user's sessions. Their tokens stay good.
    SignOut {
        #[command(flatten)]
        user: UserArgs,
    },
    /// Revoke all tokens of a user and end their sessions.
    Revoke {
        #[command(flatten)]
        user: UserArgs,
    },
}

/// Which user.
#[derive(Args)]
pub(crate) struct UserArgs {
    /// The user.
    user: String,
    /// The app of the user, by its app key.
    #[arg(long, default_value = "default")]
    app: String,
}

pub(crate) async fn app(server: &Server, command: AppCommand) -> Result<String, AskError> {
    match command {
        AppCommand::List => {
            let answer = server.ask(Method::GET, None, &["apps"], None).await?;
            let apps = answer["apps"].as_array().map(Vec::as_slice);
            let lines = apps.unwrap_or_default().iter().map(|app| {
                let name = app["name"].as_str().unwrap_or_default();
                format!("{}\t{name}", plain(&app["app_key"]))
            });
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        AppCommand::Create { app_key, name } => {
            let body = match app_key {
                Some(key) => json!({"app_key": key, "name": name}),
                None => json!({"name": name}),
            };
            let made = server
                .ask(Method::POST, None, &["apps"], Some(body))
                .await?;
            Ok(lines(&[
                ("app key", &made["app"]["app_key"]),
                ("api secret", &made["api_secret"]["secret"]),
                ("token key id", &made["token_key"]["id"]),
                ("token key", &made["token_key"]["secret"]),
            ]))
        }
        AppCommand::Show { app_key } => {
            let app = server
                .ask(Method::GET, None, &["apps", &app_key], None)
                .await?;
            Ok(lines(&[
                ("app key", &app["app_key"]),
                ("name", &app["name"]),
                ("created", &app["created_time"]),
                ("demo", &app["demo"]),
                ("api secrets", &app["api_secret_ids"]),
                ("token keys", &app["token_key_ids"]),
            ]))
        }
        AppCommand::RotateSecret { app_key } => {
            let path = ["apps", &app_key, "api-secrets"];
            let new = server.ask(Method::POST, None, &path, None).await?;
            Ok(lines(&[("id", &new["id"]), ("api secret", &new["secret"])]))
        }
        AppCommand::RotateTokenKey { app_key } => {
            let path = ["apps", &app_key, "token-keys"];
            let new = server.ask(Method::POST, None, &path, None).await?;
            Ok(lines(&[("id", &new["id"]), ("token key", &new["secret"])]))
        }
    }
}

/// Only the token, so that a script can take it.
pub(crate) async fn token(server: &Server, args: TokenArgs) -> Result<String, AskError> {
    mint(server, &args.app, &args.user, args.expires).await
}

/// Makes a token.
pub(crate) async fn mint(
    server: &Server,
    app: &str,
    user: &str,
    expires_in: u64,
) -> Result<String, AskError> {
    let path = ["users", user, "token"];
    let body = json!({"expires_in": expires_in});
    let answer = server
        .ask(Method::POST, Some(app), &path, Some(body))
        .await?;
    Ok(plain(&answer["token"]))
}

pub(crate) async fn user(server: &Server, command: UserCommand) -> Result<String, AskError> {
    match command {
        UserCommand::Show { user } => {
            let ask = |path| server.ask(Method::GET, Some(&user.app), path, None);
            let path = ["users", &user.user, "sessions"];
            let shown = ask(&path[..2]).await?;
            let sessions = ask(&path).await?;
            let mut text = lines(&[
                ("user", &shown["user_id"]),
                ("name", &shown["name"]),
                ("portrait", &shown["portrait"]),
                ("created", &shown["created_time"]),
            ]);
            for session in sessions["sessions"].as_array().into_iter().flatten() {
                let of = |key: &str| plain(&session[key]);
                text += &format!(
                    "\nsession        {} on {} {}, since {}, {}",
                    of("session_id"),
                    of("platform"),
                    of("device_id"),
                    of("since"),
                    of("client"),
                );
            }
            Ok(text)
        }
        UserCommand::SignOut { user } => {
            let path = ["users", &user.user, "sessions"];
            let answer = server
                .ask(Method::DELETE, Some(&user.app), &path, None)
                .await?;
            Ok(format!("{} sessions ended", plain(&answer["closed"])))
        }
        UserCommand::Revoke { user } => {
            let path = ["users", &user.user, "tokens"];
            server
                .ask(Method::DELETE, Some(&user.app), &path, None)
                .await?;
            Ok("all tokens issued until now are revoked".to_owned())
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn lines(pairs: &[(&str, &Value)]) -> String {
    let line = |(name, value): &(&str, &Value)| format!("{name:<14} {}", plain(value));
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['m', 'h', 'd']) {
        Some(number) => (number, text.as_bytes()[number.len()]),
        None => (text, b's'),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "is no number of seconds, nor one with m, h or d".to_owned())?;
    let factor = match unit {
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => 1,
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| "is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("2m"), Ok(120));
        assert_eq!(seconds("3h"), Ok(10_800));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        for wrong in ["", "d", "-1", "1w", "1.5h", "999999999999999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
