//! The meaning of an error of the client: its stable class, and one line for people.
//!
//! Classes come from the types in the chain of causes, never from their texts: the innermost I/O error
//! and its kind, rustls's and h2's own errors, hyper's questions (`is_parse` and its sisters).

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use h2::Reason;
use hyper_util::client::legacy;
use rustls::{CertificateError, OtherError};
use url::Url;

use super::resolver::{Blocked, Unresolved};
use super::tls::is_of_authority;
use seine_core::record::{ErrorClass, Failure};
use seine_core::values::ProxyUrl;

/// Longest message in characters: causes may quote what a site sent.
const MAX_MESSAGE_CHARS: usize = 300;

/// The innermost cause of each kind in the chain of causes of one error.
#[derive(Default)]
struct Causes<'a> {
    io: Option<&'a io::Error>,
    tls: Option<&'a rustls::Error>,
    h2: Option<&'a h2::Error>,
    hyper: Option<&'a hyper::Error>,
    connection: Option<&'a legacy::connect::Connected>,
    blocked: Option<&'a Blocked>,
    unresolved: Option<&'a Unresolved>,
    /// Directly inside the error of a connection: what failed is TLS, on a connection that stood.
    in_handshake: bool,
    last: Option<&'a (dyn Error + 'static)>,
}

