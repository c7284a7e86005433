//! The steps about Docker.app in words.

use serde_json::{Value, json};

use crate::backend::Installed;
use crate::doctor::docker_app::{
    BundleFinding, FamilyFinding, ImageFinding, Mismatch, WritableFinding,
};
use crate::error::Face;
use crate::reconcile::State;

use super::Words;

pub(super) fn bundle(found: &BundleFinding, face: Face) -> Words {
    match found {
        BundleFinding::Found {
            path,
            version,
            build,
        } => Words::good(format!("{version} (build {build}) at {}", path.display())),
        BundleFinding::Failed(error) => Words::of_error(error, face),
    }
}

pub(super) fn bundle_facts(found: &BundleFinding) -> Value {
    match found {
        BundleFinding::Found {
            path,
            version,
            build,
        } => json!({ "path": path, "version": version, "build": build }),
        BundleFinding::Failed(_) => Value::Null,
    }
}

pub(super) fn family(found: &FamilyFinding, face: Face) -> Words {
    match &found.refusal {
        None => Words::good(format!("{} (supported)", kind(found.id))),
        Some(refusal) => Words {
            found: refusal.sentence(),
            remedy: refusal.hint(face),
        },
    }
}

/// Returns the name by which its users know this kind.
fn kind(id: &'static str) -> &'static str {
    match id {
        "moby" => "Docker for Mac with a boot image",
        "linuxkit-iso" => "Docker for Mac with settings of its own",
        "linuxkit-initrd" | "boot-image" => "Docker Desktop",
        other => other,
    }
}

pub(super) fn writable(found: &WritableFinding, face: Face) -> Words {
    match found {
        WritableFinding::Granted => Words::good("OK"),
        WritableFinding::Failed(error) => Words::of_error(error, face),
    }
}

pub(super) fn image(found: &ImageFinding, face: Face) -> Words {
    let status = &found.status;
    let remedy = match (found.mismatch, face) {
        (Some(Mismatch::NotInImage | Mismatch::SwitchedOff), Face::CommandLine) => {
            let with = if found.has_options {
                " with the same options"
            } else {
                ""
            };
            Some(format!(
                "run `baleen apply`{with} to set the proxy in Docker"
            ))
        }
        (Some(Mismatch::NotInImage | Mismatch::SwitchedOff), Face::Menu) => {
            Some("turn on Use Proxy to set the proxy in Docker".to_owned())
        }
        (Some(Mismatch::NoLongerUsed), Face::CommandLine) => Some(
            "this Mac no longer uses a proxy; run `baleen restore` to remove it from Docker too"
                .to_owned(),
        ),
        (Some(Mismatch::NoLongerUsed), Face::Menu) => Some(
            "this Mac no longer uses a proxy; turn off Use Proxy to remove it from Docker too"
                .to_owned(),
        ),
        (None, _) => match status.state {
            State::Off | State::Direct | State::Current => None,
            _ => status.reason.next_step(face, found.has_options),
        },
    };
    Words {
        found: format!("{} ({})", status.state.word(), status.reason.sentence()),
        remedy,
    }
}

pub(super) fn image_facts(found: &ImageFinding) -> Value {
    let status = &found.status;
    json!({
        "state": status.state,
        "image": status.installed().map(Installed::facts),
        "docker_settings": status.installed().and_then(|it| it.own_settings.as_ref()),
        "proxy": status.proxy(),
    })
}
