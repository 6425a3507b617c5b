//! What the error codes of Alibaba Cloud mean: the only file that knows them.
//!
//! Source: error tables of the ECS API reference and of its metadata, which `tests/golden/aliyun/ecs-errors.json`
//! holds; misspelled codes are real. What a code means for us is our own reading.

use std::time::Duration;

use serde_json::{Map, Value};

use super::call::Call;
use super::credentials::Credentials;
use super::sign::string_to_sign;
use crate::fault::{Class, Fault};

/// Codes that mean the same: the only action that this is about (empty: any), the meaning, and the codes,
/// where `*` at the end stands for anything. The first row that fits counts.
type Row = (&'static str, Class, &'static str);

/// The request took no effect, but the same one may next time.
const REFUSED: Class = Class::Unavailable {
    maybe_applied: false,
};
/// The request may have taken effect.
const UNSURE: Class = Class::Unavailable {
    maybe_applied: true,
};

const ROWS: &[Row] = &[
    (
        "RunInstances",
        Class::NoCapacity,
        "ImageNotSupportInstanceType InstanceType.Offline InvalidInstanceType.NotSupported \
         InvalidInstanceType.Value* InvalidInstanceType.ZoneNotSupported \
         InvalidParameter.Conflict InvalidResourceType.NotSupported \
         InvalidSpotPriceLimit.LowerThanPublicPrice InvalidVSwitchId.NotFound \
         InvalidZoneId.NotFound LackResource OperationDenied OperationDenied.FlavorNotSupported \
         OperationDenied.NoStock OperationDenied.PaygNotAvailable \
         OperationDenied.TimestampNotSupported OperationDenied.ZoneNotAllowed \
         QuotaExceed.ElasticQuota QuotaExceeded.PrivateIpAddress ResourceNotAvailable \
         Zone.NotOnSale Zone.NotOpen",
    ),
    (
        "RunInstances",
        Class::DiskUnsupported,
        "CategoryNotSupported InvalidDiskCategory.Mismatch InvalidDiskCategory.NotSupported \
         InvalidDiskCategory.ValueNotSupported InvalidInstanceType.NotSupportDiskCategory \
         InvalidPerformanceLevel.ValueNotSupported InvalidSystemDiskCategory.Value* \
         OperationDenied.CloudSSDNotSupported OperationDenied.ZoneSystemCategoryNotMatch",
    ),
    (
        "RunInstances",
        Class::Invalid,
        "IncorrectImageStatus InvalidImageId.NotFound InvalidSnapshotId.NotFound",
    ),
    ("CopyImage", Class::Invalid, "InvalidSnapshotId.NotFound"),
    ("DescribePrice", Class::Invalid, "InvalidImageId.NotFound"),
    (
        "DescribeAvailableResource",
        Class::Invalid,
        "InvalidResourceId.NotFound",
    ),
    ("DeleteInstances", Class::Invalid, "InvalidParameter"),
    // A token is still being worked on, or a nonce arrived twice: the first one may get through.
    (
        "",
        UNSURE,
        "IdempotentProcessing InternalError* LastTokenProcessing Mayi.InternalError \
         ServiceUnavailable* LimitedOperation.ServiceUnavailable SignatureNonceUsed UnknownError",
    ),
    (
        "",
        REFUSED,
        "IncorrectVSwitchStatus IncorrectVpcStatus InvalidOperation.Conflict \
         NodeControllerUnavailable Operation.Conflict OperationConflict \
         OperationDenied.CreatingConflict OperationDenied.QueryFail",
    ),
    (
        "",
        Class::NotYet,
        "DependencyViolation.RouteEntry DependencyViolation.SLBConfiguring DiskError \
         ImageIsExporting ImageIsImporting IncorrectDiskStatus \
         IncorrectDiskStatus.CreatingSnapshot IncorrectDiskStatus.Transferring \
         IncorrectImageStatus IncorrectInstanceStatus IncorrectInstanceStatus.Initializing \
         InstanceNotReady InvalidImageName.Duplicated InvalidOperation.RelatedSnapshotNotFinished InvalidSnapshotId.NotReady \
         InvalidStatus.ImageIsCreating OperationDenied.ImageCopy* \
         QuotaExceed.ConcurrentSnapshotQuota SnapshotCreatedImage SnapshotNotReady \
         TooManySnapshot.Unfinished",
    ),
    (
        "",
        Class::Gone,
        "Forbidden.InstanceNotFound InvalidImageId.NotFound InvalidInstanceId.NotFound \
         InvalidInstanceIds.NotFound InvalidResource.NotFound InvalidResourceId.NotFound \
         InvalidSnapshotId.NotFound NoSuchResource",
    ),
    (
        "",
        Class::InUse,
        "ImageIsPublic ImageUseShared ImageUsingByInstance InvalidOperation.EniLinked \
         OperationDeined.ImageUsingByInstance SnapshotCreatedDisk",
    ),
    (
        "",
        Class::TokenUsed,
        "IdempotenceParamNotMatch IdempotentParameterMismatch \
         InvalidIdempotenceParameter.Mismatch InvalidParamter.Conflict",
    ),
    (
        "",
        Class::Account,
        "Account.Arrearage AccountEnterpriseStatusInvalid AccountForbidden.* \
         Forbidden.RiskControl InsufficientBalance* InvalidAccountStatus* \
         OperationDenied.CashCouponsInsufficientOrExpired PaymentMethodNotFound \
         RealNameAuthenticationError SecurityRisk.3DVerification",
    ),
    (
        "",
        Class::Denied,
        "CreateServiceLinkedRole.NoPermission Forbbiden* Forbedden.* Forbidden Forbidden.* \
         IllegalTimestamp IncompleteSignature InvalidAccessKeyId.* InvalidAccessKeySecret \
         InvalidAction.Unauthorized InvalidSecurityToken.* InvalidTimeStamp.* \
         InvalidUser.PassRoleForbidden InvalidUser.Unauthorized MissingAccessKeyId \
         MissingSecurityToken NoPermission* Operation.Forbidden OperationDenied.NotAuthorized \
         ParameterStore.NoPermission PermissionDenied.* RegionUnauthorized SignatureDoesNotMatch \
         TemporaryAccessKey.Error Unauthorized*",
    ),
    // What only a request that asks for a dry run may be answered.
    ("", Class::Bug, DRY_RUN_PASSED),
];

