//! A parser for dates as text, as in `Date.parse`.
//!
//! ECMAScript defines only the ISO form, and leaves other forms to the engine. Scripts use other forms,
//! such as `December 31, 2030 18:00:00` and `2026/7/1`. This module reads them by the rules of V8,
//! Chromium's engine, which the notes in V8's `dateparser-inl.h` state: everything before the first
//! number is noise, the meaning of a number depends on what follows it and on its size, words count by
//! their first three letters, and text in parentheses is a comment. The browsers agree on the usual
//! forms, not on the odd ones.

/// The point in time that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Milliseconds since 1970, in the local time of the zone with [`Moment::offset`].
    pub(super) millis: i64,
    /// Seconds east of Greenwich; none for local time.
    pub(super) offset: Option<i64>,
}

/// Reads `text`, which is in UTF-16.
pub(super) fn parse(text: &[u16]) -> Option<Moment> {
    let tokens = tokens(text);
    let mut reading = Reading {
        tokens: &tokens,
        at: 0,
        day: Vec::new(),
        month: None,
        clock: Vec::new(),
        half: None,
        sign: None,
        zone_hour: None,
        zone_minute: None,
    };
    match reading.iso()? {
        Iso::Whole => reading.moment(true),
        Iso::Rest => {
            reading.classic()?;
            reading.moment(false)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// A number, and its count of digits.
    Number(i64, usize),
    /// One of `: - + . )`.
    Sign(u8),
    Month(i64),
    /// `am` and `pm`, with the hours to add.
    Half(i64),
    /// Hours east of Greenwich.
    Zone(i64),
    /// `Z`, the zone name that the ISO form allows as well.
    Zulu,
    /// `T`, between date and time.
    Then,
    Word,
    Space,
    Other,
}

/// Maximum number of digits that count; further digits are skipped.
const DIGITS: usize = 9;

fn tokens(text: &[u16]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let end = text.iter().position(|&unit| unit == 0);
    let mut rest = &text[..end.unwrap_or(text.len())];
    while let Some(&first) = rest.first() {
        let (token, length) = match u8::try_from(first).unwrap_or(b'a') {
            b'0'..=b'9' => number(rest),
            sign @ (b':' | b'-' | b'+' | b'.' | b')') => (Token::Sign(sign), 1),
            // Newer versions of ICU put a narrow space before AM and PM.
            _ if first == 0x202f => (Token::Space, 1),
            b'A'.. => word(rest),
            b'\t'..=b'\r' | b' ' => (Token::Space, 1),
            b'(' => (Token::Other, comment(rest)),
            _ => (Token::Other, 1),
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    tokens
}

fn number(text: &[u16]) -> (Token, usize) {
    let digits = text.iter().map_while(|&unit| {
        let digit = u8::try_from(unit).ok().filter(u8::is_ascii_digit)?;
        Some(i64::from(digit - b'0'))
    });
    let length = digits.clone().count();
    let number = digits.take(DIGITS).fold(0, |sum, digit| sum * 10 + digit);
    (Token::Number(number, length), length)
}

fn word(text: &[u16]) -> (Token, usize) {
    let length = text
        .iter()
        .take_while(|&&unit| unit >= u16::from(b'A') && unit != 0x202f)
        .count();
    let start: String = text[..length.min(3)]
        .iter()
        .map(|&unit| u8::try_from(unit).map_or('?', |byte| char::from(byte.to_ascii_lowercase())))
        .collect();
    let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    if let Some((number, _)) = (1..).zip(months).find(|(_, name)| *name == start) {
        return (Token::Month(number), length);
    }
    // Except for months, the whole word must match.
    let token = match (&*start, length) {
        ("am", 2) => Token::Half(0),
        ("pm", 2) => Token::Half(12),
        ("z", 1) => Token::Zulu,
        ("t", 1) => Token::Then,
        ("ut", 2) | ("utc" | "gmt", 3) => Token::Zone(0),
        ("edt", 3) => Token::Zone(-4),
        ("est" | "cdt", 3) => Token::Zone(-5),
        ("cst" | "mdt", 3) => Token::Zone(-6),
        ("mst" | "pdt", 3) => Token::Zone(-7),
        ("pst", 3) => Token::Zone(-8),
        _ => Token::Word,
    };
    (token, length)
}

/// Returns the length of a comment in parentheses. An unclosed comment ends with the text.
fn comment(text: &[u16]) -> usize {
    let mut depth = 0;
    for (at, &unit) in text.iter().enumerate() {
        match u8::try_from(unit) {
            Ok(b'(') => depth += 1,
            Ok(b')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

enum Iso {
    /// The whole text was read.
    Whole,
    /// The rest must be read in the classic form; the parts already read stay.
    Rest,
}

struct Reading<'a> {
    tokens: &'a [Token],
    at: usize,
    /// Up to three numbers; which of them is the day is known only at the end.
    day: Vec<i64>,
    month: Option<i64>,
    /// Hours, minutes, seconds and milliseconds, as far as they were read.
    clock: Vec<i64>,
    /// Hours to add for `pm`.
    half: Option<i64>,
    sign: Option<i64>,
    zone_hour: Option<i64>,
    zone_minute: Option<i64>,
}

impl Reading<'_> {
    fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn skip(&mut self, sign: u8) -> bool {
        let there = self.peek() == Some(Token::Sign(sign));
        self.at += usize::from(there);
        there
    }

    /// Reads a number with exactly `digits` digits, between `from` and `to`.
    fn fixed(&mut self, digits: usize, from: i64, to: i64) -> Option<i64> {
        match self.peek() {
            Some(Token::Number(number, length))
                if length == digits && (from..=to).contains(&number) =>
            {
                self.at += 1;
                Some(number)
            }
            _ => None,
        }
    }

    fn zone(&mut self, hours: i64) {
        self.sign = Some(if hours < 0 { -1 } else { 1 });
        self.zone_hour = Some(hours.abs());
        self.zone_minute = Some(0);
    }

    /// Reads `YYYY-MM-DDTHH:mm:ss.sssZ` and its shorter forms. Returns nothing if the part after the `T` is
    /// wrong, since the text is no classic date either then.
    fn iso(&mut self) -> Option<Iso> {
        if let Some(Token::Sign(sign @ (b'+' | b'-'))) = self.peek() {
            let start = self.at;
            self.at += 1;
            let Some(year) = self.fixed(6, 0, 999_999) else {
                self.at = start;
                return Some(Iso::Rest);
            };
            if sign == b'-' && year == 0 {
                self.at = start;
                return Some(Iso::Rest);
            }
            self.day.push(if sign == b'-' { -year } else { year });
        } else {
            let Some(year) = self.fixed(4, 0, 9999) else {
                return Some(Iso::Rest);
            };
            self.day.push(year);
        }
        for (from, to) in [(1, 12), (1, 31)] {
            if !self.skip(b'-') {
                break;
            }
            let Some(number) = self.fixed(2, from, to) else {
                return Some(Iso::Rest);
            };
            self.day.push(number);
        }
        match self.peek() {
            None => {
                // A date without a time is in UTC.
                self.zone(0);
                return Some(Iso::Whole);
            }
            Some(Token::Then) => self.at += 1,
            Some(_) => return Some(Iso::Rest),
        }
        let hour = self.fixed(2, 0, 24)?;
        let most = if hour == 24 { 0 } else { 59 };
        self.clock.push(hour);
        if !self.skip(b':') {
            return None;
        }
        let minute = self.fixed(2, 0, most)?;
        self.clock.push(minute);
        if self.skip(b':') {
            let second = self.fixed(2, 0, most)?;
            self.clock.push(second);
            if self.skip(b'.') {
                let Some(Token::Number(number, digits)) = self.next() else {
                    return None;
                };
                if hour == 24 && number > 0 {
                    return None;
                }
                self.clock.push(thousandths(number, digits));
            }
        }
        match self.next() {
            None => {}
            Some(Token::Zulu) => self.zone(0),
            Some(Token::Sign(sign @ (b'+' | b'-'))) => {
                self.sign = Some(if sign == b'-' { -1 } else { 1 });
                let (hour, minute) = match self.peek() {
                    Some(Token::Number(number, 4)) => {
                        self.at += 1;
                        (number / 100, number % 100)
                    }
                    _ => {
                        let hour = self.fixed(2, 0, 23)?;
                        if !self.skip(b':') {
                            return None;
                        }
                        (hour, self.fixed(2, 0, 59)?)
                    }
                };
                if hour > 23 || minute > 59 {
                    return None;
                }
                (self.zone_hour, self.zone_minute) = (Some(hour), Some(minute));
            }
            Some(_) => return None,
        }
        self.peek().is_none().then_some(Iso::Whole)
    }

    /// Reads the rest in the classic forms.
    fn classic(&mut self) -> Option<()> {
        let mut numbered = !self.day.is_empty();
        while let Some(token) = self.next() {
            match token {
                Token::Number(number, _) => {
                    numbered = true;
                    self.number(number)?;
                }
                Token::Half(hours) if !self.clock.is_empty() => self.half = Some(hours),
                Token::Month(month) => {
                    self.month = Some(month);
                    self.skip(b'-');
                }
                Token::Zone(hours) if numbered => self.zone(hours),
                Token::Zulu if numbered => self.zone(0),
                Token::Half(_) | Token::Zone(_) | Token::Zulu | Token::Then | Token::Word => {
                    // After a number, every word must have a meaning, and the first number must not
                    // directly follow a word.
                    if numbered || matches!(self.peek(), Some(Token::Number(..))) {
                        return None;
                    }
                }
                Token::Sign(sign @ (b'+' | b'-'))
                    if !self.clock.is_empty()
                        || (self.zone_hour == Some(0) && self.zone_minute == Some(0)) =>
                {
                    numbered = true;
                    self.offset(sign)?;
                }
                Token::Sign(b'+' | b'-' | b')') if numbered => return None,
                Token::Sign(_) | Token::Space | Token::Other => {}
            }
        }
        Some(())
    }

    fn number(&mut self, number: i64) -> Option<()> {
        let minute = (0..=59).contains(&number);
        if self.skip(b':') {
            if self.skip(b':') {
                if !self.clock.is_empty() {
                    return None;
                }
                self.clock.extend([number, 0]);
            } else {
                self.time(number)?;
                self.skip(b'.');
            }
        } else if self.skip(b'.') && self.time_goes_on(number) {
            self.time(number)?;
            let Some(Token::Number(number, digits)) = self.next() else {
                return None;
            };
            self.time(thousandths(number, digits))?;
            self.clock.resize(4, 0);
        } else if self.zone_hour.is_some() && self.zone_minute.is_none() && minute {
            self.zone_minute = Some(number);
        } else if self.time_goes_on(number) {
            self.time(number)?;
            self.clock.resize(4, 0);
            match self.peek() {
                None | Some(Token::Space | Token::Zulu | Token::Sign(b'+' | b'-')) => {}
                Some(_) => return None,
            }
        } else {
            if self.day.len() == 3 {
                return None;
            }
            self.day.push(number);
            self.skip(b'-');
        }
        Some(())
    }

    fn time(&mut self, number: i64) -> Option<()> {
        if self.clock.len() == 4 {
            return None;
        }
        self.clock.push(number);
        Some(())
    }

    /// Returns whether `number` can be the minutes, seconds or milliseconds of a time that has begun.
    fn time_goes_on(&self, number: i64) -> bool {
        match self.clock.len() {
            1 | 2 => (0..=59).contains(&number),
            3 => (0..=999).contains(&number),
            _ => false,
        }
    }

    /// Reads an offset: `+1`, `+01`, `+100`, `+0100` or the hours of `+01:00`.
    fn offset(&mut self, sign: u8) -> Option<()> {
        self.sign = Some(if sign == b'-' { -1 } else { 1 });
        let (number, digits) = match self.peek() {
            Some(Token::Number(number, digits)) => {
                self.at += 1;
                (number, digits)
            }
            _ => (0, 0),
        };
        (self.zone_hour, self.zone_minute) = match digits {
            _ if self.peek() == Some(Token::Sign(b':')) => (Some(number), None),
            1 | 2 => (Some(number), Some(0)),
            3 | 4 => (Some(number / 100), Some(number % 100)),
            _ => return None,
        };
        Some(())
    }

    /// Returns the point in time for the parts that were read.
    fn moment(self, iso: bool) -> Option<Moment> {
        let is_day = |number: i64| (1..=31).contains(&number);
        let count = self.day.len();
        let first = *self.day.first()?;
        let second = self.day.get(1).copied().unwrap_or(1);
        let third = self.day.get(2).copied().unwrap_or(1);
        let (year, month, day) = match self.month {
            None if iso || (count == 3 && !is_day(first)) => (first, second, third),
            None => (if count == 3 { third } else { NO_YEAR }, first, second),
            Some(month) if count == 1 => (NO_YEAR, month, first),
            Some(month) if is_day(first) => (second, month, first),
            Some(month) => (first, month, second),
        };
        let year = match year {
            0..=49 if !iso => year + 2000,
            50..=99 if !iso => year + 1900,
            year => year,
        };
        if !(1..=12).contains(&month) || !is_day(day) {
            return None;
        }
        let mut clock = self.clock;
        clock.resize(4, 0);
        if let Some(half) = self.half {
            if clock[0] > 12 {
                return None;
            }
            clock[0] = clock[0] % 12 + half;
        }
        let usual = clock[0] <= 23 && clock[1] <= 59 && clock[2] <= 59 && clock[3] <= 999;
        if !usual && clock != [24, 0, 0, 0] {
            return None;
        }
        let offset = self.sign.map(|sign| {
            let (hour, minute) = (self.zone_hour.unwrap_or(0), self.zone_minute.unwrap_or(0));
            sign * (hour * 3600 + minute * 60)
        });
        let seconds = ((days(year, month) + day - 1) * 24 + clock[0]) * 3600 + clock[1] * 60;
        Some(Moment {
            millis: (seconds + clock[2]) * 1000 + clock[3],
            offset,
        })
    }
}

/// Year of a date that names none.
const NO_YEAR: i64 = 2001;

/// Returns the first three digits after the decimal point.
fn thousandths(number: i64, digits: usize) -> i64 {
    match digits.min(DIGITS) {
        0..=2 => number * 10_i64.pow(3 - digits as u32),
        more => number / 10_i64.pow(more as u32 - 3),
    }
}

/// Returns the days from 1970 to the first of a month, in the Gregorian calendar, which ECMAScript uses
/// for all dates.
pub(super) fn days(year: i64, month: i64) -> i64 {
    // Years begin with March, so that the leap day comes last. Any 400 years have the same length.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let (age, in_age) = (year.div_euclid(400), year.rem_euclid(400));
    let in_year = (153 * month + 2) / 5;
    age * 146_097 + in_age * 365 + in_age / 4 - in_age / 100 + in_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Moment> {
        parse(&text.encode_utf16().collect::<Vec<_>>())
    }

    /// Checks a date by its local time, and its offset from UTC in hours.
    #[track_caller]
    fn is(text: &str, [year, month, day, hour, minute, second]: [i64; 6], offset: Option<i64>) {
        let seconds = ((days(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second;
        let expected = Moment {
            millis: seconds * 1000,
            offset: offset.map(|hours| hours * 3600),
        };
        assert_eq!(read(text), Some(expected), "{text}");
    }

    #[test]
    fn days_since_1970() {
        for (year, month, expected) in [
            (1970, 1, 0),
            (1970, 3, 59),
            (2000, 3, 11_017),
            (2026, 11, 20_758),
            (0, 1, -719_528),
            (-1, 12, -719_559),
        ] {
            assert_eq!(days(year, month), expected, "{year}-{month}");
        }
    }

    #[test]
    fn forms_of_dates() {
        for text in [
            "July 1, 2026 10:00",
            "1 Jul 2026 10:00:00",
            "Jul 1 2026 10:00",
            "2026/07/01 10:00",
            "2026/7/1 10:00",
            "7/1/2026 10:00",
            "07/01/26 10:00",
            "2026-7-1 10:00",
            "2026-07-01 10:00",
            "2026-07-01T10:00",
            "1-Jul-2026 10:00",
            "Wednesday, July 1, 2026 10:00 AM",
            "Wed Jul 01 2026 10:00:00 (Central European Summer Time)",
            "2026 JULY 1 10:00",
        ] {
            is(text, [2026, 7, 1, 10, 0, 0], None);
        }
        for text in [
            "2026-07-01T10:00Z",
            "Wed, 01 Jul 2026 10:00:00 GMT",
            "Jul 1, 2026 10:00 UTC",
            "1 July 2026 10:00Z",
        ] {
            is(text, [2026, 7, 1, 10, 0, 0], Some(0));
        }
        is(
            "Wed, 01 Jul 2026 10:00:00 +0100",
            [2026, 7, 1, 10, 0, 0],
            Some(1),
        );
        is(
            "Jul 1, 2026 10:00 GMT-05:00",
            [2026, 7, 1, 10, 0, 0],
            Some(-5),
        );
        is("Jul 1, 2026 10:00 EST", [2026, 7, 1, 10, 0, 0], Some(-5));
        is("Jul 1, 2026 10:00 PM", [2026, 7, 1, 22, 0, 0], None);
        is("2026-07-01", [2026, 7, 1, 0, 0, 0], Some(0));
        is("2026", [2026, 1, 1, 0, 0, 0], Some(0));
        is("Jul 1, 70", [1970, 7, 1, 0, 0, 0], None);
        is("Jul 1", [2001, 7, 1, 0, 0, 0], None);
        is("2/31/2026", [2026, 3, 3, 0, 0, 0], None);
        is("2026-07-01T24:00Z", [2026, 7, 2, 0, 0, 0], Some(0));
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "tomorrow",
            "13/13/2026",
            "2026-07-01T25:00",
            "2026-07-01T10",
            "Jul 1 2026 soon",
            "10:00",
            "31.12.2030 18:00",
            "Jul 1, 2026 25:00",
            "1 2 3 4",
            "x1/1/2026",
            "Jul 1, 2026 10:00)",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
