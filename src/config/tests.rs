//! Settings, from flags and files to what is in force.

use super::*;

#[test]
fn a_flag_wins_over_the_file() {
    let file: CrawlOptions = toml::from_str("delay = '2s'\nretries = 7\nheader = ['A: file']").unwrap();
    let flags = CrawlOptions {
        delay: Some(Span(Duration::ZERO)),
        header: vec!["A: flag".parse().unwrap()],
        ..Default::default()
    };
    let settings = flags.over(file).resolve(2).unwrap();
    assert_eq!((settings.delay, settings.retries), (Duration::ZERO, 7));
    assert_eq!(settings.header.last().unwrap().value, "flag");
}

#[test]
fn an_unknown_key_is_shown_with_its_line_and_the_known_ones() {
    let error = toml::from_str::<CrawlOptions>("retries = 1\ndelai = '2s'").unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("delai") && error.contains("delay"), "{error}");
}

#[test]
fn a_number_without_unit_is_explained() {
    assert!("5".parse::<Span>().unwrap_err().contains("5s"));
    assert_eq!("0".parse::<Span>(), Ok(Span(Duration::ZERO)));
    assert_eq!("1h 30m".parse::<Span>(), Ok(Span(Duration::from_secs(5400))));
    assert_eq!("10 MiB".parse::<Size>(), Ok(Size(10 << 20)));
}

#[test]
fn a_mistake_beside_a_secret_is_told_without_it() {
    for text in [
        "[notify]\nurl = \"https://user:swordfish@hooks.test/x\"",
        "[notify]\nurl = \"https://hooks.test/swordfish",
        "[notify]\ncommand = [\"tell\", \"swordfish\", 3]",
        "header = [\n  \"Cookie: a=b\",\n  \"swordfish\",\n]",
        "proxy = \"http://me:swordfish@[\"",
    ] {
        let error = toml::from_str::<CrawlOptions>(text).unwrap_err();
        let told = explained(text, &error);
        assert!(!told.contains("swordfish"), "{told}");
    }
}

#[test]
fn secrets_in_headers_are_never_written_down() {
    let header: Header = "Authorization: Bearer swordfish".parse().unwrap();
    let options = CrawlOptions { header: vec![header], ..Default::default() };
    assert!(!format!("{options:?}").contains("swordfish"));
    assert!(!options.resolve(1).unwrap().to_json().contains("swordfish"));
}

#[test]
fn the_text_of_the_rules_is_kept_but_never_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let text = "header = ['Authorization: swordfish']\n[[collection]]\nname = 'a'\nfields = { t = 'h1' }";
    std::fs::write(&path, text).unwrap();
    let settings = CrawlOptions::default().over(CrawlOptions::load(&path).unwrap()).resolve(1).unwrap();
    assert_eq!(&*settings.rules_text, text);
    assert!(!format!("{settings:?}{}", settings.to_json()).contains("swordfish"));
    assert!(
        settings.to_json().contains(r#""collection":[{"fields":{"t":"h1"},"name":"a"}]"#),
        "{}",
        settings.to_json()
    );
}

#[test]
fn no_fetcher_goes_without_a_request_to_spend() {
    let options = CrawlOptions { concurrency: Some(3), fetchers: Some(8), ..Default::default() };
    assert_eq!(options.resolve(16).unwrap().fetchers, 3);
}

#[test]
fn values_that_cannot_work_are_refused() {
    for options in [
        CrawlOptions { fetchers: Some(0), ..Default::default() },
        CrawlOptions { concurrency: Some(0), ..Default::default() },
        CrawlOptions { timeout: Some(Span(Duration::ZERO)), ..Default::default() },
        CrawlOptions { max_body: Some(Size(0)), ..Default::default() },
        CrawlOptions { limit: Some(0), ..Default::default() },
        CrawlOptions { max_bytes: Some(Size(0)), ..Default::default() },
        CrawlOptions { max_redirects: Some(1001), ..Default::default() },
    ] {
        assert!(options.resolve(1).is_err());
    }
}
