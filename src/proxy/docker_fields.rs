//! The values for the proxy fields in Docker's own window, as text to paste there.
//!
//! The release notes of Docker Desktop say what the fields understand: `socks5://` from 4.28 on,
//! networks such as `10.0.0.0/8` in the bypass list from 4.17 on. Addresses are those of the Mac,
//! since the proxy process that reads the fields runs there.
//!
//! The values never include a password. A terminal keeps what is printed. Every app can read the
//! clipboard, clipboard managers store it, and it is sent to the user's other devices. From 4.13 on,
//! Docker asks for the password itself and keeps it in its keychain.

use serde::Serialize;

use super::url::Scheme;
use super::{DockerVersion, ProxyRef, RedactedProxy};

/// The value of each field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DockerFields {
    /// The value of *Web Server (HTTP)*; none if the field stays empty.
    pub http: Option<ProxyRef>,
    /// The value of *Secure Web Server (HTTPS)*; none if the field stays empty.
    pub https: Option<ProxyRef>,
    /// The value of the field for the hosts that bypass the proxy.
    pub bypass: String,
    /// Set when the proxy has a user, whose password is left out.
    pub lacks_password: bool,
}

/// One of the fields, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// *Web Server (HTTP)*.
    Http,
    /// *Secure Web Server (HTTPS)*.
    Https,
    /// The hosts that bypass the proxy.
    Bypass,
    /// All three, each preceded by its name.
    All,
}

/// An unexpected way in which a Docker version handles the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldRemark {
    /// Docker asks for the password, which is left out.
    PasswordAskedFor,
    /// The password is left out, and has to be added in Docker.
    PasswordLeftOut,
    /// Docker does not know SOCKS proxies.
    Socks,
    /// Docker does not know networks in the bypass list.
    Networks,
}

impl DockerFields {
    /// Returns the values for a proxy that was translated for this Docker.
    pub(crate) fn of(proxy: &RedactedProxy) -> Self {
        let proxies = [&proxy.http, &proxy.https];
        Self {
            http: proxy.http.as_ref().map(ProxyRef::without_password),
            https: proxy.https.as_ref().map(ProxyRef::without_password),
            bypass: proxy.no_proxy.clone(),
            lacks_password: proxies.into_iter().flatten().any(ProxyRef::has_user),
        }
    }

    /// Returns each field's name, as in Docker's window, with its value, which may be empty.
    pub(crate) fn lines(&self) -> [(&'static str, String); 3] {
        let value = |proxy: &Option<ProxyRef>| {
            let proxy = proxy.as_ref();
            proxy.map_or(String::new(), ToString::to_string)
        };
        [
            ("Web Server (HTTP)", value(&self.http)),
            ("Secure Web Server (HTTPS)", value(&self.https)),
            ("Bypass these hosts", self.bypass.clone()),
        ]
    }

    /// Returns the text to copy for a field.
    pub(crate) fn text(&self, field: Field) -> String {
        let [http, https, bypass] = self.lines();
        match field {
            Field::Http => http.1,
            Field::Https => https.1,
            Field::Bypass => bypass.1,
            Field::All => [http, https, bypass]
                .map(|(name, value)| format!("{name}: {value}\n"))
                .concat(),
        }
    }

    /// Returns the unexpected ways in which this Docker version handles the values.
    pub(crate) fn remarks(&self, version: &str) -> Vec<FieldRemark> {
        let version = DockerVersion::of(version);
        let is_at_least = |least| version.is_at_least(least).unwrap_or(true);
        let mut remarks = Vec::new();
        if self.lacks_password {
            remarks.push(match is_at_least((4, 13)) {
                true => FieldRemark::PasswordAskedFor,
                false => FieldRemark::PasswordLeftOut,
            });
        }
        let mut proxies = [&self.http, &self.https].into_iter().flatten();
        let has_socks = proxies.any(|proxy| proxy.scheme() == Scheme::Socks5);
        if has_socks && !is_at_least((4, 28)) {
            remarks.push(FieldRemark::Socks);
        }
        if self.bypass.contains('/') && !is_at_least((4, 17)) {
            remarks.push(FieldRemark::Networks);
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(http: Option<&str>, https: Option<&str>, no_proxy: &str) -> DockerFields {
        DockerFields::of(&RedactedProxy {
            http: http.map(|url| url.parse().unwrap()),
            https: https.map(|url| url.parse().unwrap()),
            no_proxy: no_proxy.to_owned(),
        })
    }

    #[test]
    fn each_field_is_copied_as_it_goes_into_docker() {
        let url = "http://127.0.0.1:3128";
        let both = fields(Some(url), Some(url), "localhost,127.0.0.1,.corp");
        assert_eq!(both.text(Field::Http), url);
        assert_eq!(both.text(Field::Https), url);
        assert_eq!(both.text(Field::Bypass), "localhost,127.0.0.1,.corp");
        assert_eq!(
            both.text(Field::All),
            "Web Server (HTTP): http://127.0.0.1:3128\n\
             Secure Web Server (HTTPS): http://127.0.0.1:3128\n\
             Bypass these hosts: localhost,127.0.0.1,.corp\n"
        );
        assert!(both.remarks("4.84.0").is_empty());
        let one = fields(None, Some(url), "");
        assert_eq!(
            (one.text(Field::Http), one.text(Field::Bypass)),
            (String::new(), String::new())
        );
    }

    #[test]
    fn no_password_is_ever_in_them_and_that_is_said() {
        let url = "http://me:***@proxy.corp:8080";
        for one in [fields(Some(url), None, ""), fields(None, Some(url), "")] {
            let text = one.text(Field::All);
            assert!(text.contains("http://me@proxy.corp:8080"), "{text}");
            assert!(!text.contains("***"), "{text}");
            assert!(one.lacks_password);
            assert_eq!(one.remarks("4.13.0"), [FieldRemark::PasswordAskedFor]);
            assert_eq!(one.remarks("4.12.1"), [FieldRemark::PasswordLeftOut]);
        }
        assert!(fields(Some("http://me@proxy.corp:8080"), None, "").lacks_password);
        assert!(!fields(Some("http://proxy.corp:8080"), None, "").lacks_password);
    }

    #[test]
    fn what_an_older_docker_would_not_take_is_said() {
        let socks = "socks5://127.0.0.1:1080";
        for (version, is_known) in [
            ("17.12.0-ce-mac55", false),
            ("2.0.0.0-mac82", false),
            ("4.16.3", false),
            ("4.17.0", true),
            ("5.0", true),
            ("unknown", true),
        ] {
            let remarks = fields(None, Some("http://p:1"), "10.0.0.0/8").remarks(version);
            assert_eq!(remarks.is_empty(), is_known, "{version}: {remarks:?}");
        }
        let socks = fields(None, Some(socks), "");
        assert_eq!(socks.remarks("4.27.2"), [FieldRemark::Socks]);
        assert!(socks.remarks("4.28.0").is_empty());
    }
}
