//! What is sent: the URL and the headers.

use super::*;
use seine_core::policy::Secret;

async fn request_for(http: &Http, path: &str) -> String {
    sent(http, path, ask(&anywhere(), &policy())).await
}

fn anywhere() -> Url {
    "http://anywhere.test/".parse().unwrap()
}

/// The request, its body included, that `ask` makes of a site's `path`.
async fn sent(http: &Http, path: &str, ask: Ask<'_>) -> String {
    let heads = Arc::new(OnceLock::new());
    let seen = heads.clone();
    let site = Site::new(move |mut peer| {
        let seen = seen.clone();
        async move {
            let mut head = peer.request().await;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            peer.stream.read_exact(&mut body).await.unwrap();
            head.push_str(std::str::from_utf8(&body).unwrap());
            let _ = seen.set(head);
            peer.write(&page(b"")).await;
            peer.close().await;
        }
    })
    .await;
    http.request(&Ask { url: &site.url(path), ..ask }).await.answer.unwrap();
    let head = heads.get().unwrap().clone();
    head.replace(&site.port.to_string(), "PORT")
}

#[tokio::test]
async fn the_request_is_the_url_as_serialised() {
    let http = client(|_| ());
    let all: String = (0x21..0x7f).filter(|c| !b"?#/\\".contains(c)).map(char::from).collect();
    for path in ["/", "/a/../b//c/.", "/%7Euser/%c3%A9/\u{e9}", &format!("/{all}?{all}"), "/?", "/x#fragment"] {
        let url: Url = format!("http://127.0.0.1{path}").parse().unwrap();
        let sent = request_for(&http, path).await;
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        assert_eq!(sent.lines().next(), Some(&format!("GET {target} HTTP/1.1")[..]));
    }
}

#[tokio::test]
async fn headers_are_the_defaults_and_the_users() {
    let lines = |head: String| -> Vec<String> {
        let mut lines: Vec<_> = head.lines().skip(1).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        lines(request_for(&client(|_| ()), "/").await),
        [
            "accept-encoding: gzip, deflate, br, zstd",
            "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "host: 127.0.0.1:PORT",
            "user-agent: seine-test/1 (+https://example.org/bot)",
        ]
    );
    let http = client(|options| {
        options.headers = [("Accept", "*/*"), ("X-Two", "1"), ("x-two", "2"), ("User-Agent", "other")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    });
    assert_eq!(
        lines(request_for(&http, "/").await),
        [
            "accept-encoding: gzip, deflate, br, zstd",
            "accept: */*",
            "host: 127.0.0.1:PORT",
            "user-agent: other",
            "x-two: 1",
            "x-two: 2",
        ]
    );
}

#[tokio::test]
async fn rules_of_a_host_add_to_the_common_headers_and_stay_with_it() {
    let http = client(|options| {
        options.headers = [("Authorization", "common"), ("X-Common", "1"), ("X-Both", "1"), ("X-Both", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    });
    let mut rules = policy_with(|policy| {
        policy.headers = ["X-Own: a", "X-Own: b", "X-Both: own"].map(|header| header.parse().unwrap()).to_vec();
    });
    let sorted = |head: String| {
        let mut lines: Vec<_> =
            head.lines().filter(|line| line.starts_with("x-") || line.starts_with("auth")).map(str::to_owned).collect();
        lines.sort();
        lines.join("|")
    };
    let (url, policy) = (anywhere(), policy());
    let head = sent(&http, "/", ask(&url, &policy)).await;
    assert_eq!(sorted(head), "authorization: common|x-both: 1|x-both: 2|x-common: 1");
    let head = sent(&http, "/", Ask { elsewhere: true, ..ask(&url, &policy) }).await;
    assert_eq!(sorted(head), "x-both: 1|x-both: 2|x-common: 1");
    let head = sent(&http, "/", Ask { elsewhere: true, ..ask(&url, &rules) }).await;
    assert_eq!(sorted(head), "x-both: own|x-common: 1|x-own: a|x-own: b");
    rules.authorization = Some(Secret::new("Bearer swordfish".to_owned()));
    let head = sent(&http, "/", Ask { elsewhere: true, ..ask(&url, &rules) }).await;
    assert_eq!(sorted(head), "x-both: own|x-common: 1|x-own: a|x-own: b");
    let head = sent(&http, "/", ask(&url, &rules)).await;
    assert!(head.contains("authorization: Bearer swordfish\r\n") && !head.contains("authorization: common"), "{head}");

    rules.headers = vec!["Content-Length: 5".parse().unwrap()];
    let failure = http.request(&ask(&url, &rules)).await.answer.unwrap_err();
    assert_eq!(failure.class, ErrorClass::Protocol);
    assert!(failure.message.contains("\"Content-Length\" cannot be set"), "{failure:?}");
}

#[tokio::test]
async fn methods_and_bodies_are_sent_as_asked() {
    let (http, url, policy) = (client(|_| ()), anywhere(), policy());
    let post = Method::POST;
    let head = sent(&http, "/form", Ask { method: &post, body: Some("a=1&b=\u{e9}"), ..ask(&url, &policy) }).await;
    assert!(head.starts_with("POST /form HTTP/1.1\r\n") && head.ends_with("\r\n\r\na=1&b=\u{e9}"), "{head}");
    let own = Method::from_bytes(b"PURGE").unwrap();
    let head = sent(&http, "/", Ask { method: &own, ..ask(&url, &policy) }).await;
    assert!(head.starts_with("PURGE / HTTP/1.1\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let site = Site::says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Encoding: gzip\r\n\r\n").await;
    let exchange = http.request(&Ask { method: &Method::HEAD, ..ask(&site.url("/"), &policy) }).await;
    assert!(exchange.answer.unwrap().body.is_empty());
}

#[test]
fn a_bad_header_is_named_without_its_value() {
    let error = |name: &str, value: &str| {
        let mut options = options();
        options.headers = vec![(name.to_owned(), value.to_owned())];
        Http::new(&options).unwrap_err().to_string()
    };
    assert_eq!(error("X Y", "secret"), "invalid header name \"X Y\"");
    let message = error("Cookie", "secret\r\nX: y");
    assert!(message.starts_with("invalid value for header \"Cookie\"") && !message.contains("secret"), "{message}");
    assert_eq!(error("Content-Length", "5"), "header \"Content-Length\" cannot be set; it belongs to the connection");
    assert!(
        !format!("{:?}", client(|options| options.headers = vec![("Cookie".into(), "secret".into())]))
            .contains("secret")
    );
}
