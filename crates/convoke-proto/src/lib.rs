//! The words both ends of Convoke's wire share: commands, exits, faults, frames and their codec.
