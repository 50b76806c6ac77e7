//! The rules of the source tree, read from the source: arrows between layers, import circles, catch-all
//! arms, length of files, `unsafe`.

mod arrows;
mod circles;
mod closed_enums;
mod files;
mod language;
mod prose;
mod references;
mod rules;
mod source;
mod typescript;
