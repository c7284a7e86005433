//! The table of what may be read and written, by what was found: a pure function.

use crate::error::Kind;

/// Whether Docker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// It does not. A socket that a crash left behind means nothing.
    None,
    /// It runs, and tells its settings over its socket.
    Running,
    /// It runs, and is too old for that.
    RunningWithoutSocket,
}

/// What became of asking the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketAnswer {
    /// It was not asked.
    NotAsked,
    /// It told the settings.
    Settings,
    /// It told the settings, and that they are locked.
    Locked,
    /// There was no answer, or one that may pass.
    None,
    /// The answer has another form than any known one.
    Unknown,
    /// The system did not allow it.
    Denied,
}

/// What became of reading the settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFound {
    /// It can be read and changed.
    Usable,
    /// It can't be used for this kind of reason.
    Failed(Kind),
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The socket tells the settings and takes changes.
    Socket,
    /// The file tells the settings and takes changes.
    File,
    /// The file tells the settings, and takes changes once Docker has quit.
    FileAfterQuit,
    /// Nothing may be written: an administrator decides.
    Locked,
    /// Nothing may be written: Docker is starting or does not answer.
    NotAnswering,
    /// Nothing may be written: this Docker is newer than Baleen knows.
    Unknown,
    /// Nothing may be written: the system does not allow it.
    NotPermitted,
    /// Nothing can be written, for the reason that reading the file gave.
    FileFault,
}

/// Returns what may be done. `is_locked` tells what files on this computer say about a lock.
pub(super) fn access(
    process: Process,
    answer: SocketAnswer,
    file: FileFound,
    is_locked: bool,
) -> Access {
    use SocketAnswer as S;
    let by_file = |usable: Access| match file {
        _ if is_locked => Access::Locked,
        FileFound::Usable => usable,
        FileFound::Failed(Kind::NotPermitted) => Access::NotPermitted,
        FileFound::Failed(_) => Access::FileFault,
    };
    match (process, answer) {
        (Process::None, _) => by_file(Access::File),
        (Process::RunningWithoutSocket, _) => by_file(Access::FileAfterQuit),
        (Process::Running, S::Settings) => Access::Socket,
        (Process::Running, S::Locked) => Access::Locked,
        (Process::Running, S::Unknown) => Access::Unknown,
        (Process::Running, S::Denied) => Access::NotPermitted,
        (Process::Running, S::None | S::NotAsked) => Access::NotAnswering,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_combination_has_one_answer() {
        use Access as A;
        use FileFound::{Failed, Usable};
        use Process as P;
        use SocketAnswer as S;
        let broken = Failed(Kind::Unsupported);
        let denied = Failed(Kind::NotPermitted);
        let all = [
            S::NotAsked,
            S::Settings,
            S::Locked,
            S::None,
            S::Unknown,
            S::Denied,
        ];
        for answer in all {
            for (process, usable) in [
                (P::None, A::File),
                (P::RunningWithoutSocket, A::FileAfterQuit),
            ] {
                for (file, is_locked, expected) in [
                    (Usable, false, usable),
                    (Usable, true, A::Locked),
                    (broken, false, A::FileFault),
                    (broken, true, A::Locked),
                    (denied, false, A::NotPermitted),
                    (denied, true, A::Locked),
                ] {
                    assert_eq!(
                        access(process, answer, file, is_locked),
                        expected,
                        "{process:?} {answer:?}"
                    );
                }
            }
            // A running Docker knows best, whatever the files say.
            for file in [Usable, broken, denied] {
                for is_locked in [false, true] {
                    let expected = match answer {
                        S::Settings => A::Socket,
                        S::Locked => A::Locked,
                        S::None | S::NotAsked => A::NotAnswering,
                        S::Unknown => A::Unknown,
                        S::Denied => A::NotPermitted,
                    };
                    assert_eq!(
                        access(P::Running, answer, file, is_locked),
                        expected,
                        "{answer:?}"
                    );
                }
            }
        }
    }
}
