//! The common parts of all cases: the registry and the proxy, the files made in advance, and the folder where a case
//! leaves its records.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Skip;
use crate::servers::Servers;

pub(crate) struct Lab {
    cache: PathBuf,
    verbose: bool,
    case: RefCell<PathBuf>,
    boots: Cell<usize>,
    pub(crate) servers: Servers,
}

/// An image as Docker ships it.
pub(crate) struct Stock {
    pub(crate) members: u8,
    /// The init script, if it isn't that of `tests/image`.
    pub(crate) script: Option<PathBuf>,
}

impl Lab {
    pub(crate) fn start(cache: PathBuf, lane: usize, verbose: bool) -> Self {
        let folder = cache.join("e2e");
        let servers = Servers::start(&folder.join(format!("servers-{lane}")));
        Self {
            case: RefCell::new(folder.clone()),
            cache,
            verbose,
            boots: Cell::new(0),
            servers,
        }
    }

    /// Begins a case, and removes what its last run left.
    pub(crate) fn begin(&self, name: &str) {
        let folder = self.cache.join("e2e").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        *self.case.borrow_mut() = folder;
        self.boots.set(0);
        if self.verbose {
            println!("--- {name}");
        }
    }

    /// The folder where the case leaves its records.
    pub(crate) fn folder(&self) -> PathBuf {
        self.case.borrow().clone()
    }

    /// A name for the records of the next boot.
    pub(crate) fn next_boot(&self) -> usize {
        self.boots.set(self.boots.get() + 1);
        self.boots.get()
    }

    /// Adds to the transcript; with `--verbose` prints to the terminal as well.
    pub(crate) fn say(&self, text: &str) {
        let mut file = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder().join("transcript"))
            .unwrap();
        writeln!(file, "{}", text.trim_end()).unwrap();
        if self.verbose {
            println!("{}", text.trim_end());
        }
    }

    /// Skips the case, since something that it needs is missing. In CI everything must be there.
    pub(crate) fn skip(&self, why: &str) -> ! {
        assert!(std::env::var_os("CI").is_none(), "{why}");
        panic::panic_any(Skip(why.to_owned()))
    }

    /// Kernels of several ages, each under its version's name; the first is that of Docker's images.
    pub(crate) fn kernels(&self) -> Vec<PathBuf> {
        let named = std::env::var_os("BALEEN_KERNELS").unwrap_or_default();
        std::env::split_paths(&named).collect()
    }

    /// Copies the image to `path`.
    pub(crate) fn make(&self, stock: &Stock, path: &Path) {
        let mut command =
            Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/image/build.sh"));
        command.args(["--members", &stock.members.to_string()]);
        if let Some(script) = &stock.script {
            command.arg("--script").arg(script);
        }
        let output = command.arg(path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "no image: {said}");
    }
}
