//! The keys of the config file in words, and the text of a new file.

use crate::config::Key;

/// Returns the description of a key.
pub(crate) fn about(key: Key) -> &'static str {
    match key {
        Key::Source => "where the proxy comes from: auto, system, environment or manual",
        Key::HttpProxy => "the proxy for http:// when source is manual; without a password",
        Key::HttpsProxy => "the proxy for https:// when source is manual; without a password",
        Key::NoProxy => "more hosts to reach without the proxy, as the engine's NO_PROXY has them",
        Key::HostAddress => {
            "address or name under which the VM reaches a proxy that listens on this Mac's loopback"
        }
        Key::PacHosts => "registries to ask a PAC file about, in addition to Docker's own",
        Key::PacUnreachable => {
            "what to do when a PAC file can't be reached: direct (after 5 minutes), or keep its last answers"
        }
        Key::Restart => {
            "whether Docker is restarted when its proxy has changed: ask, always or never"
        }
        Key::Method => "how a boot image is patched: append or rebuild",
        Key::Containers => {
            "whether containers and builds of Docker Desktop get the proxy as variables, too: true or false"
        }
        Key::DockerApp => "the Docker.app to work on; ~ is your home folder",
        Key::Relay => {
            "whether Docker gets the address of Baleen's relay: auto (as soon as the app runs it), on or off"
        }
        Key::RelayPort => "the relay's port on 127.0.0.1",
        Key::RelayBasic => {
            "whether the relay may send a password in clear to a proxy that offers nothing else: true or false"
        }
        Key::UpdateCheck => {
            "whether the app looks for a newer version of Baleen: weekly or off. It downloads nothing"
        }
    }
}

/// Returns the default of a key.
pub(crate) fn without(key: Key) -> &'static str {
    match key {
        Key::Source => "auto",
        Key::HttpProxy | Key::NoProxy | Key::PacHosts => "none",
        Key::HttpsProxy => "the one for http://",
        Key::HostAddress => "the one that this version of Docker has",
        Key::PacUnreachable => "direct",
        Key::Restart => "ask",
        Key::Method => "append",
        Key::Containers => "false",
        Key::DockerApp => "the one in /Applications or ~/Applications",
        Key::Relay => "auto",
        Key::RelayPort => "18128",
        Key::RelayBasic => "true",
        Key::UpdateCheck => "weekly; off where Homebrew or an administrator installed Baleen",
    }
}

/// Returns the text of a new config file. It sets no key, and describes all keys in comments.
pub(crate) fn new_file() -> String {
    let mut text = String::from(
        "# Baleen's settings. Remove the # to turn a line on. Changes take effect when you save.\n",
    );
    for key in Key::ALL {
        let example = match key {
            _ if key.is_list() => "[]",
            Key::RelayBasic => "false",
            _ if key.is_boolean() => "true",
            _ if key.is_number() => "18128",
            _ => "\"\"",
        };
        text.push_str(&format!(
            "\n# {}; default: {}\n#{key} = {example}\n",
            about(key),
            without(key)
        ));
    }
    text
}
