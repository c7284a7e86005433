//! `weekdayRange`, `dateRange` and `timeRange`: whether now is within a range of days or times.
//!
//! All of them go by one rule, which is that of Firefox and Chrome where the documents (MDN's
//! "Proxy Auto-Configuration (PAC) file") leave room: now is rounded down to the units that are
//! named and then compared, so that both ends belong to the range to their last second, and a
//! range that begins behind its end goes round the turn of the week, month, year or day.

use time::{Date, OffsetDateTime, UtcOffset};

/// The local time, in its offset, or the one of Greenwich if the last argument asks for it; and the
/// other arguments, in upper case.
fn split(arguments: &[Option<String>], now: OffsetDateTime) -> (Vec<String>, OffsetDateTime) {
    let mut words: Vec<String> = arguments
        .iter()
        .map(|word| {
            word.as_deref()
                .unwrap_or_default()
                .trim()
                .to_ascii_uppercase()
        })
        .collect();
    // `undefined` for those that were left out, from scripts that hand their own arguments on.
    while words.last().is_some_and(String::is_empty) {
        words.pop();
    }
    if words.last().is_some_and(|last| last == "GMT") {
        words.pop();
        return (words, now.to_offset(UtcOffset::UTC));
    }
    (words, now)
}

/// Whether `now` is in the range, both ends of which belong to it. One that does not come round is
/// empty if it begins behind its end.
fn within<T: Ord>(now: T, from: T, to: T, comes_round: bool) -> bool {
    if from <= to {
        from <= now && now <= to
    } else {
        comes_round && (from <= now || now <= to)
    }
}

/// `weekdayRange("MON")`, `weekdayRange("MON", "FRI")`, either with `"GMT"` behind it.
pub(super) fn weekday_range(arguments: &[Option<String>], now: OffsetDateTime) -> bool {
    let (words, now) = split(arguments, now);
    let days: Option<Vec<u8>> = words.iter().map(|word| weekday(word)).collect();
    let today = now.weekday().number_days_from_sunday();
    match days.as_deref() {
        Some(&[day]) => day == today,
        Some(&[from, to]) => within(today, from, to, true),
        _ => false,
    }
}

/// The number of a day of the week, from Sunday on.
fn weekday(word: &str) -> Option<u8> {
    let names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    (0..7)
        .zip(names)
        .find_map(|(number, name)| (name == word).then_some(number))
}

/// What a date is made of, the greater before the smaller, as they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Year,
    Month,
    Day,
}

/// Days, months by their English names, years and their combinations: `dateRange(24, "DEC")`,
/// `dateRange(1, "JUN", 15, "AUG")`, `dateRange("OCT", 1995, "MAR", 1996)`, each with `"GMT"` behind it.
pub(super) fn date_range(arguments: &[Option<String>], now: OffsetDateTime) -> bool {
    let (words, now) = split(arguments, now);
    let parts: Option<Vec<(Unit, i32)>> = words.iter().map(|word| part(word)).collect();
    let Some(parts) = parts else {
        return false;
    };
    let (from, to) = parts.split_at(parts.len() / 2);
    let units = |parts: &[(Unit, i32)]| -> Vec<Unit> { parts.iter().map(|part| part.0).collect() };
    // One date is a range from it to itself.
    let (mut from, mut to) = if units(from) == units(to) {
        (from.to_vec(), to.to_vec())
    } else {
        (parts.clone(), parts)
    };
    from.sort_unstable_by_key(|part| part.0);
    to.sort_unstable_by_key(|part| part.0);
    let kinds = units(&from);
    if kinds.is_empty() || kinds.windows(2).any(|two| two[0] == two[1]) {
        return false;
    }
    let today = kinds.iter().map(|&unit| (unit, unit.of(now.date())));
    within(today.collect(), from, to, kinds[0] != Unit::Year)
}

fn part(word: &str) -> Option<(Unit, i32)> {
    let months = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ];
    if let Some((number, _)) = (1..).zip(months).find(|(_, name)| *name == word) {
        return Some((Unit::Month, number));
    }
    match word.parse().ok()? {
        day @ 1..=31 => Some((Unit::Day, day)),
        year @ 32..=9999 => Some((Unit::Year, year)),
        _ => None,
    }
}

impl Unit {
    fn of(self, date: Date) -> i32 {
        match self {
            Self::Year => date.year(),
            Self::Month => i32::from(u8::from(date.month())),
            Self::Day => i32::from(date.day()),
        }
    }
}

