//! Whole answers, and what becomes of their connections.

use super::*;

#[tokio::test]
async fn an_answer_carries_what_the_record_needs() {
    let site = Site::says(
        "HTTP/1.1 404 Not Here\r\nContent-Type: text/html; charset=\"caf\u{e9}\"\r\nRetry-After: 120\r\n\
         ETag: W/\"a\"\r\nLast-Modified: Sat, 01 Jan 2022 00:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello",
    )
    .await;
    let (url, policy) = (site.url("/"), policy());
    let exchange = client(|_| ()).request(&ask(&url, &policy)).await;
    assert_eq!((exchange.status, exchange.http_version.unwrap().name()), (Some(404), "HTTP/1.1"));
    assert_eq!((exchange.remote_ip, exchange.bytes), (Some(Ipv4Addr::LOCALHOST.into()), 5));
    let answer = exchange.answer.unwrap();
    assert_eq!(answer.status, 404);
    assert_eq!(answer.content_type.as_deref(), Some("text/html; charset=\"caf\u{e9}\""));
    assert_eq!(answer.retry_after.as_deref(), Some(&b"120"[..]));
    assert_eq!(answer.etag.as_deref(), Some(&b"W/\"a\""[..]));
    assert_eq!(answer.last_modified.as_deref(), Some(&b"Sat, 01 Jan 2022 00:00:00 GMT"[..]));
    assert_eq!((answer.location.as_deref(), answer.is_redirect()), (None, false));
    assert_eq!(&answer.body[..], b"hello");
}

#[tokio::test]
async fn every_way_to_end_a_body_is_understood() {
    for (bytes, body) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nContent-Encoding: gzip\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Encoding: gzip\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Encoding: compress\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n", "a"),
        ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 \r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ok"),
    ] {
        assert_eq!(&answer(&Site::says(bytes).await).await.body[..], body.as_bytes(), "{bytes}");
    }
}

#[tokio::test]
async fn encoded_bodies_arrive_decoded() {
    let text = "seine ".repeat(10_000);
    let zlib = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for (coding, wire) in [
        ("gzip", gzip(text.as_bytes())),
        ("deflate", zlib),
        ("zstd", zstd::encode_all(text.as_bytes(), 3).unwrap()),
        ("gzip, gzip", gzip(&gzip(text.as_bytes()))),
        ("utf-8", text.clone().into_bytes()),
    ] {
        let (site, policy) = (Site::says(encoded(coding, &wire)).await, policy());
        let exchange = client(|_| ()).request(&ask(&site.url("/"), &policy)).await;
        assert_eq!(exchange.bytes, wire.len() as u64);
        assert!(exchange.answer.unwrap().body[..] == *text.as_bytes(), "{coding}");
    }
    // Stored brotli, as its reference encoder writes five bytes.
    let answer = answer(&Site::says(encoded("br", b"\x0b\x02\x80hello\x03")).await).await;
    assert_eq!(&answer.body[..], b"hello");
}

