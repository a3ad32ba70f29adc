//! Names of months and of offsets from UTC, as pages, sitemaps and feeds write them.

/// Months in many languages; three letters and more of a name are enough where they tell it.
const MONTHS: [&str; 12] = [
    "january januar jänner janvier enero gennaio januari janeiro januára január ianuarie janúar gener xaneiro stycznia \
     styczeń ledna leden siječnja siječanj sausio janvāris jaanuar tammikuuta tammikuu ocak января январь січня січень \
     януари јануар ιανουαρίου ιανουάριος \
     januarie يناير जनवरी জানুয়ারি জানুয়ারী ינואר",
    "february februar feber février fevrier fév febrero febbraio februari fevereiro februára február februarie febrúar \
     febrer febreiro lutego luty února únor veljače veljača vasario februāris veebruar helmikuuta helmikuu şubat \
     февраля февраль лютого лютий февруари фебруар φεβρουαρίου φεβρουάριος \
     februarie فبراير फ़रवरी फरवरी ফেব্রুয়ারি ফেব্রুয়ারী פברואר",
    "march mar märz maerz mrz mars marzo maart mrt março marts marec marca marzec március martie març března březen \
     ožujka ožujak kovo märts maaliskuuta maaliskuu mart maret марта март березня березень μαρτίου μάρτιος \
     machi مارس मार्च মার্চ מרץ mac",
    "april avril avr abril aprile apríla április aprilie apríl kwietnia kwiecień dubna duben travnja travanj balandžio \
     aprīlis aprill huhtikuuta huhtikuu nisan апреля апрель квітня квітень април απριλίου απρίλιος \
     aprili أبريل ابريل अप्रैल এপ্রিল אפריל",
    "may mai mayo maggio mei maio maj mája máj május maja maí maig května květen svibnja svibanj gegužės maijs \
     toukokuuta toukokuu mayıs мая май травня травень мај μαΐου μάιος \
     mei مايو मई মে מאי",
    "june juni juin junio giugno junho június júna jún iunie júní juny xuño czerwca czerwiec června červen lipnja lipanj \
     birželio jūnijs juuni junij kesäkuuta kesäkuu haziran июня июнь червня червень юни јун ιουνίου ιούνιος \
     junie يونيو जून জুন יוני",
    "july juli juillet julio luglio julho július júla júl iulie júlí juliol xullo lipca lipiec července červenec srpnja \
     srpanj liepos jūlijs juuli julij heinäkuuta heinäkuu temmuz июля июль липня липень юли јул ιουλίου ιούλιος \
     julie julai يوليو जुलाई জুলাই יולי",
    "august août aout agosto augustus augusti augusta augusztus ágúst agost avgust avgusta sierpnia sierpień srpna \
     srpen kolovoza kolovoz rugpjūčio augusts elokuuta elokuu ağustos agustus августа август серпня серпень \
     αυγούστου αύγουστος \
     agosti ogos أغسطس अगस्त আগস্ট אוגוסט",
    "september septembre septiembre settembre setembro sept septembra szeptember septembrie setembre września wrzesień \
     září rujna rujan rugsėjo septembris syyskuuta syyskuu eylül сентября сентябрь вересня вересень септември септембар \
     σεπτεμβρίου σεπτέμβριος \
     septembar septemba سبتمبر सितंबर सितम्बर সেপ্টেম্বর ספטמבר",
    "october oktober octobre octubre ottobre outubro októbra október octombrie outubro października październik října \
     říjen spalio oktobris oktoober lokakuuta lokakuu ekim октября октябрь жовтня жовтень октомври октобар οκτωβρίου \
     οκτώβριος \
     oktobar oktoba أكتوبر अक्तूबर अक्टूबर অক্টোবর אוקטובר",
    "november novembre noviembre novembro novembra noiembrie nóvember novembris listopadu studenoga studenog studeni \
     lapkričio marraskuuta marraskuu kasım ноября ноябрь листопада листопад ноември новембар νοεμβρίου νοέμβριος \
     novembar novemba نوفمبر नवंबर नवम्बर নভেম্বর נובמבר",
    "december dezember décembre decembre diciembre dicembre dezembro desember decembra decembrie desembre desembro \
     disember grudnia grudzień prosince prosinec prosinca prosinac gruodžio decembris detsember joulukuuta joulukuu \
     aralık декабря декабрь грудня грудень декември децембар δεκεμβρίου δεκέμβριος \
     decembar desemba decembro ديسمبر दिसंबर दिसम्बर ডিসেম্বর דצמבר",
];

