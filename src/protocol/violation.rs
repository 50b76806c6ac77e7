//! Why content was refused: the member that breaks its schema, and the rule that it breaks.

/// The first member that broke a rule. The cursor that reads the content records it, so that all errors
/// stay plain codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Violation {
    /// The member of the content that holds the object with the member; empty for the content itself.
    pub object: &'static str,
    /// The name of the member; empty if no member is known.
    pub member: &'static str,
    /// * `missing`: the member must be present.
    /// * `invalid`: its value is of another type, or is not allowed.
    /// * `state`: the content is valid by itself, but not for the state that it applies to.
    pub rule: &'static str,
}

impl Violation {
    /// The content of an event that contradicts the state.
    pub const STATE: Self = Self { object: "", member: "", rule: "state" };

    /// The path of the member in its document, such as `data.campaign.phaseStatus`.
    pub fn path(&self) -> String {
        let mut path = String::from("data");
        for name in [self.object, self.member] {
            if !name.is_empty() {
                path.push('.');
                path.push_str(name);
            }
        }
        path
    }
}
