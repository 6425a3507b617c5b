//! What error codes mean: the published table row by row, and what every action may answer.

use reconcile::fault::Class;
use reconcile::providers::aliyun::fault::class;
use serde_json::Value;

use crate::proofs::figure;

/// What the table's word for a code means for us; `fatal` says only that the same request fails again.
fn expected(code: &str, word: &str) -> &'static str {
    match word {
        "retry" if code.contains("Throttling") => "Throttled",
        "retry" => "Unavailable",
        "wait" => "NotYet",
        "gone" => "Gone",
        "next" => "NoCapacity",
        "disk" => "DiskUnsupported",
        "dryrun-ok" => "Bug",
        "fatal" => {
            let named = REFINEMENTS
                .iter()
                .find(|(_, codes)| codes.split_whitespace().any(|it| it == code));
            named.map_or("Invalid", |(class, _)| class)
        }
        _ => panic!("{code}: unknown word {word}"),
    }
}

const REFINEMENTS: [(&str, &str); 5] = [
    // Somebody took the name since it was looked at; the next look finds another one.
    ("NotYet", "InvalidImageName.Duplicated"),
    (
        "Denied",
        "CreateServiceLinkedRole.NoPermission Forbbiden Forbbiden.SubUser Forbedden.NotSupportRAM \
         Forbidden.OnlySupportEnterpriseGroup Forbidden.RegionId InvalidAction.Unauthorized \
         InvalidUser.PassRoleForbidden InvalidUser.Unauthorized NoPermission.Price NoPermission.SystemTag \
         NoPermission.Tag NoPermissionKey.Scope Operation.Forbidden OperationDenied.NotAuthorized \
         ParameterStore.NoPermission PermissionDenied.Scope PermissionDenied.TagOwnerBid \
         PermissionDenied.TagOwnerUid PermissionDenied.TagsFuzzyQuery RegionUnauthorized \
         TemporaryAccessKey.Error Unauthorized.EmptyRegion",
    ),
    (
        "Account",
        "Account.Arrearage AccountEnterpriseStatusInvalid AccountForbidden.AssociatedWithResellerPartner \
         AccountForbidden.CreateOrder AccountForbidden.ProductCreationLimited Forbidden.RiskControl \
         InsufficientBalance InsufficientBalance.AgentCredit InvalidAccountStatus \
         InvalidAccountStatus.NotEnoughBalance InvalidAccountStatus.PayAmountLimitExceeded \
         InvalidAccountStatus.SnapshotServiceUnavailable OperationDenied.CashCouponsInsufficientOrExpired \
         PaymentMethodNotFound RealNameAuthenticationError SecurityRisk.3DVerification",
    ),
    (
        "InUse",
        "ImageIsPublic ImageUseShared ImageUsingByInstance InvalidOperation.EniLinked \
         OperationDeined.ImageUsingByInstance SnapshotCreatedDisk",
    ),
    (
        "TokenUsed",
        "IdempotenceParamNotMatch IdempotentParameterMismatch InvalidParamter.Conflict",
    ),
];

#[test]
fn every_published_code_has_the_class_that_the_table_says() {
    let text = include_str!("../golden/aliyun/ecs-errors.json");
    let table: Value = serde_json::from_str(text).expect("the table is JSON");
    let mut rows = 0;
    let mut wrong = Vec::new();
    for (action, codes) in table["client_class"]["by_action"]
        .as_object()
        .expect("actions")
    {
        for (code, word) in codes.as_object().expect("codes") {
            let published = table["actions"][action][code]["http"]
                .as_array()
                .expect("statuses");
            let fallback = if published.is_empty() {
                Some(400)
            } else {
                None
            };
            let expected = expected(code, word.as_str().expect("a word"));
            for status in published.iter().filter_map(Value::as_u64).chain(fallback) {
                let status = u16::try_from(status).expect("a status");
                let class = class(action, status, code, "");
                if class.name() != expected {
                    wrong.push(format!(
                        "{action} {status} {code}: {} is not {expected}",
                        class.name()
                    ));
                }
            }
            rows += 1;
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(rows, 1122);
    figure(
        "published error codes, each with its class",
        &rows.to_string(),
    );
}

#[test]
fn codes_that_every_action_may_answer() {
    for line in "
        DeleteImage    400 SignatureDoesNotMatch                  Denied
        DeleteImage    403 Forbidden.RAM                          Denied
        DeleteImage    403 UnauthorizedOperation                  Denied
        DeleteImage    400 InvalidSecurityToken.Expired           Denied
        DeleteImage    404 InvalidAccessKeyId.NotFound            Denied
        DeleteImage    400 InvalidTimeStamp.Expired               Denied
        DeleteImage    404 InvalidRegionId.NotFound               Invalid
        DeleteImage    400 MissingParameter.ImageId               Invalid
        DeleteInstance 403 Forbidden.InstanceNotFound             Gone
        DeleteSnapshot 404 InvalidResource.NotFound               Gone
        RunInstances   400 IdempotentParameterMismatch            TokenUsed
        RunInstances   403 InvalidIdempotenceParameter.Mismatch   TokenUsed
        DeleteImage    400 Rejected.Throttling                    Throttled
        DeleteImage    429 TooFast                                Throttled
        DeleteImage    418 NeverSeen                              Invalid
    "
    .lines()
    {
        let [action, status, code, expected] = line.split_whitespace().collect::<Vec<_>>()[..]
        else {
            continue;
        };
        let status = status.parse().expect("a status");
        assert_eq!(class(action, status, code, "").name(), expected, "{line}");
    }
}

#[test]
fn a_write_may_have_been_applied_unless_it_was_refused() {
    for (action, status, code, expected) in [
        ("DeleteImage", 500, "InternalError", true),
        ("DescribeImages", 500, "InternalError", false),
        (
            "DescribeImages",
            503,
            "ServiceUnavailable.RegionMaintaining",
            false,
        ),
        ("RunInstances", 403, "LastTokenProcessing", true),
        ("DeleteImage", 409, "OperationConflict", false),
        ("DeleteImage", 502, "NeverSeen", true),
    ] {
        let expected = Class::Unavailable {
            maybe_applied: expected,
        };
        assert_eq!(class(action, status, code, ""), expected, "{action} {code}");
    }
}

#[test]
fn a_token_that_expired_is_told_by_the_message_alone() {
    let message = "The specified parameter \"SecurityToken.Expired\" is not valid.";
    assert_eq!(
        class("DeleteImage", 400, "InvalidParameter", message),
        Class::Denied
    );
}