const DRY_RUN_PASSED: &str = "DryRunOperation DRYRUN.SUCCESS";

fn is_about(row: &Row, action: &str, code: &str) -> bool {
    let (only, _, codes) = row;
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => code.starts_with(start),
        None => code == pattern,
    };
    (only.is_empty() || *only == action) && codes.split_ascii_whitespace().any(fits)
}

/// What an error means for us. A code that is not known is transient when its status or its name says so.
pub fn class(action: &str, status: u16, code: &str, message: &str) -> Class {
    let row = ROWS.iter().find(|row| is_about(row, action, code));
    let class = match row {
        _ if token_has_expired(code, message) => Class::Denied,
        Some((_, class, _)) => class.clone(),
        None if status == 429 || code.contains("Throttling") => Class::Throttled { wait: None },
        None if status >= 500 => UNSURE,
        // Whatever else is wrong with a role, it gives no key.
        None if action.starts_with(ROLES) => Class::Denied,
        None => Class::Invalid,
    };
    if class == UNSURE && is_read(action) {
        REFUSED
    } else {
        class
    }
}

/// How the actions of STS begin that give a session of a role.
const ROLES: &str = "AssumeRole";

fn is_read(action: &str) -> bool {
    ["Describe", "Get", "List", ROLES]
        .iter()
        .any(|it| action.starts_with(it))
}

/// ECS was seen to answer `InvalidParameter` for it, with the reason in the message alone.
fn token_has_expired(code: &str, message: &str) -> bool {
    code.starts_with("InvalidSecurityToken.Expired") || message.contains("SecurityToken.Expired")
}

/// Whether the service says that a temporary key has come to its end.
pub(super) fn key_is_over(fault: &Fault) -> bool {
    token_has_expired(fault.code.as_deref().unwrap_or_default(), &fault.message)
}

/// What a status means where nothing but the status tells.
pub(super) fn class_of_status(status: u16) -> Class {
    match status {
        429 => Class::Throttled { wait: None },
        500.. => REFUSED,
        _ => Class::Denied,
    }
}

/// Whether the service thinks that our clock is wrong.
pub(super) fn clock_is_off(fault: &Fault) -> bool {
    let code = fault.code.as_deref().unwrap_or_default();
    code.starts_with("InvalidTimeStamp.") || code == "IllegalTimestamp"
}

/// Whether this is how the service says that a dry run would have succeeded.
pub(super) fn dry_run_passed(fault: &Fault) -> bool {
    fault
        .code
        .as_deref()
        .is_some_and(|code| DRY_RUN_PASSED.split_ascii_whitespace().any(|it| it == code))
}

