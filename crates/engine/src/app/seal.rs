//! Secrets at rest.
//!
//! API secrets and token keys must be known in clear to check signatures, so they are stored
//! encrypted with the installation's key (ChaCha20-Poly1305), which lives outside of the store.
//! The associated data binds a secret to its app and id: a row copied elsewhere does not open.

use anser_domain::{Code, Reject};
use anser_proto::stored;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::env::Env;

pub(crate) struct Sealer {
    key: LessSafeKey,
}

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let key =
            UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the length of the cipher");
        Self {
            key: LessSafeKey::new(key),
        }
    }

    pub(crate) fn seal(&self, env: &Env, app: &str, id: &str, secret: &str) -> stored::SealedKey {
        let nonce: [u8; NONCE_LEN] = env.random();
        let mut sealed = secret.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                aad(app, id),
                &mut sealed,
            )
            .expect("a secret is far shorter than the cipher's limit");
        stored::SealedKey {
            id: id.to_owned(),
            nonce: nonce.to_vec().into(),
            sealed: sealed.into(),
            created_time: env.now().0,
        }
    }

    pub(crate) fn open(&self, app: &str, sealed: &stored::SealedKey) -> Result<String, Reject> {
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(|_| wrong_key())?;
        let mut bytes = sealed.sealed.to_vec();
        let open = self
            .key
            .open_in_place(nonce, aad(app, &sealed.id), &mut bytes)
            .map_err(|_| wrong_key())?;
        String::from_utf8(open.to_vec()).map_err(|_| wrong_key())
    }
}

fn aad(app: &str, id: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("{app}\0{id}").into_bytes())
}

fn wrong_key() -> Reject {
    Reject::new(
        Code::Internal,
        "a stored secret does not open: the installation's key is not the one the data was made with",
    )
}
