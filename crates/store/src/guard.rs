//! Statements of the user's own may read the store, and do nothing else.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::StoreError;

/// Makes `db` fit for statements of the user's own: they can read the store, and nothing else. The function
/// `host_of(url)` is there too.
///
/// # Errors
/// [`StoreError`]
pub fn guard(db: &mut Connection) -> Result<(), StoreError> {
    db.create_scalar_function(
        "host_of",
        1,
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
        |call| {
            let text = call.get_raw(0).as_str_or_null().unwrap_or_default().unwrap_or_default();
            Ok(url::Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned)))
        },
    )?;
    db.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive | AuthAction::Transaction { .. } => {
            Authorization::Allow
        }
        AuthAction::Function { function_name } if !function_name.eq_ignore_ascii_case("load_extension") => {
            Authorization::Allow
        }
        AuthAction::Pragma { pragma_name, .. } if HARMLESS.contains(&pragma_name.to_ascii_lowercase().as_str()) => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }))?;
    Ok(())
}

/// Pragmas that tell something and change nothing.
const HARMLESS: [&str; 8] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "database_list",
    "compile_options",
    "function_list",
];
