//! XPath, texts and steps as sources of rules.

use super::*;

const PRODUCT: &str = "<h1>Kettle</h1><table class=specs><tr><th><b>Sku</b>:</th><td>A-1</td></tr><tr><th>Old price</th>\
    <td>25.00</td></tr><tr><th>Price</th><td class=p>19.90</td><td>b</td></tr></table><dl><dt>Colour<dd>red<dd>blue<dt>Size\
    <dd>L</dl><div class=row><div class=label><span>Brand</span></div><div class=value>Acme</div></div>";

#[test]
fn xpath_finds_elements_attributes_texts_and_values() {
    finds("'//th[contains(., \"Price\")]/following-sibling::td'", PRODUCT, json!("19.90"));
    finds("{ xpath = '//td[@class]', type = 'number' }", PRODUCT, json!(19.9));
    finds("{ xpath = '//td/@class' }", PRODUCT, json!("p"));
    finds("{ xpath = '//table', attr = 'class' }", PRODUCT, json!("specs"));
    finds("{ xpath = '//th[1]', html = true }", PRODUCT, json!("<b>Sku</b>:"));
    finds("{ xpath = '//th[1]', own = true }", PRODUCT, json!(":"));
    finds("{ xpath = '//dd/text()', many = true }", PRODUCT, json!(["red", "blue", "L"]));
    finds("{ xpath = '(//dd)[last()]' }", PRODUCT, json!("L"));
    finds("{ xpath = 'count(//dd)', type = 'integer' }", PRODUCT, json!(3));
    finds("{ xpath = 'count(//dd)' }", PRODUCT, json!("3"));
    finds("{ xpath = 'sum(//tr[position() > 1]/td[1])', type = 'number', locale = 'de' }", PRODUCT, json!(44.9));
    finds("{ xpath = 'number(//h1)', type = 'number' }", PRODUCT, json!(null));
    finds("{ xpath = 'boolean(//dl)', type = 'bool' }", PRODUCT, json!(true));
    finds("{ xpath = 'not(//dl)', type = 'bool' }", PRODUCT, json!(false));
    finds("{ xpath = 'normalize-space(//h1)', regex = '^(K)' }", PRODUCT, json!("K"));
    finds("[{ xpath = 'string(//nothing)' }, '//h1']", PRODUCT, json!("Kettle"));
    finds("{ xpath = '//a/@href', type = 'url' }", "<a href=../b>x</a>", json!("https://shop.example/b"));
    // The first text that is not blank.
    finds("'//p/text()'", "<p> <b>x</b>y", json!("y"));
    finds("{ xpath = '//script', json = '$.a' }", "<script>{\"a\": 1}</script>", json!("1"));
    finds("['//h2', { xpath = '//h1' }]", PRODUCT, json!("Kettle"));
    let feed = "<feed><entry><dc:creator>A</dc:creator></entry></feed>";
    assert_eq!(field_as("application/xml", "'//dc:creator'", feed), (json!("A"), Vec::new()));
    assert_eq!(field_as("application/json", "'//a'", "{\"a\": 1}").0, Value::Null);
}

#[test]
fn an_item_for_each_element_of_an_xpath() {
    for each in ["'//tr[td]'", "{ xpath = '//table//tr' }", "{ css = 'tr' }", "{ xpath = '//tr', text = '/./' }"] {
        let rules = read(&format!(
            "[[collection]]\nname = 'specs'\neach = {each}\n[collection.fields]\nname = {{ xpath = './th' }}\nvalue = \
             {{ xpath = 'td[1]/text()' }}\ntitle = '//h1'\nplace = {{ xpath = 'count(preceding-sibling::tr) + 1', type = \
             'integer' }}"
        ));
        let found = data(&apply(&rules, PRODUCT));
        assert_eq!(found.len(), 3, "{each}");
        assert_eq!(found[2], json!({"name": "Price", "value": "19.90", "title": "Kettle", "place": 3}), "{each}");
    }
    finds(
        "{ each = '//dt', fields = { name = { own = true }, values = { xpath = 'following-sibling::dd[1]' } } }",
        PRODUCT,
        json!([{"name": "Colour", "values": "red"}, {"name": "Size", "values": "L"}]),
    );
    let more = format!("<p>{}", "<i>x</i>".repeat(MAX_ITEMS + 1));
    let found =
        apply(&read("[[collection]]\nname = 'x'\neach = '//i'\n[collection.fields]\na = { own = true }"), &more);
    assert_eq!((found.items.len(), found.problems[0].kind), (MAX_ITEMS, ProblemKind::TooMany));
}

