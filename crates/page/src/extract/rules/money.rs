//! Words and signs around numbers: currencies, abbreviations, and those that make a thousand or a million of it.

use super::locale::Locale;

/// Codes of ISO 4217.
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN \
    BZD CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF \
    GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR \
    LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP \
    PKR PLN PYG QAR RMB RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SYP SZL THB TJS TMT TND \
    TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL";

/// Abbreviations that people write instead, in lower case; a full stop may follow.
const NAMES: &str = "rs re ksh kshs tsh tshs ush ushs sh fr frs sfr ffr bfr dm kr kc kč zł zl ft lei lv лв din дин ден \
    руб р грн тг сом rp rm s/ b/ bs gs q l r r$ c$ a$ s$ t$ j$ z$ b$ us$ au$ ca$ hk$ nt$ nz$ mx$ mex$ rd$ col$ tt$ ec$ \
    bds$ tl dh dhs sr qr bd kd jd dt lt ls ₫ đ vnd usd eur gbp chf inr cad aud sek nok dkk pln czk huf try \
    jpy cny aed sar dollar dollars euro euros pound pounds rupee rupees rupien franken francs kronor kroner kronen \
    円 元 圆 圓 원 บาท ریال ريال تومان درهم دينار جنيه";

/// Abbreviations that a full stop ends and a number follows, in lower case.
const ABBREVIATIONS: &str = "no nr nº num art ca p pp vol ch pos tel approx qty min max ref st item rev ver v fig abb \
    cat pag pág str inkl incl excl exkl zzgl ab from ea each mod";

/// Longest of [`NAMES`], in bytes.
const MAX_NAME_BYTES: usize = 16;

/// Countries that are named beside a sign which several have.
const SIGN_COUNTRIES: [&str; 9] = ["US", "CA", "AU", "NZ", "HK", "SG", "TW", "UK", "GB"];

/// Longest abbreviation with points in it.
const MAX_DOTTED_CHARS: usize = 6;

/// A sign of Unicode's class of currencies.
fn is_sign(c: char) -> bool {
    matches!(c, '$' | '£'..='¥' | '֏' | '؋' | '৲' | '৳' | '৻' | '૱' | '௹' | '฿' | '៛' | '₠'..='⃀' | '꠸' | '﷼' | '﹩'
        | '＄' | '￡' | '￥' | '￦')
}

fn is_code(word: &str) -> bool {
    word.len() == 3 && CODES.split(' ').any(|code| code == word)
}

fn is_name(word: &str) -> bool {
    if word.is_empty() || word.len() > MAX_NAME_BYTES {
        return false;
    }
    let lower = word.to_lowercase();
    is_code(word) || NAMES.split(' ').any(|name| name == lower)
}

/// Whether a word is one that a full stop may end right before a number.
pub(super) fn is_abbreviation(word: &str) -> bool {
    let lower = word.to_lowercase();
    // Beyond ASCII it is a currency of its country: `руб.`, `د.إ.` Codes have no full stop.
    !word.is_ascii() || !is_code(word) && NAMES.split(' ').chain(ABBREVIATIONS.split(' ')).any(|name| name == lower)
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{A0}')
}

/// The word that `chars` end with, a full stop behind it aside, and where it begins.
pub(super) fn last_word(chars: &[char]) -> (String, usize) {
    let end = if chars.last() == Some(&'.') { chars.len() - 1 } else { chars.len() };
    let is_of_word = |c: &char| c.is_alphabetic() || matches!(c, '$' | '/' | 'º');
    let start = chars[..end].iter().rposition(|c| !is_of_word(c)).map_or(0, |at| at + 1);
    (chars[start..end].iter().collect(), start)
}

/// The start of the currency at the end of `chars`, if there is one.
pub(super) fn currency_before(chars: &[char]) -> Option<usize> {
    let chars = trimmed_end(chars);
    let (word, start) = last_word(chars);
    if is_name(&word) {
        return Some(start);
    }
    let at = chars.len().checked_sub(1)?;
    // `US$`, `CA$` and the like are one.
    is_sign(chars[at]).then_some(start.min(at))
}

