//! Configurations that once were understood in another way than ssh does, or easily are.
