//! Whom to trust: the certificates of the operating system, and those the application adds.

use std::sync::Arc;

use anser_domain::code::Code;
use rustls_pki_types::CertificateDer;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::error::Error;

/// A connector that verifies the server against these roots. Reads the system's store, so it is
/// made once.
pub(super) fn connector(added: &[CertificateDer<'static>]) -> Result<TlsConnector, Error> {
    let wrong = |message: String| Error::new(Code::InvalidRequest, message);
    let mut roots = RootCertStore::empty();
    // A system without a store is no error as long as the application brings its own.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in added {
        let added = roots.add(certificate.clone());
        added.map_err(|why| wrong(format!("a root certificate is no good: {why}")))?;
    }
    if roots.is_empty() {
        let message = "no root certificates: the system has none, and none was added";
        return Err(wrong(message.to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| wrong(why.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