/// Names of offsets that mean one thing, in minutes east of UTC.
const ZONES: [(&str, i32); 61] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("Z", 0),
    ("WET", 0),
    ("WEST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("MEZ", 60),
    ("MESZ", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("МСК", 180),
    ("TRT", 180),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AKST", -540),
    ("AKDT", -480),
    ("HST", -600),
    ("NST", -210),
    ("NDT", -150),
    ("ADT", -180),
    ("BRT", -180),
    ("ART", -180),
    ("CLT", -240),
    ("CLST", -180),
    ("COT", -300),
    ("PET", -300),
    ("JST", 540),
    ("KST", 540),
    ("SGT", 480),
    ("HKT", 480),
    ("PHT", 480),
    ("ICT", 420),
    ("WIB", 420),
    ("WITA", 480),
    ("WIT", 540),
    ("PKT", 300),
    ("NPT", 345),
    ("AEST", 600),
    ("AEDT", 660),
    ("ACST", 570),
    ("ACDT", 630),
    ("AWST", 480),
    ("NZST", 720),
    ("NZDT", 780),
    ("SAST", 120),
    ("CAT", 120),
    ("EAT", 180),
    ("WAT", 60),
    ("UZT", 300),
    ("ALMT", 300),
    ("MYT", 480),
    ("CHST", 600),
];

/// The month, from 1, whose name in some language is `word`, or begins with it, if that tells it: three letters at least, in
/// lower case.
///
/// October in Croatia is November in Poland and Bohemia: what has a name that means both is for callers to know.
pub fn month(word: &str) -> Option<i8> {
    // In some scripts two letters are a whole name.
    if word.chars().count() < if word.is_ascii() { 3 } else { 2 } {
        return None;
    }
    let of = |is_month: &dyn Fn(&str) -> bool| {
        let mut found =
            MONTHS.iter().zip(1..).filter(|(names, _)| names.split(' ').any(is_month)).map(|(_, month)| month);
        let first = found.next();
        // `jui` is both June and July.
        (first, first.filter(|_| found.next().is_none()))
    };
    match of(&|name| name == word) {
        (Some(_), month) => month,
        (None, _) if word.chars().count() < 3 => None,
        (None, _) => of(&|name| name.starts_with(word)).1,
    }
}

/// Minutes east of UTC of the offset with this name, which is written as it is: `CEST`, `Z`.
pub fn offset(name: &str) -> Option<i32> {
    ZONES.iter().find(|(known, _)| *known == name).map(|(_, minutes)| *minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_told_by_its_name_or_by_how_it_begins() {
        let english = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        for (name, number) in english.into_iter().zip(1..) {
            assert_eq!(month(name), Some(number), "{name}");
        }
        for (name, number) in [("sept", 9), ("mai", 5), ("okt", 10), ("dez", 12), ("ene", 1), ("abr", 4), ("ago", 8)] {
            assert_eq!(month(name), Some(number), "{name}");
        }
        for none in ["", "ma", "jui", "sun", "monday", "Jan"] {
            assert_eq!(month(none), None, "{none}");
        }
    }

    #[test]
    fn offsets_have_one_meaning() {
        assert_eq!((offset("Z"), offset("EST"), offset("NPT")), (Some(0), Some(-300), Some(345)));
        assert_eq!((offset("BST"), offset("est")), (None, None));
        assert!(ZONES.iter().enumerate().all(|(at, (name, _))| ZONES[..at].iter().all(|(other, _)| other != name)));
    }
}