/// How many of `chars` a currency at their beginning takes; 0: there is none.
pub(super) fn currency_after(chars: &[char]) -> usize {
    let spaces = chars.iter().take_while(|c| is_space(**c)).count();
    let rest = &chars[spaces..];
    if rest.first().copied().is_some_and(is_sign) {
        // `$US`, `$ CA`.
        let gap = usize::from(rest.get(1).is_some_and(|c| is_space(*c)));
        let country: String = rest[1 + gap..].iter().take_while(|c| c.is_alphanumeric()).collect();
        let is_country = SIGN_COUNTRIES.contains(&country.as_str());
        return spaces + 1 + if is_country { gap + country.len() } else { 0 };
    }
    // `US$`, `UK£`.
    if let [a @ 'A'..='Z', b @ 'A'..='Z', sign, ..] = rest
        && is_sign(*sign)
        && SIGN_COUNTRIES.contains(&&*String::from_iter([a, b]))
    {
        return spaces + 3;
    }
    // `د.إ.`, `ج.م.`: of no other words.
    let dotted = rest.iter().take_while(|c| c.is_alphabetic() && !c.is_ascii() || **c == '.').count();
    if let [a, '.', b, '.', ..] = rest[..dotted]
        && a != '.'
        && b != '.'
        && dotted <= MAX_DOTTED_CHARS
    {
        return spaces + dotted;
    }
    let word: String = rest.iter().take_while(|c| c.is_alphabetic() || **c == '$').collect();
    // Letters alone are units: `5 l`, `5 d`, `5 R`.
    let is_currency = word.chars().count() > 1 && is_name(&word)
        || word.chars().next().is_some_and(|c| !c.is_ascii()) && is_name(&word);
    if is_currency {
        let len = word.chars().count();
        // `лв.`
        let is_abbreviated = !word.is_ascii() && rest.get(len) == Some(&'.');
        return spaces + len + usize::from(is_abbreviated);
    }
    // In scripts without spaces a word may follow: `5000円(税込)`, `3万円より`.
    usize::from(rest.first().is_some_and(|c| matches!(c, '円' | '元' | '圆' | '圓' | '원' | '₫' | 'đ'))) * (spaces + 1)
}

pub(super) fn trimmed_end(chars: &[char]) -> &[char] {
    &chars[..chars.iter().rposition(|c| !is_space(*c)).map_or(0, |at| at + 1)]
}

pub(super) fn trimmed_start(chars: &[char]) -> &[char] {
    &chars[chars.iter().take_while(|c| is_space(**c)).count()..]
}

/// A word behind a number that multiplies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Nothing.
    One,
    /// The number is to be multiplied by this power of ten; the word for it takes so many characters.
    Power(usize, usize),
    /// It could mean several things.
    Unclear,
}

/// The word `after` a number that multiplies it; `is_money` says whether a currency stands before the number.
pub(super) fn scale(after: &[char], is_money: bool, has_fraction: bool, locale: &Locale) -> Scale {
    let spaces = after.iter().take_while(|c| is_space(**c)).count();
    let rest = &after[spaces..];
    let word: String = rest.iter().take_while(|c| c.is_alphabetic()).collect();
    let len = spaces + word.chars().count();
    let behind = &after[len.min(after.len())..];
    // Thousand euros: `T€`, `k€`, `TEUR`, `MUSD`.
    let is_sign_behind = behind.first().copied().is_some_and(is_sign);
    let is_money = is_money || is_sign_behind || currency_after(behind) > 0;
    let has_code = word.chars().count() == 4 && word.get(1..).is_some_and(is_code);
    let head = if has_code || is_sign_behind { word.get(..1).unwrap_or_default() } else { "" };
    match head {
        "k" | "K" | "T" => return Scale::Power(3, spaces + 1),
        "M" | "m" => return Scale::Power(6, spaces + 1),
        _ => {}
    }
    // A unit goes on: `5 m²`, `5 k/h`.
    if behind.first().is_some_and(|c| c.is_numeric()) {
        return Scale::One;
    }
    let is_attached = spaces == 0;
    let power = match word.as_str() {
        "k" | "K" if is_karat(behind) => None,
        "k" => Some(3),
        "K" if is_attached || is_money => Some(3),
        "K" => None,
        "M" if is_attached || is_money || has_fraction => Some(6),
        "M" => None,
        "m" | "MM" | "mm" if is_money => Some(6),
        "B" | "b" if is_money => Some(9),
        "T" if is_money => Some(12),
        "B" if is_attached => None,
        "L" if is_money && (locale.pairs || locale.language.is_none()) => Some(5),
        _ => match in_words(&word, rest, is_money, locale) {
            Scale::Power(power, chars) => return Scale::Power(power, spaces + chars),
            other => return other,
        },
    };
    power.map_or(Scale::Unclear, |power| Scale::Power(power, len))
}

