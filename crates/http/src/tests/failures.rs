//! Everything that can go wrong, by its class.

use super::*;

// No connection.

#[tokio::test]
async fn a_name_that_does_not_resolve_is_dns() {
    // Too long for a name, so that no resolver is asked.
    let url: Url = format!("http://{}.invalid/", "a".repeat(64)).parse().unwrap();
    let failure = failure_of(&client(|_| ()), &url).await;
    assert_failure(&failure, ErrorClass::Dns, "cannot resolve aaaa");
}

#[tokio::test]
async fn a_resolver_that_cannot_say_is_no_unknown_name_and_neither_is_a_silent_one() {
    let url: Url = "http://a.test/".parse().unwrap();
    let mut options = HttpOptions { connect_timeout: BRIEF, ..options() };
    let failing: LookUp =
        Arc::new(|_| Box::pin(async { Err(NoAnswer { message: "try again".to_owned(), is_temporary: true }) }));
    let silent: LookUp = Arc::new(|_| Box::pin(std::future::pending()));
    for (look_up, text) in
        [(failing, "cannot resolve a.test: try again"), (silent.clone(), "no answer from the resolver")]
    {
        let failure = failure_of(&Http::build(&options, authority_roots, look_up).unwrap(), &url).await;
        assert_failure(&failure, ErrorClass::Resolver, text);
    }
    (options.connect_timeout, options.timeout) = (AMPLE, BRIEF);
    let failure = failure_of(&Http::build(&options, authority_roots, silent).unwrap(), &url).await;
    assert_failure(&failure, ErrorClass::Resolver, "no answer from the resolver");
}

#[tokio::test]
async fn who_refuses_or_does_not_know_a_name_can_be_reached_and_a_failing_resolver_cannot() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refusing = Url::parse(&format!("http://{}/", socket.local_addr().unwrap())).unwrap();
    let urls = [(policy(), Url::parse("http://a.test/").unwrap()), (policy(), refusing)];
    let failing: LookUp =
        Arc::new(|_| Box::pin(async { Err(NoAnswer { message: "try again".to_owned(), is_temporary: true }) }));
    let client = Http::build(&options(), authority_roots, failing).unwrap();
    assert_eq!(client.reached(&urls[..1]).await, None);
    assert_eq!(client.reached(&urls).await, Some(&urls[1].1));
    let client = client_where(|_| Vec::new(), |_| ());
    assert_eq!(client.reached(&urls[..1]).await, Some(&urls[0].1));
}

#[tokio::test]
async fn a_refused_connection_is_connect() {
    // Bound and not listening: nobody else can take the port.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    for scheme in ["http", "https"] {
        let failure = failure_of(&client(|_| ()), &format!("{scheme}://127.0.0.1:{port}/").parse().unwrap()).await;
        let message = format!("cannot connect to 127.0.0.1:{port}: connection refused");
        assert_eq!(failure, (ErrorClass::Connect, message));
    }
}

#[tokio::test]
async fn a_connection_that_takes_too_long_is_timeout() {
    let site = Site::new(Peer::hang).await;
    let http = client(|options| options.connect_timeout = BRIEF);
    let failure = failure_of(&http, &site.tls_url("127.0.0.1")).await;
    assert_eq!(failure, (ErrorClass::Timeout, "no connection to 127.0.0.1 within 300ms".into()));
}

// No answer.

#[tokio::test]
async fn no_answer_in_time_is_timeout() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ").await;
        peer.hang().await;
    })
    .await;
    let failure = failure_of(&client(|options| options.timeout = BRIEF), &site.url("/")).await;
    assert_eq!(failure, (ErrorClass::Timeout, "no answer within 300ms".into()));
}

#[tokio::test]
async fn a_close_before_the_answer_is_reset() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-"] {
        assert_failure(
            &failure_from(bytes).await,
            ErrorClass::Reset,
            "127.0.0.1 closed the connection before its answer",
        );
    }
}

#[tokio::test]
async fn a_reset_before_the_answer_is_reset() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.reset();
    })
    .await;
    let failure = failure_of(&client(|_| ()), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Reset, "127.0.0.1 reset the connection before its answer");
}

#[tokio::test]
async fn what_is_not_http_is_protocol() {
    for bytes in [
        "<html>HTTP/0.9 lives</html>",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/1.1 099 Early\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/3.7 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let failure = failure_from(bytes).await;
        assert_failure(&failure, ErrorClass::Protocol, "the answer ");
    }
}

#[tokio::test]
async fn endless_informational_answers_are_timeout() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        while peer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await {}
    })
    .await;
    let failure = failure_of(&client(|options| options.timeout = BRIEF), &site.url("/")).await;
    assert_eq!(failure, (ErrorClass::Timeout, "no answer within 300ms".into()));
}

#[tokio::test]
async fn a_server_that_speaks_first_is_protocol() {
    let site = Site::new(|mut peer| async move {
        peer.write(b"220 mail.example ESMTP\r\n").await;
        peer.close().await;
    })
    .await;
    let failure = failure_of(&client(|_| ()), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Protocol, "the answer of 127.0.0.1 is not HTTP");
}

// No whole body.

#[tokio::test]
async fn a_body_that_trickles_past_the_limit_is_timeout() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        while peer.write(b"x").await {
            tick.tick().await;
        }
    })
    .await;
    let failure = failure_of(&client(|options| options.timeout = BRIEF), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Timeout, "body not complete within 300ms, ");
}

#[tokio::test]
async fn a_body_that_ends_early_is_truncated() {
    for (bytes, message) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour", "after 4 of 10 bytes"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "after 0 of 10 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "early, after 0 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive!\r\n", "early, after 5 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfi", "early, after 2 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", "early, after 1 bytes"),
    ] {
        assert_failure(&failure_from(bytes).await, ErrorClass::Truncated, message);
    }
}

#[tokio::test]
async fn an_encoded_body_that_ends_early_is_truncated() {
    let noise: Vec<u8> = (0..150_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for text in [&b"a page"[..], &noise] {
        for (coding, wire) in [("gzip", gzip(text)), ("zstd", zstd::encode_all(text, 1).unwrap())] {
            let failure = failure_from(encoded(coding, &wire[..wire.len() - 1])).await;
            assert_failure(&failure, ErrorClass::Truncated, &format!("the {coding} data of the body ends early"));
        }
    }
}

#[tokio::test]
async fn a_reset_in_the_body_is_reset() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour").await;
        peer.reset();
    })
    .await;
    let failure = failure_of(&client(|_| ()), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Reset, "connection reset after 4 bytes of the body");
}

#[tokio::test]
async fn broken_chunks_are_protocol() {
    for chunks in ["zz\r\nx\r\n", "5\r\nfive!six", "ffffffffffffffffff\r\n"] {
        let failure = failure_from(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
        assert_failure(&failure, ErrorClass::Protocol, "broken chunks after");
    }
}

#[tokio::test]
async fn a_body_in_no_known_encoding_is_encoding() {
    for (coding, body) in
        [("gzip", "<html>plain</html>"), ("zstd", "<html>plain</html>"), ("br", "\u{7f}\u{7f}\u{7f}\u{7f}")]
    {
        let failure = failure_from(encoded(coding, body.as_bytes())).await;
        assert_failure(&failure, ErrorClass::Encoding, &format!("the body is not valid {coding} data"));
    }
    let failure = failure_from(encoded("compress", b"x")).await;
    assert_failure(&failure, ErrorClass::Encoding, "unsupported content encoding \"compress\"");
}
