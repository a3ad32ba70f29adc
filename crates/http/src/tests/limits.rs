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

#[tokio::test]
async fn what_grows_two_hundredfold_is_a_bomb_and_what_is_small_is_not() {
    let http = client(|options| options.max_body_bytes = 1 << 30);
    let zeros = vec![0; 4 << 20];
    for (coding, wire) in [("gzip", gzip(&zeros)), ("zstd", zstd::encode_all(&zeros[..], 1).unwrap())] {
        let failure = failure_of(&http, &Site::says(encoded(coding, &wire)).await.url("/")).await;
        assert_failure(&failure, ErrorClass::TooLarge, "a decompression bomb: ");
        assert_failure(&failure, ErrorClass::TooLarge, "a ratio beyond 200");
    }
    let twice = encoded("gzip, gzip", &gzip(&gzip(&zeros)));
    assert_failure(&failure_of(&http, &Site::says(twice).await.url("/")).await, ErrorClass::TooLarge, "bomb");
    let small = encoded("gzip", &gzip(&zeros[..1 << 20]));
    assert_eq!(http.get(&Site::says(small).await.url("/")).await.unwrap().body.len(), 1 << 20);
    // Repetitive as pages get, and far from the limit.
    let page: String = (0..40_000).map(|n| format!("<tr><td class=\"name\">{}</td></tr>\n", n % 100)).collect();
    let answer = http.get(&Site::says(encoded("gzip", &gzip(page.as_bytes()))).await.url("/")).await.unwrap();
    assert_eq!(answer.body.len(), page.len());
}

