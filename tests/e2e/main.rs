//! Boots images that Baleen patched.

#[cfg(target_os = "linux")]
#[path = "../common/app.rs"]
mod app;
#[cfg(target_os = "linux")]
#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
mod kernel;

#[cfg(target_os = "linux")]
fn main() {
    use std::path::PathBuf;
    use std::time::Instant;

    let only: Vec<String> = std::env::args().skip(1).collect();
    let kernels = std::env::var_os("BALEEN_KERNELS").unwrap_or_default();
    let folder = std::env::temp_dir().join("baleen-e2e");
    let mut failed = 0;
    for kernel in std::env::split_paths(&kernels).filter(|path| path.is_file()) {
        let version = kernel.file_name().unwrap().to_owned();
        let whole = Instant::now();
        for fact in kernel::FACTS {
            if !only.is_empty() && !only.iter().any(|name| name == fact.name) {
                continue;
            }
            let machine = kernel::Machine {
                kernel: kernel.clone(),
                busybox: PathBuf::from("/usr/bin/busybox"),
                folder: folder.join(&version).join(fact.name),
            };
            let started = Instant::now();
            let check = fact.check;
            let ok = std::panic::catch_unwind(|| check(&machine)).is_ok();
            failed += usize::from(!ok);
            println!(
                "{} {:>5.1} s  {}  {}: {}",
                if ok { "ok    " } else { "FAILED" },
                started.elapsed().as_secs_f32(),
                version.display(),
                fact.name,
                fact.what
            );
        }
        println!(
            "       {:>5.1} s  {} in all",
            whole.elapsed().as_secs_f32(),
            version.display()
        );
    }
    assert_eq!(failed, 0, "facts that failed");
}

#[cfg(not(target_os = "linux"))]
fn main() {}