#[test]
fn labels_are_found_by_their_text_and_values_from_there() {
    finds("{ css = 'th', text = 'SKU', step = 'next' }", PRODUCT, json!("A-1"));
    finds("{ css = 'th', text = '/^price/', step = 'next td' }", PRODUCT, json!("19.90"));
    finds("{ css = 'th', text = 'price', step = 'next td', many = true }", PRODUCT, json!(["25.00", "19.90"]));
    finds("{ css = 'th', text = ' OLD  price ', step = 'next', type = 'number' }", PRODUCT, json!(25.0));
    finds("{ css = 'th', text = 'Price', step = 'next .p' }", PRODUCT, json!("19.90"));
    finds("{ css = 'td', text = '19.90', step = 'previous' }", PRODUCT, json!("Price"));
    finds("{ css = 'dt', text = 'size', step = 'next dd' }", PRODUCT, json!("L"));
    finds("{ css = 'td', text = 'A-1', step = ['parent tr', 'inside th'] }", PRODUCT, json!("Sku:"));
    finds("{ css = 'span', text = 'Brand', step = ['parent', 'next'] }", PRODUCT, json!("Acme"));
    finds(
        "{ css = 'span', text = 'Brand', step = ['parent .row', 'inside .value'], attr = 'class' }",
        PRODUCT,
        json!("value"),
    );
    finds("{ css = 'td', text = 'A-1', step = 'parent', regex = 'A-\\d' }", PRODUCT, json!("A-1"));
    finds("{ xpath = '//th', text = 'sku', step = 'next' }", PRODUCT, json!("A-1"));
    finds("{ css = 'table', step = 'inside td', many = true }", PRODUCT, json!(["A-1", "25.00", "19.90", "b"]));
    // Of elements in one another the innermost.
    finds("{ css = '*', text = 'Brand', step = 'parent' , attr = 'class'}", PRODUCT, json!("label"));
    finds("{ css = 'div', text = 'Acme', attr = 'class' }", PRODUCT, json!("value"));
    // Two that lead to the same find it once.
    finds(
        "{ css = 'td', step = 'parent tr', many = true }",
        PRODUCT,
        json!(["Sku: A-1", "Old price 25.00", "Price 19.90 b"]),
    );
    finds("{ css = 'th', text = 'nothing', step = 'next' }", PRODUCT, json!(null));
    finds("{ css = 'th', text = 'sku', step = 'next p' }", PRODUCT, json!(null));
    finds("{ css = 'p', text = '/a+/' }", "<p>b</p><p>caa</p>", json!("caa"));
    finds("{ css = 'p', text = 'ÄÖ' }", "<p>b</p><p>xäö</p>", json!("xäö"));
}

#[test]
fn mistakes_in_xpath_texts_and_steps_are_shown_where_they_are() {
    for (rule, column, word) in [
        ("x = '//td['", 11, "not finished"),
        ("x = { xpath = \"//td[contain(., 'a')]\" }", 21, "did you mean `contains`"),
        ("x = { xpth = '//td' }", 7, "did you mean `xpath`"),
        ("x = { css = 'a', xpath = '//a' }", 5, "one place a source"),
        ("x = { xpath = '//a', meta = 'b' }", 5, "one place a source"),
        ("x = { text = 'a' }", 7, "needs `css` or `xpath`"),
        ("x = { meta = 'a', step = 'next' }", 19, "needs `css` or `xpath`"),
        ("x = { css = 'a', step = 'nxt td' }", 26, "did you mean `next`"),
        ("x = { css = 'a', step = 'next td[' }", 33, "[name]"),
        ("x = { css = 'a', step = ['parent', 'inside'] }", 37, "needs a selector"),
        ("x = { css = 'a', step = [] }", 25, "a step"),
        ("x = { css = 'a', text = '/(/' }", 27, "docs.rs/regex"),
        ("x = { css = 'a', text = ' ' }", 25, "a text"),
        ("x = { xpath = '//a/@b', attr = 'c' }", 5, "`attr` is of elements"),
        ("x = { xpath = 'count(//a)', html = true }", 5, "`html` is of elements"),
        ("x = { xpath = '//a/text()', step = 'next' }", 29, "`step` is of elements"),
        ("x = { each = '//a/@b', fields = { y = 'b' } }", 14, "`each` is of elements"),
        ("x = { each = { xpath = 'string(//a)' }, fields = { y = 'b' } }", 14, "`each` is of elements"),
        ("x = { each = { css = 'a', xpath = '//a' }, fields = { y = 'b' } }", 14, "one place"),
        ("x = { each = { json = '$.a', text = 'b' }, fields = { y = 'b' } }", 30, "needs `css` or `xpath`"),
        ("x = { each = '$.a[*]', fields = { y = '//b' } }", 39, "no elements in a value"),
    ] {
        let text = format!("[[collection]]\nname = 'things'\n[collection.fields]\n{rule}");
        let error = Rules::read(&text).expect_err(rule);
        assert_eq!((error.line, error.column), (4, column), "{rule}: {error}");
        assert!(error.message.contains(word), "{rule}: {error}");
    }
}

#[test]
fn an_empty_field_says_what_would_have_been_found() {
    let url = Url::parse(URL).expect("a URL");
    let page = Page { url: &url, listed_url: URL, content_type: Some(b"text/html"), body: PRODUCT.as_bytes() };
    for (rule, word) in [
        ("'//table//th[. = \"SKU\"]/following-sibling::td'", "finds nothing; `//table//th` finds 3"),
        ("'//h2'", "finds nothing"),
        (
            "{ css = 'th', text = 'Weight', step = 'next' }",
            "matches 3 elements, none with this text; the first are \"Sku:\"",
        ),
        ("{ css = 'th', text = 'Sku', step = 'next p' }", "1 of them fit, but the steps lead nowhere"),
        ("{ css = 'h3', text = 'Sku' }", "matches nothing"),
        ("{ xpath = '//td/@class', type = 'number' }", "finds 1; the first is \"p\""),
        ("{ xpath = '//th', attr = 'id' }", "none with attribute \"id\""),
    ] {
        let looks = rules_of(&format!("x = {rule}")).explain(&page, 3, &|| true).expect("nobody stopped it");
        let why = looks[0].shown[0].fields[0].why.join("; ");
        assert!(why.contains(word), "{rule}: {why}");
    }
    let looks = rules_of("x = { xpath = '//td', attr = 'class' }\ny = { css = 'dt', text = 'size', step = 'next' }")
        .explain(&page, 3, &|| true)
        .expect("nobody stopped it");
    let sources: Vec<_> =
        looks[0].shown[0].fields.iter().map(|field| field.source.clone().unwrap_or_default()).collect();
    assert_eq!(sources, ["xpath //td, attr class", "css dt, text size, step next"]);
}
