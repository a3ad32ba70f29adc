//! Addresses that are not to be connected to, and the ways around them that do not work.

use super::*;

/// A request for a host that a site has led to.
fn led_to<'a>(url: &'a Url, policy: &'a HostPolicy) -> Ask<'a> {
    Ask { listed: false, elsewhere: true, ..ask(url, policy) }
}

async fn blocked(http: &Http, url: &str) -> String {
    let (url, policy) = (url.parse().unwrap(), policy());
    let exchange = http.request(&led_to(&url, &policy)).await;
    assert_eq!((exchange.status, exchange.remote_ip), (None, None));
    let failure = exchange.answer.expect_err("nobody may connect there");
    assert_eq!(failure.class, ErrorClass::BlockedAddress, "{failure:?}");
    failure.message
}

#[tokio::test]
async fn redirects_reach_no_private_address_however_it_is_spelled() {
    let site = Site::says(page(b"inside")).await;
    let inside = client_where(|_| vec![ip("127.0.0.1")], |_| ());
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "x.localhost.",
        "inside.test",
        "INSIDE.test.",
    ] {
        for scheme in ["http", "https"] {
            blocked(&inside, &format!("{scheme}://{host}:{}/", site.port)).await;
        }
    }
    assert_eq!(site.connections(), 0);
    let message = blocked(&inside, "http://inside.test/").await;
    assert_eq!(message, "inside.test leads to 127.0.0.1, which is not to be connected to: loopback");
    let message = blocked(&inside, "http://169.254.169.254/latest/meta-data").await;
    assert_eq!(message, "169.254.169.254 is not to be connected to: link-local (cloud metadata)");
}

#[tokio::test]
async fn a_listed_host_may_be_private_but_never_link_local() {
    let site = Site::says(page(b"inside")).await;
    let names = |name: &str| vec![ip(if name == "inside.test" { "127.0.0.1" } else { "169.254.169.254" })];
    let http = client_where(names, |_| ());
    let url = format!("http://inside.test:{}/", site.port).parse().unwrap();
    assert_eq!(&http.get(&url).await.unwrap().body[..], b"inside");
    for url in ["http://metadata.test/", "http://169.254.169.254/"] {
        let failure = failure_of(&http, &url.parse().unwrap()).await;
        assert_failure(&failure, ErrorClass::BlockedAddress, "link-local (cloud metadata)");
    }
    let strangers = client_where(names, |options| options.networks.private = seine_core::values::Private::Deny);
    assert_eq!(failure_of(&strangers, &url).await.0, ErrorClass::BlockedAddress);
    let open = client_where(names, |options| options.networks.allow = vec!["127.0.0.0/8".parse().unwrap()]);
    let policy = policy();
    assert!(open.request(&led_to(&url, &policy)).await.answer.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let site = Site::says(page(b"inside")).await;
    // Harmless whenever it is asked for the first time in a while, private the next time: a check before the
    // connection's own look-up would let every other request in.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let http = client_where(
        move |_| {
            vec![ip(if count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { "127.0.0.2" } else { "127.0.0.1" })]
        },
        |options| options.networks.allow = vec!["127.0.0.2".parse().unwrap()],
    );
    let (url, policy) = (format!("http://rebinding.test:{}/", site.port).parse().unwrap(), policy());
    for class in [ErrorClass::Connect, ErrorClass::BlockedAddress].repeat(3) {
        assert_eq!(http.request(&led_to(&url, &policy)).await.answer.unwrap_err().class, class);
        tokio::time::advance(Duration::from_secs(61)).await;
    }
    assert_eq!((asked.load(Ordering::SeqCst), site.connections()), (6, 0));
}

#[tokio::test]
async fn a_connection_of_a_listed_host_serves_no_request_a_site_has_led_to() {
    let site = Site::new(|mut peer| async move {
        while !peer.request().await.is_empty() {
            peer.write(&page(b"inside")).await;
        }
    })
    .await;
    let http = client_where(|_| vec![ip("127.0.0.1")], |_| ());
    let (url, policy) = (format!("http://inside.test:{}/", site.port).parse().unwrap(), policy());
    for _ in 0..2 {
        assert!(http.request(&ask(&url, &policy)).await.answer.is_ok());
    }
    let failure = http.request(&led_to(&url, &policy)).await.answer.unwrap_err();
    assert_eq!((failure.class, site.connections()), (ErrorClass::BlockedAddress, 1));
}

#[tokio::test]
async fn an_address_that_refuses_does_not_keep_us_from_the_next() {
    let site = Site::says(page(b"here")).await;
    // Nobody listens on the first: the server is bound to the other family.
    for addresses in [["::1", "127.0.0.1"], ["127.0.0.1", "::1"], ["127.0.0.2", "127.0.0.1"]] {
        let http = client_where(move |_| addresses.map(ip).to_vec(), |_| ());
        let start = std::time::Instant::now();
        let (url, policy) = (format!("http://two.test:{}/", site.port).parse().unwrap(), policy());
        let exchange = http.request(&ask(&url, &policy)).await;
        assert_eq!((exchange.remote_ip, exchange.status), (Some(ip("127.0.0.1")), Some(200)), "{addresses:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn addresses_given_by_hand_are_for_their_port_alone() {
    let (pinned, other) = (Site::says(page(b"pinned")).await, Site::says(page(b"other")).await);
    let pin = |text: String| text.parse::<Resolve>().unwrap();
    let http = client_where(
        |_| vec![ip("127.0.0.1")],
        |options| {
            options.resolve =
                vec![pin(format!("a.test:{}:127.0.0.2", other.port)), pin(format!("b.test:{}:[::1]", pinned.port))];
            options.resolve.push(pin(format!("b.test:{}:127.0.0.1", pinned.port)));
        },
    );
    let get = async |host: &str, port: u16| {
        let (url, policy) = (format!("http://{host}:{port}/").parse().unwrap(), policy());
        let exchange = http.request(&ask(&url, &policy)).await;
        exchange
            .answer
            .map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
            .map_err(|failure| failure.class)
    };
    assert_eq!(get("a.test", other.port).await, Err(ErrorClass::Connect));
    assert_eq!(get("a.test", pinned.port).await, Ok("pinned".into()));
    assert_eq!(get("b.test", pinned.port).await, Ok("pinned".into()));
    assert_eq!(get("b.test", other.port).await, Ok("other".into()));
    // By hand or not, a site does not lead there.
    blocked(&http, &format!("http://b.test:{}/", pinned.port)).await;
}