#[tokio::test]
async fn robots_files_are_cut_at_their_limit() {
    let text = b"Disallow: /\n".repeat(50_000);
    for limit in [0, 1000, SMALL, SMALL + 1, 500 * 1024] {
        for bytes in [
            page(&text),
            encoded("gzip", &gzip(&text)),
            encoded("br", &brotli_stored(&text)),
            [b"HTTP/1.1 200 OK\r\n\r\n", &text[..]].concat(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n".iter().chain(&text).copied().collect(),
        ] {
            let (site, policy) = (Site::says(bytes).await, policy());
            let http = client(|options| options.max_body_bytes = 1000);
            let exchange =
                http.request(&Ask { want: Want::Robots { limit }, ..ask(&site.url("/robots.txt"), &policy) }).await;
            assert!(exchange.answer.unwrap().body[..] == text[..limit], "{limit}");
        }
    }
    let (site, policy) = (Site::says(page(&text)).await, policy());
    let url = site.url("/robots.txt");
    let ask = Ask { want: Want::Robots { limit: 10_000_000 }, ..ask(&url, &policy) };
    let http = client(|options| {
        options.max_body_bytes = 1000;
        options.accept_types = vec!["text/html".into()];
    });
    assert_eq!(http.request(&ask).await.answer.unwrap().body.len(), text.len());
}

/// Brotli without compression: meta-blocks of at most 64 KiB.
fn brotli_stored(bytes: &[u8]) -> Vec<u8> {
    // The window's size takes one bit, so each block's header begins where the last one's padding ends.
    let mut out = Vec::new();
    for (number, block) in bytes.chunks(1 << 16).enumerate() {
        let length = block.len() as u32 - 1;
        // ISLAST 0, MNIBBLES 4 (two bits), MLEN-1 (16 bits), ISUNCOMPRESSED 1.
        let header = length << 3 | 1 << 19;
        let header = if number == 0 { header << 1 } else { header };
        out.extend_from_slice(&header.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    out.push(3);
    out
}

// The limit on slowness.

#[tokio::test(start_paused = true)]
async fn a_body_that_crawls_is_given_up_after_ten_seconds() {
    // Bytes a second for so many seconds, then silence.
    let site = async |speed: usize, seconds: usize| {
        Site::new(move |mut peer| async move {
            peer.request().await;
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await;
            let mut second = tokio::time::interval(Duration::from_secs(1));
            for _ in 0..seconds {
                second.tick().await;
                if !peer.write(&vec![b'x'; speed]).await {
                    return;
                }
            }
            peer.hang().await;
        })
        .await
    };
    let http = client(|options| {
        options.min_speed = 1000;
        options.timeout = Duration::from_secs(600);
    });
    for (speed, seconds, least, most) in [(0, 0, 10, 11), (900, 100, 10, 11), (2000, 20, 24, 27)] {
        let start = tokio::time::Instant::now();
        let failure = failure_of(&http, &site(speed, seconds).await.url("/")).await;
        assert_failure(&failure, ErrorClass::Timeout, "fewer than 1000 bytes a second for 10 seconds (--min-speed)");
        let took = start.elapsed().as_secs();
        assert!((least..=most).contains(&took), "{took} seconds at {speed} bytes a second");
    }
    assert_eq!(http.get(&site(1100, 100).await.url("/")).await.unwrap().body.len(), 100_000);
    let patient = client(|options| options.timeout = Duration::from_secs(60));
    let failure = failure_of(&patient, &site(0, 0).await.url("/")).await;
    assert_failure(&failure, ErrorClass::Timeout, "body not complete within 60s");
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

#[tokio::test(start_paused = true)]
async fn waiting_for_a_permit_does_not_count_as_slowness() {
    let site = Site::says(page(&vec![3; 2_000_000])).await;
    let http = client(|options| {
        options.large_bodies = 1;
        options.min_speed = 1000;
    });
    let first = http.get(&site.url("/")).await.unwrap();
    let url = site.url("/");
    let release = async {
        tokio::time::sleep(Duration::from_secs(100)).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(http.get(&url), release);
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

// Turns.

#[tokio::test]
async fn while_so_many_bodies_are_at_hand_others_wait_off_the_clock() {
    for bytes in [page(b"small"), page(&vec![3; SMALL]), encoded("gzip", &gzip(b"small"))] {
        let site = Site::says(bytes).await;
        let http = client(|options| options.timeout = BRIEF);
        let all = Arc::clone(http.shared.budget.turns()).acquire_many_owned(body::TURNS as u32).await.unwrap();
        let (url, policy) = (site.url("/"), policy());
        let (start, released) = (std::time::Instant::now(), std::cell::Cell::new(false));
        let release = async {
            tokio::time::sleep(BRIEF * 2).await;
            released.set(true);
            drop(all);
        };
        let next = async {
            let next = http.request(&ask(&url, &policy)).await;
            assert!(released.get() || start.elapsed() >= body::LONGEST_TURN_WAIT, "a body too many");
            next
        };
        let (next, ()) = tokio::join!(next, release);
        assert!(!next.answer.unwrap().body.is_empty());
        assert!(next.waited >= BRIEF, "{:?}", next.waited);
    }
}

#[tokio::test]
async fn a_turn_that_does_not_come_is_done_without() {
    let site = Site::says(page(b"small")).await;
    let http = client(|options| options.timeout = BRIEF);
    let _all = Arc::clone(http.shared.budget.turns()).acquire_many_owned(body::TURNS as u32).await.unwrap();
    assert_eq!(&*http.get(&site.url("/")).await.unwrap().body, b"small");
}

#[tokio::test]
async fn bodies_that_are_slow_or_large_give_up_their_turns() {
    let slow = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
        while peer.write(b"x").await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    let large = Site::says(page(&vec![3; SMALL + 1])).await;
    let http = client(|options| options.large_bodies = 1);
    let turns = Arc::clone(http.shared.budget.turns());
    let held = http.get(&large.url("/")).await.unwrap();
    assert_eq!(turns.available_permits(), body::TURNS);
    let (slow, large) = (slow.url("/"), large.url("/"));
    let waiting = futures_util::future::join_all((0..4).flat_map(|_| [http.get(&slow), http.get(&large)]));
    let all_given_up = async {
        tokio::time::sleep(BRIEF).await;
        while turns.available_permits() < body::TURNS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = waiting => panic!("these answers never end"),
        done = tokio::time::timeout(AMPLE, all_given_up) => done.expect("turns are given up"),
    }
    drop(held);
}
