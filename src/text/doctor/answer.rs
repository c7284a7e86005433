//! Answers and network errors in words.

use crate::doctor::answer::{Answer, NoAnswer, Said};
use crate::doctor::net_error::NetError;
use crate::net::http::HttpError;

/// Formats status, reason and page title, as in "403 Forbidden, \"Access denied\"".
pub(super) fn said(answer: &Said) -> String {
    let mut said = answer.status.to_string();
    if !answer.reason.is_empty() {
        said.push(' ');
        said.push_str(&answer.reason);
    }
    let page = answer.page.as_deref().unwrap_or_default();
    // The title of many proxies' pages only repeats the status.
    if !page.is_empty() && page != said {
        said.push_str(&format!(", \"{page}\""));
    }
    said
}

pub(super) fn answer(answer: &Answer) -> String {
    match answer {
        Ok(answer) => said(answer),
        Err(why) => no_answer(why),
    }
}

pub(super) fn no_answer(why: &NoAnswer) -> String {
    match why {
        NoAnswer::Net(error) => net(error),
        NoAnswer::Closed => HttpError::Closed.to_string(),
        NoAnswer::Half => HttpError::Half.to_string(),
        NoAnswer::NotHttp(_) => HttpError::NotHttp(Vec::new()).to_string(),
        NoAnswer::TooLong => HttpError::TooLong.to_string(),
    }
}

/// Returns a network error in plain words.
pub(super) fn net(error: &NetError) -> String {
    let words = match error {
        NetError::Timeout(patience) => {
            return format!("no answer within {} s", patience.as_secs_f64());
        }
        NetError::Refused => "connection refused (nothing is listening on that port)",
        NetError::Cut => "the connection was cut",
        NetError::HostUnreachable => "host unreachable",
        NetError::NetworkUnreachable => "network unreachable",
        NetError::Lookup(error) => return error.to_string(),
        NetError::Other(words) => words,
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_that_only_repeats_the_status_is_left_out() {
        for (reason, page, expected) in [
            ("Forbidden", None, "403 Forbidden"),
            ("Forbidden", Some("403 Forbidden"), "403 Forbidden"),
            (
                "Forbidden",
                Some("Access denied"),
                "403 Forbidden, \"Access denied\"",
            ),
            ("", Some(""), "403"),
        ] {
            let answer = Said {
                status: 403,
                reason: reason.to_owned(),
                page: page.map(str::to_owned),
                location: None,
            };
            assert_eq!(said(&answer), expected);
        }
    }
}
