//! The apps of the installation, and their secrets in memory.
//!
//! Every app is read at the start. What is in memory is read again when it is used and older than
//! a second, so a rotation on another node takes effect within that time.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, SCAN_LIMIT_MAX, Unit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::RwLock;
use ring::digest::{SHA256, digest};

use super::seal::Sealer;
use super::token::{self, Claims};
use super::{AppInfo, Identity, NewApp, NewSecret, Token};
use crate::committer::MANAGEMENT;
use crate::control;
use crate::fault;
use crate::tables;
use crate::tools::Tools;
use crate::user;

/// Age at which what is in memory is read again.
const FRESH_MS: u64 = 1_000;
/// Secrets of a kind that live at a time: the old one while clients move to the new.
const ALIVE_MAX: usize = 2;
/// Characters of an app key.
const APP_KEY_MAX: usize = 32;
/// Bytes of an app's name.
const NAME_MAX: usize = 128;
const TRIES_MAX: u32 = 16;

struct CachedApp {
    info: AppInfo,
    api_secrets: Vec<NewSecret>,
    token_keys: Vec<NewSecret>,
    read: Timestamp,
}

/// Which of an app's two kinds of secrets.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum SecretKind {
    Api,
    Token,
}

pub(crate) struct Apps {
    tools: Arc<Tools>,
    sealer: Sealer,
    epoch: u64,
    by_key: RwLock<BTreeMap<String, Arc<CachedApp>>>,
    keys: RwLock<BTreeMap<AppId, String>>,
}

impl Apps {
    /// Reads all apps; on the first start of an installation, makes its row.
    pub(crate) async fn open(tools: Arc<Tools>) -> Result<Self, Reject> {
        let sealer = Sealer::new(&tools.settings.installation_key);
        let epoch = open_installation(&tools).await?.epoch;
        let this = Self {
            tools,
            sealer,
            epoch,
            by_key: RwLock::default(),
            keys: RwLock::default(),
        };
        this.refresh().await?;
        Ok(this)
    }

