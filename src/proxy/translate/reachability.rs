//! The address and the password with which the engine reaches a proxy.

use std::sync::Arc;

use crate::error;
use crate::net::lookup::is_loopback;
use crate::proxy::{ProxyError, ProxyUrl};

use super::{Explanation, Remark, Resolvers};

/// Returns the proxy with its stored password.
pub(super) fn add_password(
    url: ProxyUrl,
    resolvers: &Resolvers<'_>,
    remarks: &mut Vec<Remark>,
) -> error::Result<ProxyUrl> {
    let Some(user) = url.encoded_user().filter(|_| !url.has_password()) else {
        return Ok(url);
    };
    Ok(match (resolvers.password)(&url)? {
        Some(password) => url.with_password(password),
        None => {
            let account = format!("{user}@{}", url.authority());
            remarks.push(Remark::NoPassword { account });
            url
        }
    })
}

/// Returns the proxy as the engine reaches it: in the VM, a loopback address is the VM itself.
pub(super) fn reachable(
    url: ProxyUrl,
    address: Option<&str>,
    resolvers: &Resolvers<'_>,
    remarks: &mut Vec<Remark>,
    explanations: &mut Vec<Explanation>,
) -> Result<ProxyUrl, ProxyError> {
    let found = match (resolvers.addresses)(url.host()) {
        Ok(found) => found,
        Err(why) => {
            remarks.push(Remark::Unresolved {
                host: url.host().to_owned(),
                why: Arc::new(why),
            });
            return Ok(url);
        }
    };
    if found.is_empty() || !found.iter().all(|&address| is_loopback(address)) {
        return Ok(url);
    }
    explanations.push(Explanation::ThisComputer {
        proxy: url.authority(),
        address: address.map(str::to_owned),
    });
    let Some(address) = address else {
        return Ok(url);
    };
    url.with_host(address)
        .map_err(|why| ProxyError::HostAddress {
            address: address.to_owned(),
            why,
        })
}