impl<'a> Causes<'a> {
    fn of(error: &'a reqwest::Error) -> Self {
        let mut causes = Self::default();
        let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
        while let Some(cause) = next {
            causes.last = Some(cause);
            next = cause.source();
            if let Some(client) = cause.downcast_ref::<legacy::Error>() {
                causes.connection = client.connect_info();
                causes.in_handshake = next.is_some_and(|inner| inner.is::<io::Error>());
            }
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                causes.io = Some(io);
                // `source` of an I/O error skips the error it wraps.
                next = io.get_ref().map(|inner| inner as &(dyn Error + 'static));
            } else if let Some(tls) = cause.downcast_ref() {
                causes.tls = Some(tls);
            } else if let Some(h2) = cause.downcast_ref() {
                causes.h2 = Some(h2);
            } else if let Some(hyper) = cause.downcast_ref() {
                causes.hyper = Some(hyper);
            } else if let Some(blocked) = cause.downcast_ref() {
                causes.blocked = Some(blocked);
            } else if let Some(unresolved) = cause.downcast_ref() {
                causes.unresolved = Some(unresolved);
            }
        }
        causes
    }

    fn io_kind(&self) -> Option<ErrorKind> {
        self.io.map(io::Error::kind)
    }

    /// The innermost cause as text: the only one worth a reader's time, the outer ones are frames.
    fn text(&self) -> String {
        let text = self.last.map(ToString::to_string).unwrap_or_default();
        match text.find(" (os error ") {
            Some(end) => text[..end].to_lowercase(),
            None => text,
        }
    }
}

/// The failure of a request that `error` kept from an answer.
pub(super) fn before_answer(error: &reqwest::Error, url: &Url, connect_timeout: Duration) -> Failure {
    let causes = Causes::of(error);
    let host = url.host_str().unwrap_or_default();
    if error.is_builder() {
        return failure(ErrorClass::Protocol, format!("this URL cannot be requested: {}", causes.text()));
    }
    if let Some(reason) = causes.blocked {
        return blocked(host, reason);
    }
    if let Some(unresolved) = causes.unresolved {
        return self::unresolved(host, unresolved);
    }
    if error.is_dns() {
        return failure(ErrorClass::Dns, format!("cannot resolve {host}: {}", causes.text()));
    }
    if let Some(tls) = causes.tls {
        return failure(ErrorClass::Tls, format!("TLS with {host} failed: {}", tls_text(tls)));
    }
    if error.is_timeout() {
        // The system's own patience may be shorter than ours.
        return failure(
            ErrorClass::Timeout,
            match causes.io_kind() {
                Some(ErrorKind::TimedOut) if causes.io.is_some_and(|io| io.raw_os_error().is_some()) => {
                    format!("no answer from {host}: {}", causes.text())
                }
                _ => format!("no connection to {host} within {connect_timeout:?}"),
            },
        );
    }
    if error.is_connect() {
        let address = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        return match causes.io_kind() {
            // Nothing can be reset before it exists: the TCP connection stood and its TLS was cut short.
            Some(kind) if is_cut(kind) || kind == ErrorKind::UnexpectedEof => {
                failure(ErrorClass::Reset, format!("{address} closed the connection during the TLS handshake"))
            }
            None if url.scheme() == "https"
                && host.split('.').any(|label| label.starts_with('-') || label.ends_with('-')) =>
            {
                let message =
                    format!("a part of {host} begins or ends with a hyphen: no certificate can be for such a name");
                failure(ErrorClass::Tls, message)
            }
            None if url.scheme() == "https" => {
                failure(ErrorClass::Tls, format!("TLS with {host} failed: {}", causes.text()))
            }
            kind => {
                let class = if kind.is_some_and(is_no_way) { ErrorClass::Network } else { ErrorClass::Connect };
                failure(class, format!("cannot connect to {address}: {}", causes.text()))
            }
        };
    }
    if let Some(h2) = causes.h2 {
        let class = if h2.is_remote() { ErrorClass::Reset } else { ErrorClass::Protocol };
        return failure(class, format!("no answer from {host}: HTTP/2: {}", h2_text(h2)));
    }
    match (causes.io_kind(), causes.hyper) {
        (Some(kind), _) if is_cut(kind) => {
            failure(ErrorClass::Reset, format!("{host} reset the connection before its answer"))
        }
        (Some(ErrorKind::UnexpectedEof), _) => closed_early(host),
        (_, Some(hyper)) if hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed() => {
            closed_early(host)
        }
        (Some(_), _) => failure(ErrorClass::Reset, format!("no answer from {host}: {}", causes.text())),
        _ => failure(ErrorClass::Protocol, format!("the answer of {host} is not HTTP: {}", causes.text())),
    }
}

/// The connection that was closed or torn down before a whole head of an answer had arrived, if that is what `error` means.
pub(super) fn lost_connection(error: &reqwest::Error) -> Option<&legacy::connect::Connected> {
    let causes = Causes::of(error);
    let is_lost = match (causes.h2, causes.io_kind(), causes.hyper) {
        (Some(h2), ..) => h2.is_io() || h2.is_go_away() && h2.is_remote(),
        (None, Some(kind), _) => is_cut(kind) || kind == ErrorKind::UnexpectedEof,
        (None, None, Some(hyper)) => hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed(),
        (None, None, None) => false,
    };
    causes.connection.filter(|_| is_lost)
}

/// Whether `error` is one of HTTP/2 itself, which the same request need not meet over HTTP/1.1: the peer asks for that
/// (RFC 9113 §7, `HTTP_1_1_REQUIRED`), or one of the two ends breaks the rules of HTTP/2.
pub(super) fn is_of_http2(error: &reqwest::Error) -> bool {
    let Some(h2) = Causes::of(error).h2 else { return false };
    let is_broken = |reason| {
        matches!(
            reason,
            Reason::HTTP_1_1_REQUIRED
                | Reason::PROTOCOL_ERROR
                | Reason::INTERNAL_ERROR
                | Reason::FLOW_CONTROL_ERROR
                | Reason::SETTINGS_TIMEOUT
                | Reason::STREAM_CLOSED
                | Reason::FRAME_SIZE_ERROR
                | Reason::COMPRESSION_ERROR
                | Reason::INADEQUATE_SECURITY
        )
    };
    h2.is_library() || h2.reason().is_some_and(is_broken)
}

/// The failure of a request for `host`, all of whose addresses are out of bounds.
pub(super) fn blocked(host: &str, Blocked { ip, reason }: &Blocked) -> Failure {
    failure(ErrorClass::BlockedAddress, format!("{host} leads to {ip}, which is not to be connected to: {reason}"))
}

/// The failure of a request for `host`, whose name gave no addresses.
pub(super) fn unresolved(host: &str, unresolved: &Unresolved) -> Failure {
    let class = if unresolved.is_temporary { ErrorClass::Resolver } else { ErrorClass::Dns };
    failure(class, format!("cannot resolve {host}: {unresolved}"))
}

/// The failure of a request for `host`, about which the resolver has not answered in time.
pub(super) fn unanswered(host: &str, patience: Duration) -> Failure {
    failure(ErrorClass::Resolver, format!("cannot resolve {host}: no answer from the resolver within {patience:?}"))
}

/// A failure between us and a host behind a proxy, by who caused it.
pub(super) enum ByProxy {
    /// The proxy is in trouble, or says that the host is: another one may do better.
    Proxy {
        /// The problem, for people.
        problem: String,
        /// Whether it is the proxy that cannot be reached.
        unreachable: bool,
        /// The class of a failure that may be none of the proxy's either.
        ours: Option<ErrorClass>,
    },
    /// The proxy has done its part.
    Host(Failure),
}

/// The failure of a request through `proxy` that `error` kept from an answer.
pub(super) fn by_proxy(error: &reqwest::Error, url: &Url, proxy: &ProxyUrl, connect_timeout: Duration) -> ByProxy {
    let causes = Causes::of(error);
    // A SOCKS client looks names up by itself.
    let of_host = match causes.unresolved {
        Some(unresolved) => url.host_str() == Some(&unresolved.name) && proxy.url().host_str() != url.host_str(),
        None => !error.is_connect() || causes.in_handshake && url.scheme() == "https",
    };
    if of_host || causes.blocked.is_some() {
        return ByProxy::Host(before_answer(error, url, connect_timeout));
    }
    let unreachable = causes.io.is_some() || causes.tls.is_some() || causes.unresolved.is_some();
    let problem = if unreachable || !error.is_timeout() {
        match line(&causes.text()) {
            // The client takes no other answer, though RFC 9110 §9.3.6 has any 2xx open the tunnel.
            text if text == "tunnel error: unsuccessful" => {
                "tunnel error: CONNECT was not answered with 200".to_owned()
            }
            text => text,
        }
    } else {
        format!("no connection within {connect_timeout:?}")
    };
    let ours = match (causes.unresolved, causes.io_kind()) {
        (Some(unresolved), _) => unresolved.is_temporary.then_some(ErrorClass::Resolver),
        (None, Some(kind)) => is_no_way(kind).then_some(ErrorClass::Network),
        (None, None) => None,
    };
    ByProxy::Proxy { problem, unreachable, ours }
}

/// The text of a TLS error; rustls names the problems of certificates by its own types, so those are put into words.
fn tls_text(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(problem) = error else { return error.to_string() };
    let text = match problem {
        CertificateError::UnknownIssuer => "its issuer is unknown (UnknownIssuer); see --ca-cert".to_owned(),
        CertificateError::Expired => "it has expired".to_owned(),
        CertificateError::NotValidYet => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::BadEncoding => "it is damaged".to_owned(),
        CertificateError::BadSignature => "its signature is wrong".to_owned(),
        CertificateError::Revoked => "it is revoked".to_owned(),
        CertificateError::InvalidPurpose => "it is for another purpose".to_owned(),
        problem if is_of_authority(problem) => {
            "it is that of an authority, and used as a server's; --ca-cert with this very certificate trusts it"
                .to_owned()
        }
        CertificateError::Other(OtherError(cause)) => cause.to_string(),
        other => other.to_string(),
    };
    format!("invalid peer certificate: {text}")
}

/// The text of an HTTP/2 error. One without a fault ends a stream or connection that the peer has no more use for.
fn h2_text(error: &h2::Error) -> String {
    match error.reason() {
        Some(Reason::NO_ERROR) if error.is_go_away() => "the server has closed the connection".to_owned(),
        Some(Reason::NO_ERROR) => "the server has ended the stream early".to_owned(),
        _ => error.to_string(),
    }
}

/// The failure of a request whose body `error` cut after `received` of `expected` bytes.
pub(super) fn in_body(error: &reqwest::Error, received: u64, expected: Option<u64>) -> Failure {
    let causes = Causes::of(error);
    if let Some(tls) = causes.tls {
        return failure(ErrorClass::Tls, format!("TLS failed after {received} bytes of the body: {}", tls_text(tls)));
    }
    let short = expected.is_some_and(|expected| received < expected);
    if let Some(h2) = causes.h2 {
        return match h2.is_remote() {
            true => {
                failure(ErrorClass::Reset, format!("stream reset after {received} bytes of the body: {}", h2_text(h2)))
            }
            // h2 itself calls a body that ends before its Content-Length a protocol error.
            false if short => truncated(received, expected),
            false => failure(
                ErrorClass::Protocol,
                format!("broken HTTP/2 after {received} bytes of the body: {}", h2_text(h2)),
            ),
        };
    }
    match (causes.io_kind(), causes.hyper) {
        (Some(ErrorKind::UnexpectedEof), _) => truncated(received, expected),
        (Some(ErrorKind::InvalidData | ErrorKind::InvalidInput), _) => failure(
            ErrorClass::Protocol,
            format!("broken chunks after {received} bytes of the body: {}", causes.text()),
        ),
        (Some(ErrorKind::TimedOut), _) => failure(
            ErrorClass::Timeout,
            format!("connection lost after {received} bytes of the body: {}", causes.text()),
        ),
        (None, Some(hyper)) if hyper.is_incomplete_message() => truncated(received, expected),
        _ => failure(ErrorClass::Reset, format!("connection reset after {received} bytes of the body")),
    }
}

/// A failure whose message is one line of bounded length whatever went into it.
pub(super) fn failure(class: ErrorClass, message: impl AsRef<str>) -> Failure {
    Failure::new(class, line(message.as_ref()))
}

/// `text` as one line of bounded length.
pub(super) fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE_CHARS).collect()
}

