//! The no-proxy list for programs in containers. Each of them reads the variable in its own way, so only forms that all of
//! them understand alike are written. Forty-four programs were tried with real proxies: curl, wget, apt, Go, Python, Node,
//! Ruby, Perl, Java and others.

use std::net::IpAddr;

use super::NoProxy;

/// The entries that are always on the list: few programs spare loopback by themselves.
const ALWAYS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The list, and what it can't say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerList {
    /// The value of the variable.
    pub text: String,
    /// The entries that are left out, so that containers reach these hosts through the proxy.
    pub left_out: Vec<(String, Unsafe)>,
}

/// The reason why an entry can't be said to all programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsafe {
    /// A network: wget, apt, npm, Python and Perl don't know them, and no program applies one to names.
    Network,
    /// A pattern or a port: most programs take it for a part of the name.
    Pattern,
    /// An IPv6 address: some programs want brackets, and others fail with them.
    Ipv6,
}

impl ContainerList {
    /// Translates the list of an engine.
    pub(crate) fn of(list: &NoProxy) -> Self {
        let mut entries: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
        let mut left_out = Vec::new();
        for entry in list
            .to_string()
            .split(',')
            .filter(|entry| !entry.is_empty())
        {
            match forms(entry) {
                Ok(forms) => entries.extend(forms),
                Err(reason) => left_out.push((entry.to_owned(), reason)),
            }
        }
        let mut seen = Vec::new();
        entries.retain(|entry| {
            let is_new = !seen.contains(entry);
            seen.push(entry.clone());
            is_new
        });
        Self {
            text: entries.join(","),
            left_out,
        }
    }
}

/// Returns the forms of an entry that all programs understand alike. A domain needs two: some take the plain one for that
/// host alone, and others the one with a dot for what is below it alone.
fn forms(entry: &str) -> Result<Vec<String>, Unsafe> {
    let bare = entry.trim_matches(['[', ']']);
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => return Ok(vec![entry.to_owned()]),
        Ok(IpAddr::V6(address)) if address.is_loopback() => return Ok(Vec::new()),
        Ok(IpAddr::V6(_)) => return Err(Unsafe::Ipv6),
        Err(_) => {}
    }
    if let Some((address, length)) = entry.split_once('/') {
        let is_one = length == "32" && address.parse::<std::net::Ipv4Addr>().is_ok();
        return match is_one {
            true => Ok(vec![address.to_owned()]),
            false => Err(Unsafe::Network),
        };
    }
    let domain = entry
        .strip_prefix("*.")
        .or(entry.strip_prefix('.'))
        .unwrap_or(entry);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if domain.is_empty()
        || domain.starts_with('.')
        || domain.ends_with('.')
        || !domain.chars().all(plain)
    {
        return Err(Unsafe::Pattern);
    }
    let domain = domain.to_ascii_lowercase();
    // A number would be taken for the end of an address.
    if domain.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(Unsafe::Pattern);
    }
    Ok(match domain.contains('.') || entry != domain {
        true => vec![domain.clone(), format!(".{domain}")],
        false => vec![domain],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_all_programs_understand_alike_is_written() {
        for (entry, expected) in [
            ("localhost", "localhost,127.0.0.1,::1"),
            ("::1", "localhost,127.0.0.1,::1"),
            ("intranet", "localhost,127.0.0.1,::1,intranet"),
            (
                "corp.example",
                "localhost,127.0.0.1,::1,corp.example,.corp.example",
            ),
            (
                ".corp.example",
                "localhost,127.0.0.1,::1,corp.example,.corp.example",
            ),
            (
                "*.Corp.example",
                "localhost,127.0.0.1,::1,corp.example,.corp.example",
            ),
            (".local", "localhost,127.0.0.1,::1,local,.local"),
            ("10.1.2.5", "localhost,127.0.0.1,::1,10.1.2.5"),
            ("10.1.2.5/32", "localhost,127.0.0.1,::1,10.1.2.5"),
        ] {
            let list = ContainerList::of(&NoProxy::new([entry.to_owned()]));
            assert_eq!(
                (&*list.text, &list.left_out[..]),
                (expected, &[][..]),
                "{entry}"
            );
        }
        for (entry, reason) in [
            ("10.0.0.0/8", Unsafe::Network),
            ("fd00::/8", Unsafe::Network),
            ("fd00::1", Unsafe::Ipv6),
            ("[fd00::1]", Unsafe::Ipv6),
            ("corp.example:8080", Unsafe::Pattern),
            ("a*.corp", Unsafe::Pattern),
            ("corp.example.", Unsafe::Pattern),
            ("2.3", Unsafe::Pattern),
        ] {
            let list = ContainerList::of(&NoProxy::new([entry.to_owned()]));
            assert_eq!(list.text, "localhost,127.0.0.1,::1", "{entry}");
            assert_eq!(list.left_out, [(entry.to_owned(), reason)]);
        }
    }
}