#[tokio::test]
async fn large_bodies_arrive_whole_in_every_framing() {
    let body: Vec<u8> = (0..600_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let chunked = {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(70_001) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    };
    let closed = [b"HTTP/1.1 200 OK\r\n\r\n", &body[..]].concat();
    for bytes in
        [page(&body), chunked, closed, encoded("gzip", &gzip(&body)), encoded("gzip", &gzip(&vec![7; 300_000]))]
    {
        let answer = answer(&Site::says(bytes).await).await;
        assert!(answer.body.is_large());
        assert!(answer.body[..] == body[..] || answer.body[..] == vec![7; 300_000][..]);
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes() {
    let http = client(|options| options.max_body_bytes = 1000);
    for bytes in [page(&[1; 1000]), encoded("gzip", &gzip(&[1; 1000])), {
        [b"HTTP/1.1 200 OK\r\n\r\n", &[1; 1000][..]].concat()
    }] {
        assert_eq!(http.get(&Site::says(bytes).await.url("/")).await.unwrap().body.len(), 1000);
    }
}

#[tokio::test]
async fn three_hundred_headers_pass_and_a_flood_is_refused() {
    let headers = |count: usize, bytes: usize| {
        let value = "v".repeat(bytes);
        let lines: String = (0..count).map(|n| format!("X-{n}: {value}\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok")
    };
    assert_eq!(&answer(&Site::says(headers(300, 20)).await).await.body[..], b"ok");
    assert_eq!(&answer(&Site::says(headers(10, 30_000)).await).await.body[..], b"ok");
    assert_failure(&failure_from(headers(600, 20)).await, ErrorClass::Protocol, "too large");
    assert_failure(&failure_from(headers(20, 30_000)).await, ErrorClass::Protocol, "too large");
}

#[tokio::test]
async fn requests_reuse_their_connection() {
    let site = Site::new(|mut peer| async move {
        loop {
            let answer = match &peer.request().await {
                head if head.is_empty() => return,
                head if head.starts_with("GET /moved ") => {
                    format!("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9\r\n\r\n{}", "x".repeat(9))
                        .into_bytes()
                }
                head if head.starts_with("GET /gzip ") => encoded("gzip", &gzip(b"page")),
                _ => page(b"page"),
            };
            peer.write(&answer).await;
        }
    })
    .await;
    let http = client(|_| ());
    for path in ["/", "/gzip", "/moved", "/gzip", "/"] {
        http.get(&site.url(path)).await.unwrap();
    }
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn bytes_behind_a_body_are_never_another_pages_answer() {
    let site = Site::new(|mut peer| async move {
        let number = peer.number;
        while !peer.request().await.is_empty() {
            let answer = [page(format!("page of connection {number}").as_bytes()), page(b"smuggled")].concat();
            peer.write(&answer).await;
        }
    })
    .await;
    let http = client(|_| ());
    for number in 0..10 {
        let answer = http.get(&site.url("/")).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.body), format!("page of connection {number}"));
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_failure() {
    let closed = Arc::new(Semaphore::new(0));
    let signal = closed.clone();
    let site = Site::new(move |mut peer| {
        let signal = signal.clone();
        async move {
            peer.request().await;
            peer.write(&page(b"once")).await;
            let _ = peer.stream.shutdown().await;
            signal.add_permits(1);
            peer.hang().await;
        }
    })
    .await;
    let http = client(|_| ());
    for _ in 0..5 {
        assert_eq!(&http.get(&site.url("/")).await.unwrap().body[..], b"once");
        closed.acquire().await.unwrap().forget();
        // The end is on this machine already; each turn lets the client's task look at its socket.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(site.connections(), 5);
}

#[tokio::test]
async fn a_redirect_is_an_answer_whose_body_nobody_reads() {
    for (head, rest) in [
        ("HTTP/1.1 301 Moved\r\nContent-Length: 100000000\r\n", vec![b'x'; 100_000]),
        ("HTTP/1.1 302 Found\r\nContent-Length: 10\r\n", b"cut".to_vec()),
        ("HTTP/1.1 307 Temporary\r\nTransfer-Encoding: chunked\r\n", b"zz\r\n".to_vec()),
        ("HTTP/1.1 308 Permanent\r\nContent-Encoding: gzip\r\n", b"no gzip".to_vec()),
    ] {
        let head = format!("{head}Location: /caf\u{e9}?q#f\r\n\r\n");
        let (site, policy) = (Site::says([head.as_bytes(), &rest].concat()).await, policy());
        let exchange = client(|_| ()).request(&ask(&site.url("/"), &policy)).await;
        let answer = exchange.answer.unwrap();
        assert!(answer.is_redirect());
        assert_eq!(answer.location.as_deref(), Some("/caf\u{e9}?q#f".as_bytes()));
        assert!(answer.body.is_empty());
        assert!(exchange.bytes <= 64 * 1024, "{}", exchange.bytes);
    }
}

#[tokio::test]
async fn a_redirect_with_an_endless_body_does_not_wait_for_it() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 10\r\n\r\n").await;
        peer.hang().await;
    })
    .await;
    let answer = client(|options| options.timeout = BRIEF).get(&site.url("/")).await.unwrap();
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn a_redirect_status_without_a_location_keeps_its_body() {
    let answer = answer(&Site::says("HTTP/1.1 302 Found\r\nContent-Length: 4\r\n\r\nwhat").await).await;
    assert_eq!((answer.is_redirect(), &answer.body[..]), (false, &b"what"[..]));
}

#[tokio::test]
async fn statuses_of_no_standard_are_answers() {
    for status in [200, 201, 226, 299, 305, 306, 418, 451, 599, 600, 999] {
        let site = Site::says(format!("HTTP/1.1 {status} Odd\r\nContent-Length: 2\r\n\r\nok")).await;
        let answer = answer(&site).await;
        assert_eq!((answer.status, &answer.body[..]), (status, &b"ok"[..]));
    }
}

#[tokio::test]
async fn types_that_are_not_accepted_are_not_read() {
    let http = client(|options| options.accept_types = vec!["text/html".into(), "image/*".into()]);
    let policy = policy();
    for (status, header, skipped) in [
        ("200 OK", "Content-Type: text/html", None),
        ("200 OK", "Content-Type:  Text/HTML ; charset=x", None),
        ("200 OK", "Content-Type: image/png", None),
        ("200 OK", "Content-Type: application/pdf; x=y", Some("application/pdf")),
        ("200 OK", "Content-Type: text/htmlx", Some("text/htmlx")),
        ("200 OK", "Content-Type: imagex/png", Some("imagex/png")),
        ("206 Partial", "Content-Type: VIDEO/mp4", Some("video/mp4")),
        // Unknown is not unwanted, and what is no success is read to say why.
        ("200 OK", "X-Y: z", None),
        ("200 OK", "Content-Type:", None),
        ("404 Not Found", "Content-Type: application/json", None),
    ] {
        let site = Site::says(format!("HTTP/1.1 {status}\r\n{header}\r\nContent-Length: 4\r\n\r\nbody")).await;
        let exchange = http.request(&ask(&site.url("/"), &policy)).await;
        let answer = exchange.answer.unwrap();
        assert_eq!(answer.skipped.as_deref(), skipped, "{header}");
        assert_eq!(answer.body.is_empty(), skipped.is_some(), "{header}");
    }
    // A film of any length costs next to nothing.
    let film = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 10000000000\r\n\r\n").await;
        while peer.write(&[0; 4096]).await {}
    })
    .await;
    let exchange = http.request(&ask(&film.url("/"), &policy)).await;
    assert!(exchange.bytes < 1 << 20, "{}", exchange.bytes);
    assert_eq!(exchange.answer.unwrap().skipped.as_deref(), Some("video/mp4"));
}

#[tokio::test]
async fn robots_tags_and_links_come_line_by_line_and_bounded() {
    let long = "x".repeat(10_000);
    let more = "X-Robots-Tag: all\r\n".repeat(100);
    let site = Site::says(format!(
        "HTTP/1.1 200 OK\r\nX-Robots-Tag: noindex, nofollow\r\nx-robots-tag: bot: caf\u{e9}\r\nX-Robots-Tag: {long}\r\n\
         {more}Link: </a>; rel=next\r\nlink: <{long}\r\nContent-Length: 0\r\n\r\n"
    ))
    .await;
    let answer = answer(&site).await;
    assert_eq!((&answer.link[0][..], answer.link[1].len()), ("</a>; rel=next", MAX_HEAD_LINE_BYTES));
    let tags = answer.x_robots_tag;
    assert_eq!((&tags[0][..], &tags[1][..]), ("noindex, nofollow", "bot: caf\u{e9}"));
    assert_eq!((tags[2].len(), tags.len()), (MAX_HEAD_LINE_BYTES, MAX_HEAD_LINES));
}

#[tokio::test]
async fn odd_fields_are_understood_on_the_wire() {
    let site = Site::says(
        "HTTP/1.1 302 Found\r\nContent-Type: text/plain;charset=gbk\r\nContent-Type: text/html\r\nETag: *\r\n\
         Location: /caf"
            .bytes()
            .chain(*b"\xe9\r\nContent-Length: 0\r\n\r\n")
            .collect::<Vec<u8>>(),
    )
    .await;
    let answer = answer(&site).await;
    assert_eq!((answer.content_type.as_deref(), &answer.etag), (Some("text/html"), &None));
    assert_eq!(location(&answer.location.unwrap()), "/caf%E9");
}
