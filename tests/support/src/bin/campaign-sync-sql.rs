//! `campaign-sync-sql DATABASE QUERY [PARAMETER…]`: runs one read-only query on the server's tables and
//! prints the rows as JSON. Tests use it to compare what a page shows with what the server stores.

use std::process::ExitCode;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row, params_from_iter};
use serde_json::{Map, Value, json};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(database), Some(query)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: campaign-sync-sql DATABASE QUERY [PARAMETER…]");
        return ExitCode::from(2);
    };
    match rows(&database, &query, arguments.collect()) {
        Ok(rows) => {
            println!("{}", Value::Array(rows));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("campaign-sync-sql: {error}");
            ExitCode::FAILURE
        }
    }
}

fn rows(database: &str, query: &str, parameters: Vec<String>) -> rusqlite::Result<Vec<Value>> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(query)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map(params_from_iter(parameters), |row| object(&names, row))?;
    rows.collect()
}

fn object(names: &[String], row: &Row<'_>) -> rusqlite::Result<Value> {
    let mut object = Map::new();
    for (index, name) in names.iter().enumerate() {
        let value = match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => json!(integer),
            ValueRef::Real(real) => json!(real),
            ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
            ValueRef::Blob(blob) => json!(blob),
        };
        object.insert(name.clone(), value);
    }
    Ok(Value::Object(object))
}
