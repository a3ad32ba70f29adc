//! Requests through proxies, and what becomes of proxies that fail.

use tokio::sync::mpsc;

use super::*;

/// What a proxy does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Willing,
    /// Answers every request with this status.
    Refuses(u16),
    /// Closes every connection.
    Rude,
}

/// A proxy on this machine, which tells what it is asked for.
struct Proxy {
    site: Site,
    asked: mpsc::UnboundedReceiver<String>,
}

impl Proxy {
    /// Speaks HTTP: forwards what is sent in absolute form, tunnels `CONNECT`. Every host is this machine.
    async fn http(manner: Manner) -> Self {
        let (tell, asked) = mpsc::unbounded_channel();
        let site = Site::new(move |mut peer| {
            let tell = tell.clone();
            async move {
                if manner == Manner::Rude {
                    return;
                }
                let head = peer.request().await;
                if head.is_empty() {
                    return;
                }
                tell.send(head.clone()).unwrap();
                if let Manner::Refuses(status) = manner {
                    peer.write(format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
                    return peer.close().await;
                }
                let target = head.split(' ').nth(1).unwrap();
                let tunnel = head.starts_with("CONNECT ");
                let url: Url = if tunnel { format!("http://{target}") } else { target.to_owned() }.parse().unwrap();
                let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, url.port().unwrap())).await.unwrap();
                if tunnel {
                    peer.write(b"HTTP/1.1 200 Connected\r\n\r\n").await;
                } else {
                    server.write_all(head.as_bytes()).await.unwrap();
                }
                let _ = tokio::io::copy_bidirectional(&mut peer.stream, &mut server).await;
            }
        })
        .await;
        Self { site, asked }
    }

    /// Speaks SOCKS5 with the user name `me` and the password `swordfish`.
    async fn socks() -> Self {
        let (tell, asked) = mpsc::unbounded_channel();
        let site = Site::new(move |mut peer| {
            let tell = tell.clone();
            async move {
                let stream = &mut peer.stream;
                let Ok(5) = stream.read_u8().await else { return };
                let mut methods = vec![0; stream.read_u8().await.unwrap().into()];
                stream.read_exact(&mut methods).await.unwrap();
                assert!(methods.contains(&2));
                stream.write_all(&[5, 2]).await.unwrap();
                let mut login = [0; 1 + 1 + 2 + 1 + 9];
                stream.read_exact(&mut login).await.unwrap();
                assert_eq!(&login, b"\x01\x02me\x09swordfish");
                stream.write_all(&[1, 0]).await.unwrap();
                let mut head = [0; 4];
                stream.read_exact(&mut head).await.unwrap();
                let host = match head[3] {
                    1 => Ipv4Addr::from_bits(stream.read_u32().await.unwrap()).to_string(),
                    4 => std::net::Ipv6Addr::from_bits(stream.read_u128().await.unwrap()).to_string(),
                    _ => {
                        let mut name = vec![0; stream.read_u8().await.unwrap().into()];
                        stream.read_exact(&mut name).await.unwrap();
                        String::from_utf8(name).unwrap()
                    }
                };
                let port = stream.read_u16().await.unwrap();
                tell.send(host).unwrap();
                let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(stream, &mut server).await;
            }
        })
        .await;
        Self { site, asked }
    }

    fn url(&self, scheme: &str) -> ProxyUrl {
        format!("{scheme}://me:swordfish@127.0.0.1:{}", self.site.port).parse().unwrap()
    }

    fn asked(&mut self) -> Option<String> {
        self.asked.try_recv().ok()
    }
}

/// The port of nobody.
fn nowhere() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// A client whose names have public addresses, as seen from here.
fn client_behind(proxies: Vec<ProxyUrl>) -> Http {
    client_where(
        |name| if name.ends_with(".test") { vec![ip("192.0.2.1")] } else { vec![] },
        |options| {
            options.networks.allow = vec!["192.0.2.0/24".parse().unwrap()];
            options.proxies = proxies;
        },
    )
}

async fn exchange(http: &Http, url: &str) -> Exchange {
    let (url, policy) = (url.parse().unwrap(), policy());
    http.request(&Ask { listed: false, ..ask(&url, &policy) }).await
}

