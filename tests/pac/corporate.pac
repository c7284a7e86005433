// Made up, after the habits of such files: helpers, tables, networks, times, fallbacks.
/* Example Corp, network department. Do not change without a ticket. */
var version = "2016-11-03";
var proxies = {
    north: "PROXY proxy-n.corp.example:8080; PROXY proxy-s.corp.example:8080",
    south: "PROXY proxy-s.corp.example:8080; PROXY proxy-n.corp.example:8080"
};
var direct_domains = new Array(
    ".corp.example",
    ".partner.example",
    "intranet.example"
);
var direct_networks = [
    ["10.0.0.0", "255.0.0.0"],
    ["172.16.0.0", "255.240.0.0"],
    ["192.168.0.0", "255.255.0.0"],
    ["127.0.0.0", "255.0.0.0"]
];
var blocked = /^(ads|track(er|ing)?)\d*\./i;

function endsWith(text, end) {
    return text.substr(text.length - end.length) == end;
}

function isAddress(host) {
    var parts = host.split(".");
    if (parts.length != 4) return false;
    for (var i = 0; i < parts.length; i++) {
        if (isNaN(parseInt(parts[i], 10))) return false;
    }
    return true;
}

function isInside(host) {
    for (var i in direct_domains) {
        var domain = direct_domains[i];
        if (dnsDomainIs(host, domain) || host == domain.replace(/^\./, ""))
            return true;
    }
    if (isAddress(host)) {
        for (var j = 0; j < direct_networks.length; ++j) {
            with (Math) {
                if (isInNet(host, direct_networks[j][0], direct_networks[j][1])) return true;
            }
        }
    }
    return false;
}

// The same host goes through the same proxy each time.
function balance(host) {
    var sum = 0;
    for (var i = 0; i < host.length; i++) sum = (sum * 31 + host.charCodeAt(i)) & 0xffff;
    return sum % 2 ? proxies.north : proxies["south"];
}

function FindProxyForURL(url, host) {
    host = host.toLowerCase();
    alert("asked for " + url);

    if (isPlainHostName(host) || shExpMatch(host, "*.local") || host == "localhost")
        return "DIRECT";
    if (isInside(host)) return "DIRECT";
    if (blocked.test(host)) return "PROXY 127.0.0.1:9";

    switch (url.substring(0, url.indexOf(":"))) {
        case "ftp":
            return "SOCKS5 socks.corp.example:1080; DIRECT";
        case "http":
            if (shExpMatch(url, "*/update/*.msi")) return "PROXY cache.corp.example";
    }
    if (localHostOrDomainIs(host, "registry.docker.example"))
        return "HTTPS secure.corp.example; " + balance(host);
    if (shExpMatch(host, "(*.docker.io|*.docker.com)") && dnsDomainLevels(host) > 1)
        return "PROXY docker.corp.example:3128";
    try {
        undefined_function();
    } catch (e) {
        return balance(host);
    }
}
