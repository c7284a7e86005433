//! The event loop without AppKit: a channel that is read on the calling thread.

use std::sync::mpsc;

use super::event_loop::{Flow, Sender};

/// Creates the app with `start` and calls `handle` for each message, until it returns [`Flow::Quit`] or no
/// sender is left.
pub(crate) fn run<M: Send + 'static, H: 'static>(
    start: impl FnOnce(Sender<M>) -> H + 'static,
    mut handle: impl FnMut(&mut H, M) -> Flow + 'static,
) {
    let (sender, receiver) = mpsc::channel();
    let mut app = start(Sender::new(move |message| {
        // If this fails, the loop has ended.
        let _ = sender.send(message);
    }));
    for message in receiver {
        if handle(&mut app, message) == Flow::Quit {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;

    #[test]
    fn messages_come_in_until_one_says_quit() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let seen_inside = Arc::clone(&seen);
        run(
            |sender: Sender<u8>| {
                sender.send(1);
                let elsewhere = sender.clone();
                thread::spawn(move || elsewhere.send(2)).join().unwrap();
                sender.send(0);
                sender.send(3);
                sender
            },
            move |_, message| {
                seen_inside.lock().unwrap().push(message);
                if message == 0 {
                    Flow::Quit
                } else {
                    Flow::Continue
                }
            },
        );
        assert_eq!(*seen.lock().unwrap(), [1, 2, 0]);
    }

    #[test]
    fn it_ends_when_no_sender_is_left() {
        run(|sender: Sender<u8>| sender.send(1), |(), _| Flow::Continue);
    }
}
