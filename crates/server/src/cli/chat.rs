//! `anser chat`: talking from a terminal, with the SDK that everybody else uses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anser_sdk::terminal::{self, Language, Options};
use clap::Args;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::{BufReader, stdin, stdout};

use super::client::{AskError, Server};
use super::manage;
use crate::banner;
use crate::config::Config;

/// Talk from this terminal, as a user of the server that runs on the data directory, or of any
/// server with --url and --token.
#[derive(Args)]
pub(crate) struct ChatArgs {
    /// The user you are; made if new. Without --token only.
    #[arg(required_unless_present = "token", conflicts_with = "token")]
    user: Option<String>,
    /// The user to talk to from the start.
    #[arg(long)]
    to: Option<String>,
    /// The app of both, by its app key.
    #[arg(long, default_value = "default", conflicts_with = "token")]
    app: String,
    /// The address of another server: ws://, wss://, tcp:// or tcps://.
    #[arg(long, requires = "token")]
    url: Option<String>,
    /// The token to sign in with, there or at the server of the data directory.
    #[arg(long, env = "ANSER_CHAT_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// Why a chat ended badly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChatError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("{}: {error}", .path.display())]
    Certificate {
        path: std::path::PathBuf,
        error: rustls_pki_types::pem::Error,
    },
    #[error("the server said where it listens in a way that is not understood")]
    Address,
    #[error("{0}")]
    Chat(#[from] anser_sdk::Error),
}

pub(crate) async fn chat(config: &Config, args: ChatArgs) -> Result<(), ChatError> {
    let mut options = Options {
        to: args.to,
        language: match banner::Language::of_environment() {
            banner::Language::Chinese => Language::Chinese,
            banner::Language::English => Language::English,
        },
        ..Options::default()
    };
    match (args.url, args.token, args.user) {
        (Some(url), Some(token), _) => (options.url, options.token) = (url, token),
        (_, token, user) => {
            let server = Server::find(config.data.clone(), config.admin_token.reveal())?;
            options.token = match (token, user) {
                (Some(token), _) => token,
                (None, user) => {
                    let user = user.unwrap_or_default();
                    manage::mint(&server, &args.app, &user, TOKEN_SECONDS).await?
                }
            };
            options.url = reachable(&server.address().await?).ok_or(ChatError::Address)?;
            options.root_certificates = own_certificates(config)?;
        }
    }
    terminal::run(options, BufReader::new(stdin()), stdout()).await?;
    Ok(())
}

/// A day of talking.
const TOKEN_SECONDS: u64 = 24 * 3_600;

/// A server that listens on all addresses is reached on this machine's own.
fn reachable(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (address, path) = rest.split_once('/')?;
    let mut address: SocketAddr = address.parse().ok()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(format!("{scheme}://{address}/{path}"))
}

fn own_certificates(config: &Config) -> Result<Vec<CertificateDer<'static>>, ChatError> {
    let path = &config.tls.cert;
    if path.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| ChatError::Certificate {
            path: path.clone(),
            error,
        })
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn every_address_means_this_machine() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(reachable(url).as_deref(), expected);
        };
        check("ws://0.0.0.0:80/v1", Some("ws://127.0.0.1:80/v1"));
        check("wss://[::]:443/v1", Some("wss://[::1]:443/v1"));
        check("ws://10.0.0.1:80/v1", Some("ws://10.0.0.1:80/v1"));
        check("nonsense", None);
    }
}
