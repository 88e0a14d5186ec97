//! The connector that runs `ssh`, with a shell script in the place of `ssh`.

mod argv;
mod choice;
mod process;
mod route;
mod stub;
mod terminal;