    /// Reads all apps.
    pub(crate) async fn refresh(&self) -> Result<(), Reject> {
        let mut after = String::new();
        loop {
            let scan = tables::apps_after(&after, SCAN_LIMIT_MAX);
            let page = self
                .tools
                .store
                .scan(scan)
                .await
                .map_err(|e| fault::reject(&e))?;
            for (key, value) in page.rows {
                after =
                    String::from_utf8(key.to_vec()).map_err(|_| Reject::from(Code::Internal))?;
                self.remember(&after, &tables::decode(&value)?)?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Identity of the stored data.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn all(&self) -> Vec<AppInfo> {
        self.by_key
            .read()
            .values()
            .map(|app| app.info.clone())
            .collect()
    }

    pub(crate) async fn info(&self, key: &str) -> Result<AppInfo, Reject> {
        Ok(self.get(key).await?.info.clone())
    }

    pub(crate) async fn create(
        &self,
        key: Option<&str>,
        name: &str,
        demo: bool,
    ) -> Result<NewApp, Reject> {
        let env = &self.tools.env;
        let random_key = || {
            env.random::<6>()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
        };
        let key = key.map_or_else(random_key, str::to_owned);
        let form = key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if key.is_empty() || key.len() > APP_KEY_MAX || !form {
            return Err(Reject::new(
                Code::InvalidRequest,
                "an app key is 1–32 of [a-z0-9-]",
            ));
        }
        if name.len() > NAME_MAX || name.chars().any(char::is_control) {
            return Err(Reject::new(
                Code::InvalidRequest,
                "an app's name is at most 128 bytes, printable",
            ));
        }
        for _ in 0..TRIES_MAX {
            let row_key = tables::app_key(&key);
            let read = self
                .tools
                .store
                .get_many(&[tables::installation_key(), row_key.clone()])
                .await;
            let read = read.map_err(|e| fault::reject(&e))?;
            if read[1].is_some() {
                return Err(Reject::new(
                    Code::AlreadyExists,
                    "there is an app of this key already",
                ));
            }
            let mut installation: stored::Installation =
                tables::decode_some(read[0].as_ref())?.unwrap_or_default();
            let number = installation.next_app_number;
            installation.next_app_number += 1;
            let mut row = stored::App {
                name: name.to_owned(),
                created_time: env.now().0,
                number,
                demo,
                next_key: 1,
                ..Default::default()
            };
            let api_secret = self.add_secret(&key, &mut row, SecretKind::Api);
            let token_key = self.add_secret(&key, &mut row, SecretKind::Token);
            let unit = Unit::new()
                .expect_unchanged(tables::installation_key(), read[0].clone())
                .expect_absent(row_key.clone())
                .put(tables::installation_key(), tables::encode(&installation))
                .put(row_key, tables::encode(&row));
            if self.commit(unit).await? {
                let info = self.remember(&key, &row)?.info.clone();
                return Ok(NewApp {
                    info,
                    api_secret,
                    token_key,
                });
            }
        }
        Err(Code::Unavailable.into())
    }

    /// A new secret; of three the oldest dies.
    pub(crate) async fn rotate(&self, app: AppId, kind: SecretKind) -> Result<NewSecret, Reject> {
        let key = self.key_of(app)?;
        for _ in 0..TRIES_MAX {
            let row_key = tables::app_key(&key);
            let read = self
                .tools
                .store
                .get(&row_key)
                .await
                .map_err(|e| fault::reject(&e))?;
            let mut row: stored::App = tables::decode_some(read.as_ref())?.ok_or_else(no_app)?;
            let secret = self.add_secret(&key, &mut row, kind);
            let unit = Unit::new()
                .expect_unchanged(row_key.clone(), read)
                .put(row_key, tables::encode(&row));
            if self.commit(unit).await? {
                self.remember(&key, &row)?;
                return Ok(secret);
            }
        }
        Err(Code::Unavailable.into())
    }

    pub(crate) async fn authenticate(&self, key: &str, secret: &str) -> Result<AppId, Reject> {
        let app = self.get(key).await.map_err(|reject| match reject.code {
            Code::NotFound => Code::ApiKeyInvalid.into(),
            _ => reject,
        })?;
        // Digests are compared, so the time it takes says nothing about the secret.
        let shown = digest(&SHA256, secret.as_bytes());
        let fits =
            |known: &NewSecret| digest(&SHA256, known.secret.as_bytes()).as_ref() == shown.as_ref();
        if app.api_secrets.iter().any(fits) {
            Ok(app.info.id)
        } else {
            Err(Code::ApiKeyInvalid.into())
        }
    }

    pub(crate) async fn mint(
        &self,
        app: AppId,
        user: &UserId,
        not_before: u64,
        life_seconds: u64,
    ) -> Result<Token, Reject> {
        let app = self.get(&self.key_of(app)?).await?;
        let key = app
            .token_keys
            .last()
            .ok_or_else(|| Reject::new(Code::Internal, "the app has no token key"))?;
        // In the second of a revocation, "now" rounded down would already be revoked.
        let iat = (self.tools.env.now().0 / 1_000).max(not_before / 1_000);
        let exp = iat + life_seconds;
        let claims = Claims {
            aud: app.info.key.clone(),
            sub: user.as_str().to_owned(),
            iat,
            exp,
        };
        Ok(Token {
            token: token::sign(&key.id, &key.secret, &claims),
            expires: Timestamp(exp * 1_000),
        })
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Identity, Reject> {
        let kid = token::kid(token)?;
        let number = kid
            .split_once('.')
            .and_then(|(number, _)| number.parse().ok());
        let app_id = AppId(number.ok_or_else(unknown_kid)?);
        let key = self
            .key_of(app_id)
            .map_err(|_| Reject::from(Code::TokenWrongApp))?;
        let app = self.get(&key).await?;
        let signed_by = app
            .token_keys
            .iter()
            .find(|known| known.id == kid)
            .ok_or_else(unknown_kid)?;
        let (user, claims) = token::verify(token, &key, &signed_by.secret, self.tools.env.now())?;
        let row = user::row(&self.tools, app_id, &user).await?;
        let row = row.unwrap_or_default();
        control::check_banned(&row, self.tools.env.now())?;
        if claims.iat * 1_000 < row.tokens_not_before {
            return Err(Code::TokenRevoked.into());
        }
        let (issued, expires) = (Timestamp(claims.iat * 1_000), Timestamp(claims.exp * 1_000));
        Ok(Identity {
            app: app_id,
            user,
            issued,
            expires,
        })
    }

    /// The app key of an app.
    pub(crate) fn app_key(&self, app: AppId) -> Result<String, Reject> {
        self.key_of(app)
    }

    /// A text of the app, as it may be stored.
    pub(crate) fn seal(
        &self,
        app: AppId,
        id: &str,
        text: &str,
    ) -> Result<stored::SealedKey, Reject> {
        let key = self.key_of(app)?;
        Ok(self.sealer.seal(&self.tools.env, &key, id, text))
    }

    /// A text of the app, as [`Apps::seal`] was given it.
    pub(crate) fn unseal(&self, app: AppId, sealed: &stored::SealedKey) -> Result<String, Reject> {
        self.sealer.open(&self.key_of(app)?, sealed)
    }

    fn key_of(&self, app: AppId) -> Result<String, Reject> {
        self.keys.read().get(&app).cloned().ok_or_else(no_app)
    }

    async fn get(&self, key: &str) -> Result<Arc<CachedApp>, Reject> {
        let cached = self.by_key.read().get(key).cloned();
        let now = self.tools.env.now();
        if let Some(app) = &cached
            && now.since_ms(app.read) < FRESH_MS
        {
            return Ok(app.clone());
        }
        if key.is_empty() || key.len() > APP_KEY_MAX {
            return Err(no_app());
        }
        let row = self
            .tools
            .store
            .get(&tables::app_key(key))
            .await
            .map_err(|e| fault::reject(&e))?;
        self.remember(key, &tables::decode_some(row.as_ref())?.ok_or_else(no_app)?)
    }

    fn remember(&self, key: &str, row: &stored::App) -> Result<Arc<CachedApp>, Reject> {
        let open = |sealed: &[stored::SealedKey]| -> Result<Vec<NewSecret>, Reject> {
            let one = |sealed: &stored::SealedKey| {
                Ok(NewSecret {
                    id: sealed.id.clone(),
                    secret: self.sealer.open(key, sealed)?,
                })
            };
            sealed.iter().map(one).collect()
        };
        let ids = |sealed: &[stored::SealedKey]| sealed.iter().map(|one| one.id.clone()).collect();
        let id = AppId(row.number);
        let app = Arc::new(CachedApp {
            info: AppInfo {
                id,
                key: key.to_owned(),
                name: row.name.clone(),
                created: Timestamp(row.created_time),
                demo: row.demo,
                api_secret_ids: ids(&row.api_secrets),
                token_key_ids: ids(&row.token_keys),
            },
            api_secrets: open(&row.api_secrets)?,
            token_keys: open(&row.token_keys)?,
            read: self.tools.env.now(),
        });
        self.by_key.write().insert(key.to_owned(), app.clone());
        self.keys.write().insert(id, key.to_owned());
        Ok(app)
    }

    fn add_secret(&self, key: &str, row: &mut stored::App, kind: SecretKind) -> NewSecret {
        let id = format!("{}.{}", row.number, row.next_key);
        row.next_key += 1;
        let (prefix, alive) = match kind {
            SecretKind::Api => ("sk", &mut row.api_secrets),
            SecretKind::Token => ("tk", &mut row.token_keys),
        };
        let secret = format!(
            "{prefix}_{}",
            URL_SAFE_NO_PAD.encode(self.tools.env.random::<32>())
        );
        let sealed = self.sealer.seal(&self.tools.env, key, &id, &secret);
        alive.push(sealed);
        let dead = alive.len().saturating_sub(ALIVE_MAX);
        alive.drain(..dead);
        NewSecret { id, secret }
    }

    /// `false`: somebody else was faster; read again.
    async fn commit(&self, unit: Unit) -> Result<bool, Reject> {
        commit(&self.tools, unit).await
    }
}

async fn commit(tools: &Tools, unit: Unit) -> Result<bool, Reject> {
    match tools.committer.commit(MANAGEMENT, unit).await? {
        Outcome::Committed => Ok(true),
        Outcome::Conflict => Ok(false),
        Outcome::Refused(error) => Err(fault::reject(&error)),
        Outcome::Unknown(_) => Err(Code::Timeout.into()),
    }
}

async fn open_installation(tools: &Tools) -> Result<stored::Installation, Reject> {
    for _ in 0..TRIES_MAX {
        let key = tables::installation_key();
        let read = tools.store.get(&key).await.map_err(|e| fault::reject(&e))?;
        if let Some(row) = tables::decode_some(read.as_ref())? {
            return Ok(row);
        }
        // Clients may keep the epoch in a double: 53 bits are enough to tell two apart.
        let epoch = (tools.env.random_u64() >> 11).max(1);
        let row = stored::Installation {
            epoch,
            next_app_number: 1,
            created_time: tools.env.now().0,
        };
        let unit = Unit::new()
            .expect_absent(key.clone())
            .put(key, tables::encode(&row));
        if commit(tools, unit).await? {
            return Ok(row);
        }
    }
    Err(Code::Unavailable.into())
}

fn no_app() -> Reject {
    Reject::new(Code::NotFound, "there is no such app")
}

fn unknown_kid() -> Reject {
    Reject::new(
        Code::TokenInvalid,
        "the token's \"kid\" names no living token key of this server",
    )
}
