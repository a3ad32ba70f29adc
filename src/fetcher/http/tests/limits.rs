//! The limit on a body, and the memory budget of all.

use super::*;

// The limits on size.

#[tokio::test]
async fn a_body_beyond_the_limit_is_too_large() {
    let http = client(|options| options.max_body_bytes = 1000);
    for bytes in [
        page(&[1; 1001]),
        encoded("gzip", &gzip(&[1; 1001])),
        encoded("gzip", &gzip(&vec![0; 300_000])),
        [b"HTTP/1.1 200 OK\r\n\r\n", &[1; 1001][..]].concat(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n".to_vec(),
    ] {
        let failure = failure_of(&http, &Site::says(bytes).await.url("/")).await;
        assert_eq!(failure, (ErrorClass::TooLarge, "the body passes the limit of 1000 bytes (--max-body)".into()));
    }
}

#[tokio::test]
async fn an_endless_body_is_left_as_soon_as_it_passes_the_limit() {
    // Zeros by the million, plain; as one gzip member after the other; and as zstd frames of nothing.
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 0, 0x10, 0, 0][..], &[0; 4096]].concat();
    for (coding, piece) in [("identity", vec![0; 4096]), ("gzip", gzip(&vec![0; 100_000])), ("zstd", skippable)] {
        let sent = Arc::new(AtomicUsize::new(0));
        let (count, piece) = (sent.clone(), Arc::new(piece));
        let site = Site::new(move |mut peer| {
            let (count, piece) = (count.clone(), piece.clone());
            async move {
                peer.request().await;
                peer.write(format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n").as_bytes()).await;
                while peer.write(&piece).await {
                    count.fetch_add(piece.len(), Ordering::SeqCst);
                }
            }
        })
        .await;
        let failure = failure_of(&client(|options| options.max_body_bytes = 1 << 20), &site.url("/")).await;
        assert_eq!(failure.0, ErrorClass::TooLarge, "{coding}: {failure:?}");
        // What the limit allows, and what the sockets of both sides hold.
        assert!(sent.load(Ordering::SeqCst) < 12 << 20, "{coding}: {}", sent.load(Ordering::SeqCst));
    }
}

// The memory budget.

#[tokio::test]
async fn many_large_bodies_share_one_permit_without_deadlock() {
    let plain = page(&vec![3; 400_000]);
    let packed = encoded("gzip", &gzip(&vec![3; 400_000]));
    let site = Site::new(move |mut peer| {
        let answer = if peer.number.is_multiple_of(2) { plain.clone() } else { packed.clone() };
        async move {
            peer.request().await;
            peer.write(&answer).await;
            peer.close().await;
        }
    })
    .await;
    let http = client(|options| options.large_bodies = 1);
    let large = AtomicUsize::new(0);
    let downloads = (0..8).map(|_| async {
        let body = http.get(&site.url("/")).await.unwrap().body;
        assert_eq!(large.fetch_add(1, Ordering::SeqCst), 0, "two large bodies at a time");
        tokio::task::yield_now().await;
        assert_eq!((body.len(), body.is_large()), (400_000, true));
        large.fetch_sub(1, Ordering::SeqCst);
        drop(body);
    });
    futures_util::future::join_all(downloads).await;
}

#[tokio::test]
async fn waiting_for_a_permit_does_not_count_against_the_limit() {
    let site = Site::says(page(&vec![3; 2_000_000])).await;
    let http = client(|options| {
        options.large_bodies = 1;
        options.timeout = BRIEF;
    });
    let first = http.get(&site.url("/")).await.unwrap();
    let url = site.url("/");
    let second = http.get(&url);
    let release = async {
        tokio::time::sleep(BRIEF * 2).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(second, release);
    assert_eq!(second.unwrap().body.len(), 2_000_000);
}

#[tokio::test]
async fn small_bodies_pass_while_every_permit_is_taken() {
    let large = Site::says(page(&vec![3; SMALL + 1])).await;
    let http = client(|options| options.large_bodies = 1);
    let held = http.get(&large.url("/")).await.unwrap();
    assert!(held.body.is_large());
    for bytes in [page(&vec![3; SMALL]), encoded("gzip", &gzip(&vec![3; SMALL]))] {
        let small = http.get(&Site::says(bytes).await.url("/")).await.unwrap();
        assert_eq!((small.body.len(), small.body.is_large()), (SMALL, false));
    }
}

#[tokio::test]
async fn a_failed_or_dropped_download_gives_its_permit_back() {
    let cut = Site::says("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\ncut").await;
    let asked = Arc::new(Semaphore::new(0));
    let signal = asked.clone();
    let stuck = Site::new(move |mut peer| {
        let signal = signal.clone();
        async move {
            peer.request().await;
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
            signal.add_permits(1);
            peer.hang().await;
        }
    })
    .await;
    let whole = Site::says(page(&vec![3; 1_000_000])).await;
    let http = client(|options| options.large_bodies = 1);
    assert_failure(&failure_of(&http, &cut.url("/")).await, ErrorClass::Truncated, "3 of 1000000");
    let url = stuck.url("/");
    tokio::select! {
        _ = http.get(&url) => panic!("this server never ends its answer"),
        _ = asked.acquire() => {}
    }
    assert_eq!(http.get(&whole.url("/")).await.unwrap().body.len(), 1_000_000);
}
