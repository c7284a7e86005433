//! Docker Hub's hosts that a pull connects to.
//!
//! Checked on 2026-11-28 against Docker's own allowlist
//! (<https://docs.docker.com/desktop/setup/allow-list/>): docker/docs pull request 21970 (February 2025) gave the R2
//! host its full name, 25108 and 25122 (May 2026) added CloudFront. Which of the three content networks serves a
//! layer is Docker Hub's choice, request by request (chainguard-dev/apko pull request 2250, docker/hub-feedback
//! issue 2442), so a pull has to reach all of them.

/// The registry itself.
pub const REGISTRY: &str = "registry-1.docker.io";

/// All hosts of Docker Hub, the registry first.
pub const HOSTS: [&str; 5] = [
    REGISTRY,
    // Tokens.
    "auth.docker.io",
    // Layers.
    "production.cloudflare.docker.com",
    "production.cloudfront.docker.com",
    "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
];
