//! seine (draft map; rooms are announced as they are built)
pub mod record;
