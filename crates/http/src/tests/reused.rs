//! Connections that are used again, and are gone.

use super::*;

/// A server that answers so many requests of each connection and ends it when it has read one more.
async fn fickle(answers: usize, end: fn(Peer)) -> (Site, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let site = Site::new(move |mut peer| {
        let count = count.clone();
        async move {
            for number in 0.. {
                if peer.request().await.is_empty() {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                if number == answers {
                    return end(peer);
                }
                peer.write(&page(b"here")).await;
            }
        }
    })
    .await;
    (site, asked)
}

#[tokio::test]
async fn a_request_that_a_kept_connection_loses_is_made_again_on_a_fresh_one() {
    for end in [drop as fn(Peer), Peer::reset] {
        for answers in [1, 3] {
            let (site, asked) = fickle(answers, end).await;
            let http = client(|_| ());
            for _ in 0..12 {
                assert_eq!(&http.get(&site.url("/")).await.unwrap().body[..], b"here");
            }
            // As many as were answered, and for each that was lost one more.
            let lost = asked.load(Ordering::SeqCst) - 12;
            assert!((12 / (answers + 2)..=12 / answers).contains(&lost), "{lost} of {answers}");
        }
    }
}

#[tokio::test]
async fn the_fresh_connection_is_none_of_those_that_are_kept() {
    let (site, _) = fickle(1, drop).await;
    let (http, url) = (client(|_| ()), site.url("/"));
    // Eight connections are kept, and each will be gone.
    let all = futures_util::future::join_all((0..8).map(|_| http.get(&url))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    for _ in 0..8 {
        http.get(&url).await.unwrap();
    }
}

#[tokio::test]
async fn a_fresh_connection_that_is_lost_is_a_failure_and_nothing_is_asked_twice() {
    let (site, asked) = fickle(0, drop).await;
    let failure = failure_of(&client(|_| ()), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Reset, "closed the connection before its answer");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_not_idempotent_is_not_repeated() {
    let (site, asked) = fickle(1, drop).await;
    let (http, url, policy) = (client(|_| ()), site.url("/"), policy());
    http.get(&url).await.unwrap();
    let post = Ask { method: &Method::POST, body: Some(""), ..ask(&url, &policy) };
    assert_eq!(http.request(&post).await.answer.unwrap_err().class, ErrorClass::Reset);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_time_limit_holds_for_both_together() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        if peer.number > 0 {
            return peer.hang().await;
        }
        peer.write(&page(b"here")).await;
        peer.request().await;
    })
    .await;
    let http = client(|options| options.timeout = BRIEF);
    http.get(&site.url("/")).await.unwrap();
    let failure = failure_of(&http, &site.url("/")).await;
    assert_eq!(failure, (ErrorClass::Timeout, "no answer within 300ms".into()));
}

#[tokio::test]
async fn a_proxys_kept_connections_are_no_better() {
    let (proxy, _) = fickle(1, Peer::reset).await;
    let http = client(|options| options.proxies = vec![proxy.url("/").as_str().parse().unwrap()]);
    for _ in 0..5 {
        http.get(&"http://127.0.0.1:81/".parse().unwrap()).await.unwrap();
    }
}
