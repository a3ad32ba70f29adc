//! TLS and HTTP/2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    roots: Arc<rustls::RootCertStore>,
    pem: String,
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        let certificate = params.self_signed(&key).unwrap();
        roots.add(certificate.der().clone()).unwrap();
        let pem = pem("CERTIFICATE", certificate.der());
        Authority { issuer: rcgen::Issuer::new(params, key), roots: Arc::new(roots), pem }
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
}

pub(super) fn authority_roots() -> Arc<rustls::RootCertStore> {
    authority().roots.clone()
}

/// A TLS server with a certificate for `name` that ends in `year`.
fn acceptor(name: &str, year: i32, protocols: &[&str]) -> tokio_rustls::TlsAcceptor {
    acceptor_that(None, name, year, protocols)
}

/// One that asks its clients for certificates, maybe.
fn acceptor_that(
    verifier: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>,
    name: &str,
    year: i32,
    protocols: &[&str],
) -> tokio_rustls::TlsAcceptor {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = params.signed_by(&key, &authority().issuer).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap_or_else(|| Arc::new(rustls::server::NoClientAuth)))
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config).into()
}

pub(super) async fn tls_site(name: &str, year: i32, answer: impl Into<Vec<u8>>, notify: bool) -> Site {
    tls_site_with(acceptor(name, year, &["http/1.1"]), answer, notify).await
}

