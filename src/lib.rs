//! Baleen keeps the Docker Engine of Docker for Mac behind the proxy that the Mac uses.
pub mod docker;
pub mod error;
pub mod initrd;
pub mod proxy;
pub mod cli {
    pub fn main() -> std::process::ExitCode {
        std::process::ExitCode::SUCCESS
    }
}
