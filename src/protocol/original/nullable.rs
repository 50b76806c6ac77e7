//! Columns that may hold nothing, in each spelling that the original's servers have for it.

use std::borrow::Cow;

use crate::protocol::domain::{Patch, optional};
use crate::protocol::json::Reader;
use crate::protocol::{Code, Phase, Status};

/// Reads a value that may be nothing: `null`, or an object of Go's `database/sql` such as
/// `{"String":"x","Valid":true}`, which older servers send for a nullable column.
pub(super) fn nullable<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Code>,
) -> Result<Option<T>, Code> {
    if reader.peek() != b'{' {
        return optional(reader, read);
    }
    let (mut valid, mut inner) = (None, None);
    reader.object(|key, value| {
        match key.inner {
            "Valid" => valid = Some(value.boolean()?),
            "String" | "Int64" | "Int32" | "Int16" | "Float64" | "Bool" | "Time" | "V" => {
                inner = Some(value.raw()?);
            }
            _ => value.skip()?,
        }
        Ok(())
    })?;
    match (valid, inner) {
        (Some(false), _) => Ok(None),
        (Some(true), Some(raw)) => read(&mut Reader::new(raw)).map(Some),
        _ => Err(Code::InvalidContent),
    }
}

/// Reads a column of a row.
pub(super) fn column<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Code>,
) -> Result<Patch<T>, Code> {
    Ok(nullable(reader, read)?.map_or(Patch::Null, Patch::Value))
}

/// Reads a text that may be nothing. An empty text is nothing too: Go writes it for a field that
/// was never set.
pub(super) fn word<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>, Code> {
    Ok(nullable(reader, Reader::text)?.filter(|text| !text.is_empty()))
}

/// Reads a phase that may be nothing. A word that is no phase is refused: what it speaks of must
/// not be taken for the current phase.
pub(super) fn phase(reader: &mut Reader<'_>) -> Result<Option<Phase>, Code> {
    word(reader)?.map(|text| Phase::parse(&text).ok_or(Code::InvalidContent)).transpose()
}

/// Reads a status that may be nothing. A word that is no status is nothing as well: some servers
/// write a sentence for people there.
pub(super) fn status(reader: &mut Reader<'_>) -> Result<Option<Status>, Code> {
    Ok(word(reader)?.and_then(|text| Status::parse(&text)))
}