async fn tls_site_with(acceptor: tokio_rustls::TlsAcceptor, answer: impl Into<Vec<u8>>, notify: bool) -> Site {
    let answer = Arc::new(answer.into());
    Site::new(move |peer| {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        async move {
            let Ok(mut stream) = acceptor.accept(peer.stream).await else { return };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.flush().await;
            if notify {
                let _ = stream.shutdown().await;
            }
            let (stream, _) = stream.into_inner();
            Peer { stream, number: 0 }.close().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_trusted_site_answers_over_tls() {
    let site = tls_site("127.0.0.1", 4000, "HTTP/1.1 200 OK\r\n\r\nsafe", true).await;
    let (url, policy) = (site.tls_url("127.0.0.1"), policy());
    let exchange = client(|_| ()).request(&ask(&url, &policy)).await;
    assert_eq!(exchange.http_version, Some(HttpVersion::Http11));
    assert_eq!(&exchange.answer.unwrap().body[..], b"safe");
}

#[tokio::test]
async fn bad_certificates_are_tls() {
    for (name, year, system, message) in [
        ("127.0.0.1", 4000, true, "UnknownIssuer"),
        ("127.0.0.1", 2001, false, "certificate expired"),
        ("example.org", 4000, false, "certificate not valid for name \"127.0.0.1\""),
    ] {
        let site = tls_site(name, year, page(b"never"), true).await;
        let http = if system { Http::new(&options()).unwrap() } else { client(|_| ()) };
        let failure = failure_of(&http, &site.tls_url("127.0.0.1")).await;
        assert_failure(&failure, ErrorClass::Tls, "TLS with 127.0.0.1 failed: invalid peer certificate: ");
        assert_failure(&failure, ErrorClass::Tls, message);
    }
}

/// A file with these contents, in a folder that goes away with it.
fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.pem");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[tokio::test]
async fn insecure_is_for_the_hosts_it_is_said_of() {
    let site = tls_site("example.org", 2001, page(b"whatever"), true).await;
    let (http, url) = (Http::new(&options()).unwrap(), site.tls_url("127.0.0.1"));
    let (insecure, secure) = (policy_with(|policy| policy.insecure = true), policy());
    for _ in 0..2 {
        assert_eq!(http.request(&ask(&url, &insecure)).await.status, Some(200));
        assert_eq!(http.request(&ask(&url, &secure)).await.answer.unwrap_err().class, ErrorClass::Tls);
    }
}

#[tokio::test]
async fn more_authorities_are_trusted_and_bad_files_of_them_are_errors() {
    let site = tls_site("127.0.0.1", 4000, page(b"trusted"), true).await;
    let (_folder, path) = file(authority().pem.replace('\n', "\r\n"));
    let with = |path: &std::path::Path| Http::new(&HttpOptions { ca_certs: vec![path.to_owned()], ..options() });
    let answer = with(&path).unwrap().get(&site.tls_url("127.0.0.1")).await.unwrap();
    assert_eq!(&answer.body[..], b"trusted");
    let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", garbled] {
        let (_folder, path) = file(text);
        let error = with(&path).unwrap_err().to_string();
        let start = format!("cannot use the certificate authorities of {}: ", path.display());
        assert!(error.starts_with(&start) && error.len() > start.len(), "{error}");
    }
    assert!(with("/nonexistent/ca.pem".as_ref()).unwrap_err().to_string().contains("/nonexistent/ca.pem"));
}

/// A server whose certificate for `name` it has signed itself, as one of an authority.
async fn self_signed(name: &str) -> (Site, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let site = tls_site_with(Arc::new(config).into(), page(b"own"), true).await;
    (site, pem("CERTIFICATE", certificate.der()))
}

#[tokio::test]
async fn a_server_that_has_signed_its_certificate_itself_is_trusted_if_the_user_names_that_certificate() {
    let ((site, own), (other_name, others)) = (self_signed("127.0.0.1").await, self_signed("example.org").await);
    let with = |pem: &str| {
        let (folder, path) = file(pem);
        (folder, Http::new(&HttpOptions { ca_certs: vec![path], ..options() }).unwrap())
    };
    let (_folder, http) = with(&own);
    assert_eq!(&http.get(&site.tls_url("127.0.0.1")).await.unwrap().body[..], b"own");
    // Another certificate is none of this server's, and a good one is for its own name alone.
    let (_folder, http) = with(&others);
    let failure = failure_of(&http, &site.tls_url("127.0.0.1")).await;
    assert_failure(&failure, ErrorClass::Tls, "--ca-cert");
    let failure = failure_of(&http, &other_name.tls_url("127.0.0.1")).await;
    assert_failure(&failure, ErrorClass::Tls, "not valid for name");
}

#[tokio::test]
async fn a_name_that_no_certificate_can_be_for_is_named() {
    let site = tls_site("127.0.0.1", 4000, page(b"never"), true).await;
    let http = client_where(|_| vec!["127.0.0.1".parse().unwrap()], |_| ());
    for name in ["-a.test", "a-.test", "x.-.test"] {
        let failure = failure_of(&http, &site.tls_url(name)).await;
        assert_failure(&failure, ErrorClass::Tls, "begins or ends with a hyphen");
    }
    // An underscore is no such trouble.
    let failure = failure_of(&http, &site.tls_url("a_b.test")).await;
    assert_failure(&failure, ErrorClass::Tls, "certificate not valid for name");
}

#[tokio::test]
async fn our_certificate_is_shown_where_a_rule_says_so() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = authority_roots();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
    let acceptor = acceptor_that(Some(verifier), "127.0.0.1", 4000, &["http/1.1"]);
    let site = tls_site_with(acceptor, page(b"members only"), true).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["robot".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority().issuer).unwrap();
    let certificate = pem("CERTIFICATE", certificate.der());
    let key = pem("PRIVATE KEY", &key.serialize_der());
    let (_folder, path) = file(format!("{certificate}{key}"));
    let (http, url) = (client(|_| ()), site.tls_url("127.0.0.1"));
    let member = policy_with(|policy| policy.client_cert = Some(path.clone()));
    assert_eq!(http.request(&ask(&url, &member)).await.status, Some(200));
    let failure = http.request(&ask(&url, &policy())).await.answer.unwrap_err();
    assert!(matches!(failure.class, ErrorClass::Tls | ErrorClass::Reset), "{failure:?}");

    let other_key = pem("PRIVATE KEY", &rcgen::KeyPair::generate().unwrap().serialize_der());
    for text in ["", &certificate, &key, &format!("{certificate}{other_key}")] {
        let (_folder, path) = file(text);
        let policy = policy_with(|policy| policy.client_cert = Some(path.clone()));
        let failure = http.request(&ask(&url, &policy)).await.answer.unwrap_err();
        assert_eq!(failure.class, ErrorClass::Tls);
        let start = format!("cannot use the client certificate {}: ", path.display());
        assert!(failure.message.starts_with(&start), "{failure:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_tls() {
    let site = Site::new(|mut peer| async move {
        peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.close().await;
    })
    .await;
    let failure = failure_of(&client(|_| ()), &site.tls_url("127.0.0.1")).await;
    assert_failure(&failure, ErrorClass::Tls, "TLS with 127.0.0.1 failed: received corrupt message");
}

#[tokio::test]
async fn a_handshake_cut_short_is_reset() {
    for tear in [true, false] {
        let site = Site::new(move |mut peer| async move {
            let _ = peer.stream.read_u8().await;
            if tear { peer.reset() } else { peer.close().await }
        })
        .await;
        let failure = failure_of(&client(|_| ()), &site.tls_url("127.0.0.1")).await;
        assert_failure(&failure, ErrorClass::Reset, "closed the connection during the TLS handshake");
    }
}

#[tokio::test]
async fn a_tls_stream_cut_without_its_end_mark_is_truncated() {
    for answer in ["HTTP/1.1 200 OK\r\n\r\nhalf a pa", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf a pa"] {
        let site = tls_site("127.0.0.1", 4000, answer, false).await;
        let failure = failure_of(&client(|_| ()), &site.tls_url("127.0.0.1")).await;
        assert_failure(&failure, ErrorClass::Truncated, "after 9 ");
    }
}

/// What an HTTP/2 server does with a request.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Page(usize),
    HeadFlood,
    Refuse,
    ResetInBody,
    EndEarly,
    GoAway,
}

async fn http2_site(deed: Deed) -> Site {
    let acceptor = acceptor("127.0.0.1", 4000, &["h2", "http/1.1"]);
    Site::new(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(peer.stream).await.unwrap();
            let mut connection = h2::server::Builder::new().handshake::<_, bytes::Bytes>(stream).await.unwrap();
            let mut ping = connection.ping_pong();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if let Deed::GoAway = deed {
                    connection.abrupt_shutdown(h2::Reason::INADEQUATE_SECURITY);
                    continue;
                }
                let ping = ping.take();
                tokio::spawn(async move {
                    let mut head = http::Response::builder();
                    match deed {
                        Deed::Refuse => return respond.send_reset(h2::Reason::INTERNAL_ERROR),
                        Deed::ResetInBody | Deed::EndEarly => head = head.header("content-length", 100),
                        Deed::HeadFlood => head = head.header("x-flood", "v".repeat(200_000)),
                        Deed::Page(_) | Deed::GoAway => {}
                    }
                    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                    let bytes = match deed {
                        Deed::Page(length) => vec![7; length],
                        _ => b"four".to_vec(),
                    };
                    let last = !matches!(deed, Deed::ResetInBody);
                    body.send_data(bytes.into(), last).unwrap();
                    if let (false, Some(mut ping)) = (last, ping) {
                        // A reset throws away what has not been sent; the answer to a second ping says
                        // that all before it has.
                        for _ in 0..2 {
                            ping.ping(h2::Ping::opaque()).await.unwrap();
                        }
                        body.send_reset(h2::Reason::CANCEL);
                    }
                });
            }
        }
    })
    .await
}

