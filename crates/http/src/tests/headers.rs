//! Header lines that no standard has (RFC 9112 §5), and sites send.

use super::*;

/// The answer to a request, and what is kept of its head.
async fn answered(head: &[u8]) -> Result<(String, String), String> {
    let bytes = [b"HTTP/1.1 200 OK\r\nX-First: 1\r\n", head, b"X-Last: 2\r\nContent-Length: 2\r\n\r\nok"].concat();
    answer_of(bytes).await
}

async fn answer_of(bytes: Vec<u8>) -> Result<(String, String), String> {
    let (site, policy) = (Site::says(bytes).await, policy());
    let exchange = client(|_| ()).request(&ask(&site.url("/"), &policy)).await;
    let answer = exchange.answer.map_err(|failure| format!("{}: {}", failure.class, failure.message))?;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    Ok((String::from_utf8_lossy(&exchange.headers).replace("\r\n", "|"), body))
}

#[tokio::test]
async fn a_malformed_line_costs_itself_at_most_and_never_the_page() {
    for (lines, kept) in [
        // A fold is blanks (RFC 9112 §5.2), a blank before the colon is none (§5.1).
        (&b"X-Fold: a\r\n b\r\n\tc\r\n"[..], "x-fold: a b c|"),
        (b"X-Fold:\r\n a\r\n", "x-fold: a|"),
        (b"X-Blank : a\r\n", "x-blank: a|"),
        (b"X-Tabs\t \t: a\r\n", "x-tabs: a|"),
        // No name is no field.
        (b"X(Y): a\r\n", ""),
        (b"X Y: a\r\n", ""),
        (b"\"X\": a\r\n", ""),
        (b"X\xe4: a\r\n", ""),
        (b"\xc3\x9cber: a\r\n", ""),
        (b"X\x01: a\r\n", ""),
        (b": a\r\n", ""),
        (b":\r\n", ""),
        (b"no colon\r\n", ""),
        (b"nocolon\r\n", ""),
        (b"<html>\r\n", ""),
        // A folded line goes with its field.
        (b"X(Y): a\r\n b\r\n", ""),
        // Neither are controls a value.
        (b"X-Control: a\x01b\r\n", ""),
        (b"X-Control: \x7f\r\n", ""),
        (b"X-Control: a\x1b[31m\r\n", ""),
        (b"X-Latin: caf\xe9\r\n", "x-latin: caf\u{fffd}|"),
        (b"X-Lf: a\nX-More: b\n", "x-lf: a|x-more: b|"),
        (b"X-Long: a   \t \r\n", "x-long: a|"),
        (b"X-Empty:\r\nX-Empty2: \r\n", "x-empty: |x-empty2: |"),
    ] {
        let expected = format!("x-first: 1|{kept}x-last: 2|content-length: 2|");
        let text = String::from_utf8_lossy(lines);
        assert_eq!(answered(lines).await, Ok((expected, "ok".to_owned())), "{text:?}");
    }
}

#[tokio::test]
async fn a_blank_before_the_first_field_is_no_fold_and_goes() {
    let bytes = b"HTTP/1.1 200 OK\r\n X-Space: 1\r\n\tmore\r\nContent-Length: 2\r\n\r\nok".to_vec();
    assert_eq!(answer_of(bytes).await, Ok(("content-length: 2|".to_owned(), "ok".to_owned())));
}

#[tokio::test]
async fn framing_is_read_from_lines_that_are_mended() {
    for head in [
        "Content-Length : 2",
        "Content-Length:\r\n 2",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n\tchunked",
        "bad line\r\nTransfer-Encoding: chunked",
    ] {
        let body = if head.contains("chunked") { "2\r\nok\r\n0\r\n\r\n" } else { "ok and more" };
        let bytes = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").into_bytes();
        assert_eq!(answer_of(bytes).await.unwrap().1, "ok", "{head}");
    }
}

#[tokio::test]
async fn nul_and_a_bare_cr_are_refused() {
    for lines in [&b"X: a\0b\r\n"[..], b"X\0: a\r\n", b"X: a\rb\r\n", b"X: a\r b: c\r\n"] {
        let failure = answered(lines).await.unwrap_err();
        assert!(failure.starts_with("protocol: the answer of 127.0.0.1 is not HTTP"), "{failure}");
    }
}
