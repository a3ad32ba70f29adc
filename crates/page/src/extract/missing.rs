//! Whether a page says that it is not there, whatever its status: by its title or heading, if it says little else.
//!
//! A part of the title, between the marks that sites set between it and their name, or the heading has to be one of these
//! phrases and nothing more: an article about missing pages, or a question about one, says more.

use seine_core::record::HtmlFields;

/// Different words beside links and frame that a page has at most which says no more than that it is not there.
pub const MAX_WORDS: usize = 100;

/// Phrases in lower case, without marks, and without the words of [`AROUND`] at their ends.
const PHRASES: &[&str] = &[
    // English
    "not found",
    "page not found",
    "page was not found",
    "the page was not found",
    "page cannot be found",
    "page can t be found",
    "page could not be found",
    "the page cannot be found",
    "the page could not be found",
    "this page cannot be found",
    "this page could not be found",
    "the page you requested was not found",
    "the requested page was not found",
    "the requested url was not found",
    "requested page not found",
    "file not found",
    "document not found",
    "article not found",
    "product not found",
    "item not found",
    "content not found",
    "nothing found",
    "nothing was found",
    "page does not exist",
    "page doesn t exist",
    "this page does not exist",
    "this page doesn t exist",
    "the page does not exist",
    "page not available",
    "page unavailable",
    "this page is not available",
    "this page isn t available",
    "page no longer available",
    "this page is no longer available",
    "page no longer exists",
    "we can t find that page",
    "we couldn t find that page",
    "we can t find the page you re looking for",
    "that page can t be found",
    "oops that page can t be found",
    // German
    "nicht gefunden",
    "seite nicht gefunden",
    "die seite wurde nicht gefunden",
    "seite wurde nicht gefunden",
    "diese seite wurde nicht gefunden",
    "seite existiert nicht",
    "diese seite existiert nicht",
    "seite nicht verfügbar",
    "seite nicht vorhanden",
    "artikel nicht gefunden",
    // French
    "page non trouvée",
    "page introuvable",
    "page inexistante",
    "cette page n existe pas",
    "la page n existe pas",
    "cette page est introuvable",
    "non trouvé",
    // Spanish
    "no encontrado",
    "página no encontrada",
    "no se encontró la página",
    "no se ha encontrado la página",
    "la página no existe",
    "esta página no existe",
    // Portuguese
    "não encontrado",
    "página não encontrada",
    "página não existe",
    "esta página não existe",
    // Italian
    "non trovato",
    "pagina non trovata",
    "pagina inesistente",
    "la pagina non esiste",
    // Dutch
    "niet gevonden",
    "pagina niet gevonden",
    "deze pagina bestaat niet",
    // Swedish, Danish, Norwegian, Finnish
    "sidan hittades inte",
    "sidan kunde inte hittas",
    "sidan finns inte",
    "siden blev ikke fundet",
    "siden findes ikke",
    "siden ble ikke funnet",
    "siden finnes ikke",
    "fant ikke siden",
    "sivua ei löytynyt",
    "sivua ei löydy",
    // Polish, Czech, Slovak, Hungarian, Romanian
    "nie znaleziono",
    "nie znaleziono strony",
    "strona nie została znaleziona",
    "strona nie istnieje",
    "stránka nenalezena",
    "stránka nebyla nalezena",
    "stránka neexistuje",
    "stránka nebola nájdená",
    "az oldal nem található",
    "oldal nem található",
    "pagina nu a fost găsită",
    "pagina nu există",
    // Russian, Ukrainian, Greek, Turkish
    "не найдено",
    "страница не найдена",
    "страница не существует",
    "такой страницы нет",
    "не знайдено",
    "сторінку не знайдено",
    "сторінка не знайдена",
    "η σελίδα δεν βρέθηκε",
    "sayfa bulunamadı",
    // Arabic, Hebrew, Indonesian, Vietnamese
    "الصفحة غير موجودة",
    "הדף לא נמצא",
    "halaman tidak ditemukan",
    "không tìm thấy trang",
    "trang không tồn tại",
    // Japanese, Chinese, Korean
    "ページが見つかりません",
    "ページが見つかりませんでした",
    "お探しのページは見つかりませんでした",
    "お探しのページは存在しません",
    "页面不存在",
    "找不到页面",
    "页面未找到",
    "您访问的页面不存在",
    "頁面不存在",
    "找不到網頁",
    "找不到頁面",
    "페이지를 찾을 수 없습니다",
];

