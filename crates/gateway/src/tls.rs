//! TLS by rustls: version 1.2 and 1.3, keys and certificates from PEM.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS can't be served with what was given.
#[derive(Debug)]
pub enum TlsError {
    /// No certificate, or none that can be read.
    Certificate(String),
    /// No private key, or none that can be read.
    Key(String),
    /// They do not fit together.
    Mismatch(rustls::Error),
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate(why) => write!(f, "the certificate can't be read: {why}"),
            Self::Key(why) => write!(f, "the private key can't be read: {why}"),
            Self::Mismatch(why) => write!(f, "certificate and private key can't be used: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// A configuration for [`listener`](crate::listener): `certificates` is the chain, the server's
/// own first; `key` its private key (PKCS #8, PKCS #1 or SEC 1).
pub fn server_config(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate("there is none in the file".into()));
    }
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Mismatch)?;
    // WebSocket and the API are spoken over HTTP/1.1; an offer of h2 must not be taken.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_or_key_is_said_to_be_none() {
        let error = server_config(b"", b"").unwrap_err();
        assert!(matches!(error, TlsError::Certificate(_)), "{error}");
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = server_config(broken, b"rubbish").unwrap_err();
        assert!(matches!(error, TlsError::Key(_)), "{error}");
    }
}