/// An error as it came back.
pub(super) struct Refusal<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) credentials: &'a Credentials,
    /// What was signed.
    pub(super) signed: &'a super::call::Parameters,
    pub(super) status: u16,
    /// The wait that the service asks for.
    pub(super) wait: Option<Duration>,
    pub(super) body: &'a Map<String, Value>,
}

impl Refusal<'_> {
    /// What it means, without secrets.
    pub(super) fn fault(&self) -> Fault {
        let (code, message) = (self.text("Code"), self.text("Message"));
        let mut class = class(self.call.action, self.status, code, message);
        if matches!(class, Class::Throttled { .. }) {
            class = Class::Throttled { wait: self.wait };
        } else if class == Class::Invalid && self.lacks().is_some() {
            class = Class::Denied;
        }
        let (words, _) = split_server_string(message);
        Fault {
            hint: self
                .hint(&class, code, message)
                .map(|it| self.credentials.clean(&it)),
            subject: self.call.subject.map(str::to_owned),
            service: Some(self.call.service.name()),
            code: Some(self.credentials.clean(code)),
            status: Some(self.status),
            request_id: Some(self.credentials.clean(self.text("RequestId")))
                .filter(|it| !it.is_empty()),
            ..Fault::new(class, self.call.doing, &self.credentials.clean(words))
        }
    }

    fn text(&self, name: &str) -> &str {
        self.body
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The permission that was missing, where the service says so.
    fn lacks(&self) -> Option<&str> {
        let action = self
            .body
            .get("AccessDeniedDetail")?
            .get("AuthAction")?
            .as_str()?;
        Some(action).filter(|it| !it.is_empty())
    }

    fn hint(&self, class: &Class, code: &str, message: &str) -> Option<String> {
        let (key, secret) = (
            &self.credentials.key_source,
            &self.credentials.secret_source,
        );
        let hint = match code {
            "SignatureDoesNotMatch" | "IncompleteSignature" => match split_server_string(message).1
            {
                Some(theirs) if theirs == string_to_sign("POST", self.signed) => {
                    format!("the secret in {secret} is not the one of the key in {key}")
                }
                Some(_) => {
                    "the service received another request than was signed: a proxy changed it, \
                            or the signer is wrong; the secret may be right"
                        .to_owned()
                }
                None => {
                    format!("the secret in {secret} may be wrong, or a proxy changed the request")
                }
            },
            _ if token_has_expired(code, message) => {
                format!(
                    "the security token that goes with the key in {key} has expired, get a new one"
                )
            }
            "MissingSecurityToken" => {
                format!("the key in {key} is temporary and needs its security token beside it")
            }
            _ if code.starts_with("InvalidSecurityToken.") => {
                format!("the security token does not go with the key in {key}")
            }
            _ if code.starts_with("InvalidAccessKeyId.") => {
                format!("the key in {key} does not exist or is switched off")
            }
            _ if code.starts_with("InvalidTimeStamp.") || code == "IllegalTimestamp" => {
                "the clock of this machine and that of the service are more than 15 minutes apart"
                    .to_owned()
            }
            _ if code.starts_with("InvalidRegionId.") => {
                "is the region's name right, and does its endpoint go with it?".to_owned()
            }
            _ => return self.hint_of(class),
        };
        Some(hint)
    }

    fn hint_of(&self, class: &Class) -> Option<String> {
        match class {
            Class::Denied => {
                let ours = format!("{}:{}", self.call.service.name(), self.call.action);
                let action = self.lacks().unwrap_or(&ours);
                Some(format!(
                    "the key in {} lacks {action}",
                    self.credentials.key_source
                ))
            }
            Class::Account => {
                Some("the account is in arrears or blocked, its console says why".to_owned())
            }
            Class::Invalid
            | Class::NoCapacity
            | Class::DiskUnsupported
            | Class::InUse
            | Class::Gone
            | Class::NotYet
            | Class::TokenUsed
            | Class::Throttled { .. }
            | Class::Unavailable { .. }
            | Class::Bug => None,
        }
    }
}

/// Cuts off what the service says it signed, which holds the security token.
fn split_server_string(message: &str) -> (&str, Option<&str>) {
    match message.split_once("server string to sign is:") {
        Some((words, theirs)) => (words.trim_end(), Some(theirs.trim())),
        None => (message, None),
    }
}