/// Words that stand before or behind a phrase and are none of it.
const AROUND: &[&str] = &[
    "404",
    "410",
    "http",
    "error",
    "oops",
    "sorry",
    "fehler",
    "erreur",
    "errore",
    "erro",
    "ошибка",
    "помилка",
    "hata",
    "fel",
    "chyba",
    "błąd",
    "hiba",
    "foutmelding",
    "エラー",
    "错误",
    "錯誤",
    "오류",
];

/// Statuses that alone say it.
const STATUSES: [&str; 2] = ["404", "410"];

/// Longest title or heading that may be one; longer ones say more.
const MAX_BYTES: usize = 300;

/// Whether a page with these fields and `words` of its own says that it is not there.
pub(super) fn says_so(fields: &HtmlFields, words: usize) -> bool {
    words <= MAX_WORDS && may_say_so(fields)
}

/// Whether one with these fields does if it has few words.
pub(super) fn may_say_so(fields: &HtmlFields) -> bool {
    let texts = [&fields.title, &fields.h1].into_iter().flatten().filter(|text| text.len() <= MAX_BYTES);
    texts.into_iter().any(|text| parts(text).any(is_phrase))
}

/// The parts of a title: between bars, dots and the like, and between dashes with spaces around them.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let bars =
        |char: char| matches!(char, '|' | '·' | '•' | '»' | '«' | '›' | '‹' | ':' | '：' | '｜' | '!' | '！' | '/');
    text.split(bars).flat_map(|part| {
        [" - ", " – ", " — "]
            .into_iter()
            .fold(vec![part], |parts, dash| parts.into_iter().flat_map(|part| part.split(dash)).collect())
    })
}

fn is_phrase(part: &str) -> bool {
    let lower = part.to_lowercase();
    let mut words: Vec<_> = lower.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut names_status = false;
    for at_end in [false, true] {
        while let Some(word) = if at_end { words.last() } else { words.first() }.filter(|word| AROUND.contains(word)) {
            names_status |= STATUSES.contains(word);
            words.remove(if at_end { words.len() - 1 } else { 0 });
        }
    }
    if words.is_empty() { names_status } else { PHRASES.contains(&&*words.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(title: &str, h1: &str, words: usize) -> bool {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        says_so(&HtmlFields { title: text(title), h1: text(h1), ..HtmlFields::default() }, words)
    }

    #[test]
    fn a_page_that_is_not_there_says_so_in_many_languages() {
        for title in [
            "Page not found",
            "404",
            "Error 404",
            "404 Not Found",
            "404 - Page Not Found | Example",
            "Example: Page not found (404)",
            "Oops! That page can’t be found.",
            "Fehler 404 – Seite nicht gefunden",
            "Erreur 404 : page introuvable",
            "Página no encontrada · Tienda",
            "404 | Страница не найдена",
            "404エラー｜ページが見つかりません",
            "页面不存在",
        ] {
            assert!(says(title, "", 20), "{title}");
            assert!(says("Example", title, 20), "{title}");
        }
    }

    #[test]
    fn a_page_about_missing_pages_is_there() {
        for title in [
            "HTTP 404",
            "",
            "Error",
            "Sorry",
            "Room 404",
            "Page not found when I click on login - Forum",
            "How to fix \"page not found\"",
            "Not Found in Translation",
            "Highway 404 (Ontario)",
            "Products",
        ] {
            let expected = title == "HTTP 404";
            assert_eq!(says(title, "", 20), expected, "{title}");
        }
        assert!(!says("HTTP 404", "", MAX_WORDS + 1));
        assert!(!says(&format!("404{}", " ".repeat(MAX_BYTES)), "", 1));
    }

    #[test]
    fn phrases_are_written_as_they_are_compared() {
        for phrase in PHRASES {
            assert!(is_phrase(phrase), "{phrase}");
        }
    }
}