#[tokio::test]
async fn http2_is_spoken_where_offered() {
    let site = http2_site(Deed::Page(5)).await;
    let (http, url, policy) = (client(|_| ()), site.tls_url("127.0.0.1"), policy());
    for _ in 0..3 {
        let exchange = http.request(&ask(&url, &policy)).await;
        assert_eq!(exchange.http_version, Some(HttpVersion::Http2));
        assert_eq!(exchange.answer.unwrap().body.len(), 5);
    }
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn http2_takes_headers_as_large_as_http1_does() {
    let site = http2_site(Deed::HeadFlood).await;
    let answer = client(|_| ()).get(&site.tls_url("127.0.0.1")).await.unwrap();
    assert_eq!(&answer.body[..], b"four");
}

#[tokio::test]
async fn http2_failures_have_their_classes() {
    for (deed, class, message) in [
        (
            Deed::Refuse,
            ErrorClass::Reset,
            "no answer from 127.0.0.1: HTTP/2: stream error received: unexpected internal",
        ),
        // The end of the connection may overtake its reason.
        (Deed::GoAway, ErrorClass::Reset, "127.0.0.1"),
        (Deed::ResetInBody, ErrorClass::Reset, "stream reset after 4 bytes of the body"),
        (Deed::EndEarly, ErrorClass::Truncated, "after 0 of 100 bytes"),
    ] {
        let site = http2_site(deed).await;
        let (url, only) = (site.tls_url("127.0.0.1"), policy_with(|policy| policy.http = HttpChoice::Two));
        let failure = client(|_| ()).request(&ask(&url, &only)).await.answer.unwrap_err();
        assert_failure(&(failure.class, failure.message), class, message);
    }
}

/// A server whose HTTP/2 does `fail` with each request and whose HTTP/1.1 works.
async fn broken_http2(fail: fn(&mut h2::server::SendResponse<bytes::Bytes>)) -> Site {
    let acceptor = acceptor("127.0.0.1", 4000, &["h2", "http/1.1"]);
    Site::new(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(peer.stream).await.unwrap();
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let mut connection = h2::server::Builder::new().handshake::<_, bytes::Bytes>(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    fail(&mut respond);
                }
                return;
            }
            let mut head = [0; 4096];
            while stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                stream.write_all(&page(b"old")).await.unwrap();
            }
        }
    })
    .await
}

