//! What failed, on what, and what that means for us.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What a failure means: every decision looks at this and at nothing else of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Class {
    /// The request is wrong and stays wrong.
    Invalid,
    /// The credentials are refused, or lack a permission.
    Denied,
    /// The account is another one, or blocked as a whole (arrears, risk control).
    Account,
    /// No stock, no quota, or not offered in this zone: another candidate may do.
    NoCapacity,
    /// The disk category does not go with this candidate.
    DiskUnsupported,
    /// Something still uses the object.
    InUse,
    /// The object does not exist.
    Gone,
    /// The object is not in the right state yet; a later pass may succeed.
    NotYet,
    /// The token was used for a request with other parameters.
    TokenUsed,
    /// Too many requests.
    Throttled {
        /// How long the service asks us to wait; none: it does not say.
        wait: Option<Duration>,
    },
    /// No usable answer: a cut connection, a timeout, a 5xx, or a body that cannot be read.
    Unavailable {
        /// Whether the request may have taken effect all the same.
        maybe_applied: bool,
    },
    /// An answer that must not be.
    Bug,
}

/// Whether the same request is worth sending again within a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// Any request may be sent again: this one took no effect.
    Always {
        /// The least wait that the service asks for.
        wait: Option<Duration>,
    },
    /// Only a request whose repetition changes nothing more may be sent again.
    IfIdempotent,
}

impl Class {
    /// Says whether to send the same request again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Throttled { wait } => Retry::Always { wait: *wait },
            Self::Unavailable {
                maybe_applied: false,
            } => Retry::Always { wait: None },
            Self::Unavailable {
                maybe_applied: true,
            } => Retry::IfIdempotent,
            Self::Invalid
            | Self::Denied
            | Self::Account
            | Self::NoCapacity
            | Self::DiskUnsupported
            | Self::InUse
            | Self::Gone
            | Self::NotYet
            | Self::TokenUsed
            | Self::Bug => Retry::Never,
        }
    }

    /// Whether waiting does not help: a person must change something.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Account | Self::Denied | Self::Invalid | Self::Bug => true,
            Self::NoCapacity
            | Self::DiskUnsupported
            | Self::InUse
            | Self::Gone
            | Self::NotYet
            | Self::TokenUsed
            | Self::Throttled { .. }
            | Self::Unavailable { .. } => false,
        }
    }

    /// The name of the class alone, as JSON output shows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Denied => "Denied",
            Self::Account => "Account",
            Self::NoCapacity => "NoCapacity",
            Self::DiskUnsupported => "DiskUnsupported",
            Self::InUse => "InUse",
            Self::Gone => "Gone",
            Self::NotYet => "NotYet",
            Self::TokenUsed => "TokenUsed",
            Self::Throttled { .. } => "Throttled",
            Self::Unavailable { .. } => "Unavailable",
            Self::Bug => "Bug",
        }
    }
}

/// One failure: what was being done, to which object, what came back, and what may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it means.
    pub class: Class,
    /// What was being done, as in `delete an image`.
    pub doing: String,
    /// The object it was done to; none where there is no single one.
    pub subject: Option<String>,
    /// The service that answered or should have, as in `ecs`; none for a failure of our own.
    pub service: Option<&'static str>,
    /// The service's own error code.
    pub code: Option<String>,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// What came back, in words.
    pub message: String,
    /// The service's number of the request.
    pub request_id: Option<String>,
    /// What may help.
    pub hint: Option<String>,
}

impl Fault {
    /// A failure that no service answered.
    pub fn new(class: Class, doing: &str, message: &str) -> Self {
        Self {
            class,
            doing: doing.to_owned(),
            subject: None,
            service: None,
            code: None,
            status: None,
            message: message.to_owned(),
            request_id: None,
            hint: None,
        }
    }

    /// The same failure, of this object.
    #[must_use]
    pub fn of(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// The same failure, with advice.
    #[must_use]
    pub fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    /// What came back on one line: status, code and message, without what was being done.
    pub fn answer(&self) -> String {
        let status = self.status.map(|it| it.to_string());
        [status, self.code.clone(), Some(self.message.clone())]
            .into_iter()
            .flatten()
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(": ")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.doing)?;
        if let Some(subject) = &self.subject {
            write!(f, " ({subject})")?;
        }
        write!(f, ": {}", self.answer())?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
