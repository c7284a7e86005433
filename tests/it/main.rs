//! The tests of the whole crate and of the program, by feature. What takes more than 10 seconds is in `tests/slow`.

#[path = "../common/mod.rs"]
mod common;
#[path = "../desktop/stand_in/mod.rs"]
mod stand_in;

mod agent_convergence;
mod bad_input;
mod cli;
mod config;
mod credentials;
mod docker_desktop;
mod doctor;
mod layers;
mod packaging;
mod relay;
mod relay_engine;
mod settings_crash;
mod text_engine;
mod uninstall;
mod update;
mod upgrade;

mod app {
    mod menu;
}

mod boot_image {
    mod live;
    mod live_state;
    mod script_runs;
}

mod initrd {
    mod cases;
    mod odd_images;
    mod properties;
    mod tools;
}

mod pac {
    mod browsers;
    mod scripts;
}

mod proxy {
    mod oracles;
    mod rules;
    mod settings;
    mod system;
}
