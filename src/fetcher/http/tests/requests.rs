//! What is sent: the URL and the headers.

use super::*;

async fn request_for(http: &Http, path: &str) -> String {
    let heads = Arc::new(OnceLock::new());
    let seen = heads.clone();
    let site = Site::new(move |mut peer| {
        let seen = seen.clone();
        async move {
            let _ = seen.set(peer.request().await);
            peer.write(&page(b"")).await;
            peer.close().await;
        }
    })
    .await;
    http.get(&site.url(path)).await.unwrap();
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