fn closed_early(host: &str) -> Failure {
    failure(ErrorClass::Reset, format!("{host} closed the connection before its answer"))
}

fn truncated(received: u64, expected: Option<u64>) -> Failure {
    failure(
        ErrorClass::Truncated,
        match expected {
            Some(expected) => format!("the body ended after {received} of {expected} bytes"),
            None => format!("the body ended early, after {received} bytes"),
        },
    )
}

/// Whether an I/O error of this kind says that no packet found a way to the peer.
pub(super) fn is_no_way(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
    )
}

/// Whether an I/O error of this kind says that the peer tore the connection down.
fn is_cut(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_judged_in_words() {
        let text = |problem| tls_text(&rustls::Error::InvalidCertificate(problem));
        let other = |name: &str| {
            CertificateError::Other(OtherError(std::sync::Arc::from(Box::<dyn Error + Send + Sync>::from(name))))
        };
        for (problem, expected) in [
            (other("CaUsedAsEndEntity"), "used as a server's; --ca-cert with this very certificate trusts it"),
            (other("UnsupportedCertVersion"), "UnsupportedCertVersion"),
            (CertificateError::Revoked, "it is revoked"),
            (CertificateError::Expired, "it has expired"),
        ] {
            let text = text(problem);
            assert!(text.ends_with(expected) && !text.contains("Other("), "{text}");
        }
    }

    #[test]
    fn an_end_without_a_fault_is_told_as_one() {
        assert_eq!(h2_text(&Reason::NO_ERROR.into()), "the server has ended the stream early");
        assert_eq!(h2_text(&Reason::REFUSED_STREAM.into()), h2::Error::from(Reason::REFUSED_STREAM).to_string());
    }

    #[test]
    fn a_message_is_one_bounded_line() {
        let message = failure(ErrorClass::Tls, format!("bad\r\nname\u{1b}[31m{}", "x".repeat(1000))).message;
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
        assert!(message.starts_with("bad  name [31mxx"), "{message}");
        assert_eq!(failure(ErrorClass::Tls, "plain — text").message, "plain — text");
    }
}
