//! The address and the password with which the engine reaches a proxy.

use crate::error::{Error, Kind, Result};
use crate::net::lookup::is_loopback;
use crate::proxy::ProxyUrl;

use super::Resolvers;

/// Returns the proxy with its stored password.
pub(super) fn add_password(
    url: ProxyUrl,
    resolvers: &Resolvers<'_>,
    remarks: &mut Vec<String>,
) -> Result<ProxyUrl> {
    let Some(user) = url.encoded_user().filter(|_| !url.has_password()) else {
        return Ok(url);
    };
    Ok(match (resolvers.password)(&url)? {
        Some(password) => url.with_password(password),
        None => {
            let account = format!("{user}@{}", url.authority());
            remarks.push(format!(
                "no password is kept for {account}: if the proxy asks for one, run `baleen credentials set '{account}'`"
            ));
            url
        }
    })
}

/// Returns the beginning of the remark about a host name that can't be resolved. Callers that
/// report this in their own words recognize the remark by it.
pub(crate) fn unresolved(host: &str) -> String {
    format!("can't resolve {host}")
}

/// Returns the proxy as the engine reaches it: in the VM, a loopback address is the VM itself.
pub(super) fn reachable(
    url: ProxyUrl,
    address: Option<&str>,
    resolvers: &Resolvers<'_>,
    remarks: &mut Vec<String>,
    explanations: &mut Vec<String>,
) -> Result<ProxyUrl> {
    let found = match (resolvers.addresses)(url.host()) {
        Ok(found) => found,
        Err(error) => {
            remarks.push(format!(
                "{} ({error}); if it is this Mac, use localhost instead",
                unresolved(url.host())
            ));
            return Ok(url);
        }
    };
    if found.is_empty() || !found.iter().all(|&address| is_loopback(address)) {
        return Ok(url);
    }
    let Some(address) = address else {
        explanations.push(format!(
            "{} is this computer itself, which is right here: with this Docker it is Docker on the Mac, not the engine, that speaks to the proxy",
            url.authority()
        ));
        return Ok(url);
    };
    explanations.push(format!(
        "{} is this computer itself, which the engine reaches as {address}",
        url.authority()
    ));
    url.with_host(address).map_err(|why| {
        Error::new(
            Kind::Usage,
            format!("the host address '{address}' can't be used: {why}"),
        )
    })
}
