//! Cookies from answer to request.

use super::*;

/// A site that sets a cookie and says which it got.
async fn cookie_site(set: &'static str) -> Site {
    Site::new(move |mut peer| async move {
        loop {
            let head = peer.request().await;
            if head.is_empty() {
                return;
            }
            let got = head.lines().filter_map(|line| line.strip_prefix("cookie: ")).collect::<Vec<_>>().join("|");
            let answer = format!("HTTP/1.1 200 OK\r\nSet-Cookie: {set}\r\nContent-Length: {}\r\n\r\n{got}", got.len());
            peer.write(answer.as_bytes()).await;
        }
    })
    .await
}

async fn cookies_at(http: &Http, host: &str, site: &Site, policy: &HostPolicy, elsewhere: bool) -> String {
    let url = format!("http://{host}:{}/", site.port).parse().unwrap();
    let answer = http.request(&Ask { elsewhere, ..ask(&url, policy) }).await.answer.unwrap();
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn cookies_are_kept_only_where_the_user_wants_them() {
    let site = cookie_site("k=v; Domain=a.test").await;
    let http = client_where(|_| vec![ip("127.0.0.1")], |_| ());
    let (on, off) = (policy_with(|policy| policy.cookies = true), policy());
    for (host, policy, expected) in [
        ("www.a.test", &off, ""),
        ("www.a.test", &on, ""),
        ("www.a.test", &on, "k=v"),
        ("a.test", &on, "k=v"),
        ("a.test", &off, ""),
        ("b.test", &on, ""),
    ] {
        assert_eq!(cookies_at(&http, host, &site, policy, false).await, expected, "{host}");
    }
}

#[tokio::test]
async fn the_jar_and_the_users_header_share_one_line_and_the_header_stays_at_home() {
    let site = cookie_site("k=v").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a.test\tFALSE\t/\tFALSE\t0\tgiven\t1\n").unwrap();
    let http = client_where(
        |_| vec![ip("127.0.0.1")],
        |options| {
            options.headers = vec![("Cookie".into(), "mine=1".into())];
            options.cookie_file = Some(file.path().to_owned());
        },
    );
    let on = policy_with(|policy| policy.cookies = true);
    assert_eq!(cookies_at(&http, "a.test", &site, &on, false).await, "mine=1; given=1");
    assert_eq!(cookies_at(&http, "a.test", &site, &on, true).await, "given=1; k=v");
    assert_eq!(cookies_at(&http, "b.test", &site, &on, true).await, "");
    let own = policy_with(|policy| {
        policy.cookies = true;
        policy.headers = vec!["Cookie: rule=1".parse().unwrap()];
    });
    assert_eq!(cookies_at(&http, "b.test", &site, &own, true).await, "k=v");
    assert_eq!(cookies_at(&http, "b.test", &site, &own, false).await, "rule=1; k=v");
}

#[test]
fn a_bad_cookie_file_is_an_error_at_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "not cookies\n").unwrap();
    let error = Http::new(&HttpOptions { cookie_file: Some(file.path().to_owned()), ..options() }).unwrap_err();
    assert!(error.to_string().contains(":1: a cookie has seven fields"), "{error}");
}