/// `timeRange(hour)`, `timeRange(hour, hour)`, and with minutes, or minutes and seconds, behind each
/// hour; any with `"GMT"` behind it.
pub(super) fn time_range(arguments: &[Option<String>], now: OffsetDateTime) -> bool {
    let (words, now) = split(arguments, now);
    let numbers: Option<Vec<u8>> = words.iter().map(|word| word.parse().ok()).collect();
    let Some(numbers) = numbers else {
        return false;
    };
    let (from, to) = match numbers.len() {
        1 => (&numbers[..], &numbers[..]),
        2 | 4 | 6 => numbers.split_at(numbers.len() / 2),
        _ => return false,
    };
    let clock = [now.hour(), now.minute(), now.second()];
    within(&clock[..from.len()], from, to, true)
}

#[cfg(test)]
mod tests {
    use time::{Month, Time};

    use super::*;

    /// A Friday, shortly after midnight, east of Greenwich, where it is still the day before.
    fn friday() -> OffsetDateTime {
        at(2017, Month::December, 1, 0, 30, 15)
    }

    fn at(year: i32, month: Month, day: u8, hour: u8, minute: u8, second: u8) -> OffsetDateTime {
        let date = Date::from_calendar_date(year, month, day).unwrap();
        let time = Time::from_hms(hour, minute, second).unwrap();
        let east = UtcOffset::from_hms(2, 0, 0).unwrap();
        date.with_time(time).assume_offset(east)
    }

    /// The arguments as a script writes them, separated by commas.
    fn arguments(text: &str) -> Vec<Option<String>> {
        text.split(',')
            .filter(|word| !word.is_empty())
            .map(|word| (word != "undefined").then(|| word.to_owned()))
            .collect()
    }

    #[test]
    fn days_of_the_week() {
        for (text, expected) in [
            ("FRI", true),
            ("fri", true),
            ("THU", false),
            ("THU,GMT", true),
            ("FRI,GMT", false),
            ("MON,FRI", true),
            ("FRI,MON", true),
            ("SAT,FRI", true),
            ("SAT,MON", false),
            ("SAT,THU", false),
            ("SAT,THU,GMT", true),
            ("FRI,undefined", true),
            ("FRI,undefined,undefined", true),
            ("FRIDAY", false),
            ("MON,TUE,FRI", false),
            ("GMT", false),
            ("", false),
        ] {
            assert_eq!(
                weekday_range(&arguments(text), friday()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1", true),
            ("1,GMT", false),
            ("30,GMT", true),
            ("1,15", true),
            ("25,5", true),
            ("25,30", false),
            ("DEC", true),
            ("dec", true),
            ("NOV,GMT", true),
            ("JAN,MAR", false),
            ("NOV,FEB", true),
            ("2017", true),
            ("2016,2018", true),
            ("2018,2016", false),
            ("1,DEC", true),
            ("1,DEC,2017", true),
            ("1,DEC,2016", false),
            ("1,JUN,15,DEC", true),
            ("2,DEC,15,JAN", false),
            ("24,DEC,1,DEC", true),
            ("OCT,2017,MAR,2018", true),
            ("OCT,2016,NOV,2017", false),
            ("JAN,2018,DEC,2016", false),
            ("1,JUN,2017,1,DEC,2017", true),
            ("1,JUN,2017,30,NOV,2017", false),
            ("1,JUN,2017,30,NOV,2017,GMT", true),
            ("0", false),
            ("10000", false),
            ("DECEMBER", false),
            ("1,2,3", false),
            ("1,DEC,15", false),
            ("", false),
        ] {
            assert_eq!(date_range(&arguments(text), friday()), expected, "{text}");
        }
    }

    #[test]
    fn times_of_day() {
        let noon = at(2017, Month::June, 1, 12, 59, 59);
        let half = at(2017, Month::June, 1, 17, 30, 0);
        for (text, now, expected) in [
            ("12", noon, true),
            ("13", noon, false),
            ("10,GMT", noon, true),
            ("9,12", noon, true),
            ("9,11", noon, false),
            ("12,13", half, false),
            ("22,6", friday(), true),
            ("22,6", noon, false),
            ("22,22", friday(), false),
            ("22,GMT", friday(), true),
            ("8,30,17,30", half, true),
            ("8,30,17,29", half, false),
            ("17,31,17,29", half, false),
            ("17,30,8,0", half, true),
            ("0,0,0,0,30,15", friday(), true),
            ("0,0,0,0,30,14", friday(), false),
            ("0,30,16,0,30,14", friday(), false),
            ("1,2,3", noon, false),
            ("noon", noon, false),
            ("-1,24", noon, false),
            ("", noon, false),
        ] {
            assert_eq!(time_range(&arguments(text), now), expected, "{text}");
        }
    }
}
