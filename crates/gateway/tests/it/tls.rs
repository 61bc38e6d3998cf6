//! Everything over TLS: both transports, HTTP, and peers that speak something else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anser_gateway::limits::{Limits, SessionSettings};
use anser_gateway::listener::Listen;
use anser_gateway::tls::server_config;
use anser_proto::client::request::Command;
use anser_proto::client::response::Result as Answer;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::{Client, Server, text};

const CERTIFICATE: &[u8] = include_bytes!("fixtures/localhost.pem");
/// Of no use to anybody: it has never protected anything but these tests.
const KEY: &[u8] = include_bytes!("fixtures/localhost.key");

/// Trusts exactly the certificate of the tests, whatever the date.
#[derive(Debug)]
struct Pinned(CertificateDer<'static>, CryptoProvider);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("another certificate".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.1.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.1.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.signature_verification_algorithms.supported_schemes()
    }
}

async fn connect(address: SocketAddr) -> TlsStream<TcpStream> {
    let provider = ring::default_provider();
    let pinned = Pinned(
        CertificateDer::from_pem_slice(CERTIFICATE).unwrap(),
        provider.clone(),
    );
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

async fn server(limits: Limits) -> Server {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = Listen {
        http: vec![loopback],
        tcp: vec![loopback],
        tls: Some(server_config(CERTIFICATE, KEY).unwrap()),
    };
    let settings = SessionSettings {
        send_rate: None,
        ..SessionSettings::default()
    };
    Server::start_on(listen, limits, settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_transports_talk_over_tls() {
    let server = server(Limits::default()).await;
    let mut alice = Client::web_over(connect(server.http()).await).await;
    alice.sign_in(server.token("alice").await).await;
    let mut bob = Client::native_over(connect(server.tcp()).await);
    bob.sign_in(server.token("bob").await).await;
    // More at once than one TLS record or one socket buffer takes.
    let body = "x".repeat(3_000);
    for round in 0..10 {
        let commands = (0..60).map(|n| text("p/alice/bob", &format!("{round}-{n}"), &body));
        for id in alice.send(commands.collect()).await {
            let answer = alice.answer(id).await;
            assert!(matches!(answer, Answer::SendMessage(_)), "{answer:?}");
        }
        for n in 0..60 {
            let message = bob.message().await.message.unwrap();
            assert_eq!(message.seq, round * 60 + n + 1);
        }
    }
    let logout = bob
        .call(Command::Logout(anser_proto::client::Logout {}))
        .await;
    assert!(matches!(logout, Answer::Done(_)));
    assert_eq!(bob.end().await.0, Some(4002));
    let (gone, end) = tokio::join!(server.gateway.drain(Duration::from_secs(20)), async {
        let end = alice.end().await;
        drop((alice, bob));
        end
    });
    assert_eq!((gone, end), (true, (Some(1006), Some(1001))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_is_served_over_tls() {
    let server = server(Limits::default()).await;
    let mut stream = connect(server.http()).await;
    let get = "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(get.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_no_tls_or_nothing_is_closed() {
    let limits = Limits {
        handshake_time: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = server(limits).await;
    for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"", b"\x16\x03\x01"] {
        let mut stream = TcpStream::connect(server.http()).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    while server.gateway.open_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.figure("anser_gateway_handshake_failures_total"), 3);
}
