//! The step about Baleen's relay in words.

use serde_json::{Value, json};

use crate::doctor::relay::RelayFinding;
use crate::error::Face;
use crate::text::relay::amount;

use super::Words;

pub(super) fn words(found: &RelayFinding, face: Face) -> Words {
    let open = match face {
        Face::CommandLine => "open Baleen, or run `baleen relay`",
        Face::Menu => "wait a minute; if that does not help, quit Baleen and open it again",
    };
    match found {
        RelayFinding::Running(status) => {
            let taken = match &status.way {
                Some(taken) => format!("the last connection went {taken}"),
                None => "no connection came through yet".to_owned(),
            };
            let amount = amount(status.bytes);
            let runs = format!("it runs; {taken}; {amount} went through it");
            match &status.failure {
                None => Words::good(runs),
                Some(failure) => Words::new(
                    format!("{runs}; the last connection failed: {}", failure.reason),
                    "the steps above show whether the registry is affected, too",
                ),
            }
        }
        RelayFinding::Silent(why) => Words::new(format!("it does not answer: {why}"), open),
        RelayFinding::NotRunning => Words::new(
            "it is not running, so Docker reaches nothing but the hosts that bypass it",
            open,
        ),
    }
}

pub(super) fn facts(found: &RelayFinding) -> Value {
    match found {
        RelayFinding::Running(status) => json!({ "running": true, "status": status }),
        RelayFinding::Silent(why) => json!({ "running": true, "why": why }),
        RelayFinding::NotRunning => json!({ "running": false }),
    }
}
