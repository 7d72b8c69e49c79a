//! The tables of the program that is beside us or was before us.
