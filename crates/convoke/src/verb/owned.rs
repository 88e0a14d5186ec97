//! The builders of every verb that gives a file to somebody.

/// Gives a verb with a field `ownership` the builders `owner` and `group`; what is special about them stands before
/// each, and becomes their documentation.
macro_rules! owned {
    ($verb:ident: $(#[$owner:meta])* owner, $(#[$group:meta])* group) => {
        impl $verb {
            $(#[$owner])*
            #[must_use]
            pub fn owner(mut self, owner: impl Into<bstr::BString>) -> Self {
                self.ownership.owner = Some(owner.into());
                self
            }

            $(#[$group])*
            #[must_use]
            pub fn group(mut self, group: impl Into<bstr::BString>) -> Self {
                self.ownership.group = Some(group.into());
                self
            }
        }
    };
}

pub(super) use owned;