/// Gold is so many karats, not thousands.
fn is_karat(behind: &[char]) -> bool {
    let word: String = trimmed_start(behind).iter().take_while(|c| c.is_alphabetic()).collect();
    matches!(
        word.to_lowercase().as_str(),
        "gold" | "yellow" | "white" | "rose" | "solid" | "plated" | "karat" | "carat" | "or" | "oro" | "ouro"
    )
}

fn in_words(word: &str, rest: &[char], is_money: bool, locale: &Locale) -> Scale {
    let lower = word.to_lowercase();
    let starts = |beginnings: &[&str]| beginnings.iter().any(|beginning| lower.starts_with(beginning));
    let speaks = |languages: &[&str]| locale.language.is_some_and(|language| languages.contains(&language));
    let is_english = locale.language.is_none() || speaks(&["en", "us", "gb", "in", "hi"]);
    let power = match lower.as_str() {
        "thousand" | "thousands" | "tausend" | "tsd" | "tys" | "tis" | "tisíc" | "tyś" | "тыс" | "тысяч" | "тис"
        | "тисяч" | "хил" | "tusen" | "tusind" | "duizend" | "tuhat" | "tuhatta" | "ezer" | "χιλ" | "mila" | "ألف" => {
            Some(3)
        }
        "mil" if speaks(&["es", "pt", "br", "ca", "gl"]) => Some(3),
        "bin" if speaks(&["tr"]) => Some(3),
        "rb" | "ribu" if speaks(&["id", "ms"]) => Some(3),
        "jt" | "juta" if speaks(&["id", "ms"]) => Some(6),
        "nghìn" | "ngàn" => Some(3),
        "triệu" => Some(6),
        "tr" if speaks(&["vi"]) => Some(6),
        "tỷ" | "tỉ" => Some(9),
        "mn" if is_money => Some(6),
        "mln" | "mio" | "млн" | "εκ" | "εκατ" => Some(6),
        "bn" | "mrd" | "mld" | "mia" | "млрд" => Some(9),
        "bln" if is_money => Some(9),
        "mil" | "mille" | "mn" | "bln" if !rest.is_empty() => return Scale::Unclear,
        "lakh" | "lakhs" | "lac" | "lacs" => Some(5),
        "crore" | "crores" => Some(7),
        "cr" if locale.pairs || is_money && locale.language.is_none() => Some(7),
        _ if starts(&["milliard", "miliard", "miljard", "milyar", "miljárd", "мільярд", "миллиард", "bilh"]) => {
            Some(9)
        }
        _ if starts(&[
            "million",
            "miljo",
            "miljö",
            "miljó",
            "milion",
            "milhõ",
            "milhã",
            "millón",
            "milyon",
            "миллион",
        ]) || starts(&["мільйон", "milió", "millió"]) =>
        {
            Some(6)
        }
        _ if starts(&["billion"]) && is_english => Some(9),
        _ if starts(&["trillion"]) && is_english => Some(12),
        _ if starts(&["billion", "billón", "billone", "trillion", "bilion", "biljoen"]) => return Scale::Unclear,
        _ => return cjk(rest, is_money),
    };
    power.map_or(Scale::Unclear, |power| Scale::Power(power, word.chars().count()))
}

fn cjk(rest: &[char], is_money: bool) -> Scale {
    match rest.first() {
        Some('万' | '萬' | '만') => Scale::Power(4, 1),
        Some('億' | '亿' | '억') => Scale::Power(8, 1),
        Some('百') => Scale::Power(2, 1),
        // A kilogram, kilometre, kilowatt, kilobyte.
        Some('千') if rest.get(1).is_some_and(|c| matches!(c, '克' | '米' | '瓦' | '卡' | '字' | '焦' | '赫')) => {
            Scale::One
        }
        Some('千' | '천') => Scale::Power(3, 1),
        Some('兆' | '조') if is_money => Scale::Power(12, 1),
        Some('兆') => Scale::Unclear,
        _ => Scale::One,
    }
}

/// Whether a word behind a number, or a sign at it, is of hundredths of a currency.
pub(super) fn is_of_cents(before: &[char], after: &[char]) -> bool {
    let after = trimmed_start(after);
    let word: String = after.iter().take_while(|c| c.is_alphabetic()).collect();
    let names =
        ["cent", "cents", "pence", "penny", "céntimos", "centavos", "centimes", "paise", "paisa", "коп", "копеек"];
    trimmed_end(before).last() == Some(&'¢')
        || after.first() == Some(&'¢')
        || names.contains(&word.to_lowercase().as_str())
}