#[tokio::test]
async fn where_http2_fails_http1_is_spoken_at_once_and_from_then_on() {
    for reason in [h2::Reason::HTTP_1_1_REQUIRED, h2::Reason::PROTOCOL_ERROR, h2::Reason::INTERNAL_ERROR] {
        // No closure could name the reason: each is a function of its own.
        let site = broken_http2(match reason {
            h2::Reason::HTTP_1_1_REQUIRED => |respond| respond.send_reset(h2::Reason::HTTP_1_1_REQUIRED),
            h2::Reason::PROTOCOL_ERROR => |respond| respond.send_reset(h2::Reason::PROTOCOL_ERROR),
            _ => |respond| respond.send_reset(h2::Reason::INTERNAL_ERROR),
        })
        .await;
        let (http, url, policy) = (client(|_| ()), site.tls_url("127.0.0.1"), policy());
        for _ in 0..3 {
            let exchange = http.request(&ask(&url, &policy)).await;
            assert_eq!(exchange.http_version, Some(HttpVersion::Http11), "{reason:?}");
            assert_eq!(&exchange.answer.unwrap().body[..], b"old");
        }
        assert_eq!(site.connections(), 2);
    }
}

#[tokio::test]
async fn what_http2_resets_in_a_body_is_asked_over_http1_next_time() {
    let site = broken_http2(|respond| {
        let mut body = respond.send_response(http::Response::new(()), false).unwrap();
        body.send_reset(h2::Reason::INTERNAL_ERROR);
    })
    .await;
    let (http, url) = (client(|_| ()), site.tls_url("127.0.0.1"));
    let first = http.get(&url).await;
    assert!(first.is_ok() || first.is_err_and(|failure| failure.class == ErrorClass::Reset));
    assert_eq!(&http.get(&url).await.unwrap().body[..], b"old");
}

#[tokio::test]
async fn a_stream_that_is_refused_says_nothing_against_http2() {
    let site = broken_http2(|respond| respond.send_reset(h2::Reason::ENHANCE_YOUR_CALM)).await;
    let (http, url) = (client(|_| ()), site.tls_url("127.0.0.1"));
    for _ in 0..2 {
        assert_eq!(http.get(&url).await.unwrap_err().class, ErrorClass::Reset);
    }
}

#[tokio::test]
async fn a_host_is_asked_in_the_version_that_is_set_for_it() {
    let site = broken_http2(|respond| {
        let mut body = respond.send_response(http::Response::new(()), false).unwrap();
        body.send_data(b"new".to_vec().into(), true).unwrap();
    })
    .await;
    let (http, url) = (client(|_| ()), site.tls_url("127.0.0.1"));
    for (choice, version, body) in [
        (HttpChoice::Auto, HttpVersion::Http2, b"new"),
        (HttpChoice::One, HttpVersion::Http11, b"old"),
        (HttpChoice::Two, HttpVersion::Http2, b"new"),
    ] {
        let policy = policy_with(|policy| policy.http = choice);
        let exchange = http.request(&ask(&url, &policy)).await;
        assert_eq!(exchange.http_version, Some(version), "{choice}");
        assert_eq!(exchange.answer.unwrap().body[..], body[..]);
    }
}

#[tokio::test]
async fn large_bodies_on_one_http2_connection_share_one_permit_without_deadlock() {
    let site = http2_site(Deed::Page(2_000_000)).await;
    let http = client(|options| options.large_bodies = 1);
    let downloads = (0..8).map(|_| async {
        assert_eq!(http.get(&site.tls_url("127.0.0.1")).await.unwrap().body.len(), 2_000_000);
    });
    futures_util::future::join_all(downloads).await;
}

#[tokio::test]
async fn kept_connections_of_tls_may_be_gone_too() {
    for protocol in ["http/1.1", "h2"] {
        let acceptor = acceptor("127.0.0.1", 4000, &[protocol]);
        // One answer for each connection, which is gone without a word when the next request has come.
        let site = Site::new(move |peer| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(peer.stream).await.unwrap();
                if protocol == "http/1.1" {
                    let mut head = [0; 4096];
                    let _ = stream.read(&mut head).await;
                    let _ = stream.write_all(&page(b"four")).await;
                    let _ = stream.read(&mut head).await;
                    return;
                }
                let mut connection = h2::server::Builder::new().handshake::<_, bytes::Bytes>(stream).await.unwrap();
                let (_, mut respond) = connection.accept().await.unwrap().unwrap();
                let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                body.send_data(b"four".to_vec().into(), true).unwrap();
                let _ = connection.accept().await;
            }
        })
        .await;
        let http = client(|_| ());
        for _ in 0..6 {
            assert_eq!(&http.get(&site.tls_url("127.0.0.1")).await.unwrap().body[..], b"four", "{protocol}");
        }
    }
}