#[tokio::test]
async fn plain_pages_are_asked_for_in_absolute_form() {
    let (mut proxy, site) = (Proxy::http(Manner::Willing).await, Site::says(page(b"far")).await);
    let http = client_behind(vec![proxy.url("http")]);
    let url = format!("http://far.test:{}/x?y", site.port);
    let exchange = exchange(&http, &url).await;
    assert_eq!((&exchange.answer.unwrap().body[..], exchange.remote_ip), (&b"far"[..], None));
    let asked = proxy.asked().unwrap();
    assert!(asked.starts_with(&format!("GET {url} HTTP/1.1\r\n")), "{asked}");
    assert!(asked.contains("proxy-authorization: Basic bWU6c3dvcmRmaXNo\r\n"), "{asked}");
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_and_the_site_sees_no_password() {
    let mut proxy = Proxy::http(Manner::Willing).await;
    let site = secure::tls_site("far.test", 4000, page(b"far"), true).await;
    let http = client_behind(vec![proxy.url("http")]);
    let answer = exchange(&http, site.tls_url("far.test").as_str()).await.answer.unwrap();
    assert_eq!(&answer.body[..], b"far");
    let asked = proxy.asked().unwrap();
    assert!(asked.starts_with(&format!("CONNECT far.test:{} HTTP/1.1\r\n", site.port)), "{asked}");
    assert!(asked.contains("Proxy-Authorization: Basic bWU6c3dvcmRmaXNo\r\n"), "{asked}");
    // A bad certificate behind the proxy is the site's fault and not the proxy's.
    let bad = secure::tls_site("other.test", 4000, page(b"far"), true).await;
    let failure = exchange(&http, bad.tls_url("far.test").as_str()).await.answer.unwrap_err();
    assert_eq!(failure.class, ErrorClass::Tls, "{failure:?}");
}

#[tokio::test]
async fn socks_proxies_get_names_or_addresses_as_their_scheme_says() {
    let mut proxy = Proxy::socks().await;
    let plain = Site::says(page(b"far")).await;
    let safe = secure::tls_site("far.test", 4000, page(b"far"), true).await;
    for (scheme, host) in [("socks5", "192.0.2.1"), ("socks5h", "far.test")] {
        let http = client_behind(vec![proxy.url(scheme)]);
        for url in [format!("http://far.test:{}/", plain.port), safe.tls_url("far.test").into()] {
            assert_eq!(&exchange(&http, &url).await.answer.unwrap().body[..], b"far", "{scheme} {url}");
            assert_eq!(proxy.asked().unwrap(), host);
        }
    }
}

#[tokio::test]
async fn proxies_take_turns() {
    let site = Site::says(page(b"far")).await;
    let mut proxies = [Proxy::http(Manner::Willing).await, Proxy::http(Manner::Willing).await];
    let http = client_behind(proxies.iter().map(|proxy| proxy.url("http")).collect());
    for _ in 0..3 {
        for turn in 0..2 {
            exchange(&http, &format!("http://far.test:{}/", site.port)).await.answer.unwrap();
            assert_eq!([proxies[0].asked().is_some(), proxies[1].asked().is_some()], [turn == 0, turn == 1]);
        }
    }
}

#[tokio::test]
async fn another_proxy_helps_out_and_the_failing_one_rests() {
    let plain = Site::says(page(b"far")).await;
    let safe = secure::tls_site("far.test", 4000, page(b"far"), true).await;
    let (_socket, port) = nowhere();
    for url in [format!("http://far.test:{}/", plain.port), safe.tls_url("far.test").into()] {
        let rude = Proxy::http(Manner::Rude).await;
        let no_tls = Site::new(|mut peer| async move {
            peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            peer.close().await;
        })
        .await;
        for (number, bad) in [
            Some(format!("http://127.0.0.1:{port}")),
            Some(format!("socks5://127.0.0.1:{port}")),
            Some("http://unknown.invalid:1".into()),
            Some(format!("socks5h://127.0.0.1:{}", rude.site.port)),
            // It is TLS that this one does not speak.
            Some(format!("https://127.0.0.1:{}", no_tls.port)),
            None,
        ]
        .into_iter()
        .enumerate()
        {
            let mut refusing = Proxy::http(Manner::Refuses(407)).await;
            let good = Proxy::http(Manner::Willing).await;
            let bad = bad.map_or_else(|| refusing.url("http"), |bad| bad.parse().unwrap());
            let http = client_behind(vec![bad, good.url("http")]);
            for _ in 0..4 {
                let answer = exchange(&http, &url).await.answer;
                assert_eq!(&answer.unwrap().body[..], b"far", "{number} {url}");
            }
            refusing.asked();
            assert!(refusing.asked().is_none(), "asked again while it rests");
        }
    }
}

#[tokio::test]
async fn when_no_proxy_leads_there_the_class_is_proxy_and_no_password_is_shown() {
    let (_socket, port) = nowhere();
    let http_status = Proxy::http(Manner::Refuses(502)).await;
    let login = Proxy::http(Manner::Refuses(407)).await;
    let dead: ProxyUrl = format!("http://me:swordfish@127.0.0.1:{port}").parse().unwrap();
    for (proxies, url, message) in [
        (vec![dead.clone()], "http://far.test/", "connection refused"),
        (vec![dead.clone()], "https://far.test/", "connection refused"),
        (vec![http_status.url("http")], "https://far.test/", "tunnel error: CONNECT was not answered with 200"),
        (vec![login.url("http"), dead], "http://far.test/", "2 tried"),
        (vec![login.url("http")], "https://far.test/", "authorization required"),
    ] {
        let http = client_behind(proxies);
        for _ in 0..2 {
            let failure = exchange(&http, url).await.answer.unwrap_err();
            assert_eq!(failure.class, ErrorClass::Proxy, "{failure:?}");
            assert!(failure.message.starts_with("no proxy leads to far.test, "), "{failure:?}");
            assert!(!failure.message.contains("swordfish"), "{failure:?}");
        }
        let failure = exchange(&http, url).await.answer.unwrap_err();
        assert!(failure.message.contains(message) || message == "2 tried", "{failure:?}");
        assert!(!format!("{http:?}").contains("swordfish"));
    }
}

#[tokio::test]
async fn the_guard_stands_before_proxies_too() {
    for scheme in ["http", "socks5", "socks5h"] {
        let mut proxy = if scheme == "http" { Proxy::http(Manner::Willing).await } else { Proxy::socks().await };
        let http = client_where(
            |name| match name {
                "inside.test" => vec![ip("10.0.0.1")],
                _ => vec![],
            },
            |options| options.proxies = vec![proxy.url(scheme)],
        );
        let site = Site::says(page(b"far")).await;
        for host in ["inside.test", "127.0.0.1", "localhost", "169.254.169.254", "[fd00::1]"] {
            let failure = exchange(&http, &format!("http://{host}:{}/", site.port)).await.answer.unwrap_err();
            assert_eq!(failure.class, ErrorClass::BlockedAddress, "{scheme} {host}: {failure:?}");
        }
        assert_eq!(proxy.asked(), None);
        // A name that only the proxy knows might be anybody's: it is left to the proxy if the user's list has it.
        let url: Url = format!("http://theirs.example:{}/", site.port).parse().unwrap();
        let stranger = http.request(&Ask { listed: false, ..ask(&url, &policy()) }).await.answer.unwrap_err();
        assert_eq!(stranger.class, ErrorClass::BlockedAddress, "{stranger:?}");
        let exchange = http.request(&Ask { listed: true, ..ask(&url, &policy()) }).await;
        match exchange.answer {
            Ok(answer) => assert!(scheme != "socks5" && answer.body[..] == *b"far"),
            Err(failure) => assert!(scheme == "socks5" && failure.class == ErrorClass::Dns, "{scheme} {failure:?}"),
        }
    }
}

#[tokio::test]
async fn a_rule_without_proxies_connects_directly() {
    let site = Site::says(page(b"near")).await;
    let http = client(|options| options.proxies = vec!["http://unknown.invalid:1".parse().unwrap()]);
    let (url, policy) = (site.url("/"), policy_with(|policy| policy.proxies = Proxies::These(Vec::new())));
    let exchange = http.request(&ask(&url, &policy)).await;
    assert_eq!((exchange.status, exchange.remote_ip), (Some(200), Some(ip("127.0.0.1"))));
}
