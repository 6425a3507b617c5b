//! What the service refuses, and what of it is told.

use reconcile::fault::Class;
use reconcile::ids::{ImageId, InstanceId, SnapshotId};
use reconcile::providers::aliyun::ImageChange;
use reconcile::providers::aliyun::sign::string_to_sign;
use serde_json::json;

use super::{Cloud, Form, Reply, SECRET, TOKEN, error, ok};

fn image() -> ImageId {
    ImageId::new("m-1")
}

/// The words of the fault that deleting an image ends with, and its class.
async fn refused(script: impl FnMut(usize, &Form) -> Reply + Send + 'static) -> (String, Class) {
    let cloud = Cloud::new(script).await;
    let fault = cloud
        .clients
        .aliyun
        .delete_image(&cloud.place, &image())
        .await
        .expect_err("refused");
    let shown = format!("{fault} {fault:?}");
    assert!(
        !shown.contains(SECRET) && !shown.contains(TOKEN) && !shown.contains("token%2Fof"),
        "{shown}"
    );
    (fault.to_string(), fault.class)
}

fn mismatch(server_string: &str) -> Reply {
    let words =
        "Specified signature is not matched with our calculation. server string to sign is:";
    error(
        400,
        "SignatureDoesNotMatch",
        &format!("{words}{server_string}"),
    )
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_told_from_a_changed_request() {
    let (words, class) = refused(|_, form| {
        let mut signed = form.clone();
        signed.remove("Signature");
        mismatch(&string_to_sign("POST", &signed))
    })
    .await;
    assert_eq!(class, Class::Denied);
    assert_eq!(
        words,
        "cannot delete an image (m-1): 400: SignatureDoesNotMatch: Specified signature is not matched with our calculation.\n  \
         hint: the secret in ALIBABA_CLOUD_ACCESS_KEY_SECRET is not the one of the key in ALIBABA_CLOUD_ACCESS_KEY_ID"
    );
    let (words, _) = refused(|_, _| mismatch("POST&%2F&Other")).await;
    assert!(
        words.contains("a proxy changed it") && !words.contains("Other"),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_says_so() {
    for (code, message) in [
        (
            "InvalidSecurityToken.Expired",
            "Specified SecurityToken is expired.",
        ),
        (
            "InvalidParameter",
            "The specified parameter \"SecurityToken.Expired\" is not valid.",
        ),
    ] {
        let (words, class) = refused(move |_, _| error(400, code, message)).await;
        assert_eq!(class, Class::Denied);
        assert!(words.contains("has expired, get a new one"), "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_comes_back_is_not_shown() {
    let message = format!("{TOKEN} and {SECRET}\u{1b}[31m\n::error::x");
    let (words, _) =
        refused(move |_, _| error(400, "InvalidSecurityToken.Malformed", &message)).await;
    assert!(
        words.contains("*** and *** [31m ::error::x\n  hint"),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_names_the_action() {
    let (words, class) = refused(|_, _| error(403, "Forbidden.RAM", "User not authorized.")).await;
    assert_eq!(class, Class::Denied);
    assert!(
        words.ends_with("the key in ALIBABA_CLOUD_ACCESS_KEY_ID lacks ecs:DeleteImage"),
        "{words}"
    );
    let (words, class) = refused(|_, _| {
        let body = json!({"RequestId": "R", "Code": "NeverSeen", "Message": "no",
            "AccessDeniedDetail": {"AuthAction": "ecs:DeleteSnapshot"}});
        Reply::Answer(403, Vec::new(), body.to_string())
    })
    .await;
    assert_eq!(class, Class::Denied);
    assert!(words.ends_with("lacks ecs:DeleteSnapshot"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_does_not_exist_is_told() {
    let (words, class) = refused(|_, _| {
        error(
            404,
            "InvalidRegionId.NotFound",
            "The specified RegionId does not exist.",
        )
    })
    .await;
    assert_eq!(class, Class::Invalid);
    assert!(words.contains("is the region's name right"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_deleted_already() {
    let cloud = Cloud::new(|_, form| {
        let code = match form["Action"].as_str() {
            "DeleteImage" => "InvalidImageId.NotFound",
            "DeleteSnapshot" => "InvalidSnapshotId.NotFound",
            _ => "InvalidInstanceId.NotFound",
        };
        error(404, code, "The specified object does not exist.")
    })
    .await;
    let (aliyun, place) = (&cloud.clients.aliyun, &cloud.place);
    assert_eq!(aliyun.delete_image(place, &image()).await, Ok(()));
    assert_eq!(
        aliyun.delete_snapshot(place, &SnapshotId::new("s-1")).await,
        Ok(())
    );
    assert_eq!(
        aliyun.delete_instance(place, &InstanceId::new("i-1")).await,
        Ok(())
    );
    let requests = cloud.requests();
    assert!(!requests[0].contains_key("Force"));
    assert_eq!(
        (&*requests[1]["Force"], &*requests[2]["Force"]),
        ("true", "true")
    );
    let change = ImageChange {
        name: Some("x".to_owned()),
        family: None,
    };
    assert!(aliyun.modify_image(place, &image(), &change).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn instances_are_visible_when_a_dry_run_passes() {
    let cloud = Cloud::new(|request, _| match request {
        1 => ok(&json!({"Instances": {"Instance": []}, "NextToken": ""})),
        2 => error(403, "Forbidden.RAM", "User not authorized."),
        _ => error(
            400,
            "DryRunOperation",
            "Request validation has been passed with DryRun flag set.",
        ),
    })
    .await;
    let prove = || cloud.clients.aliyun.prove_instances_visible(&cloud.place);
    for _ in 0..2 {
        let fault = prove().await.expect_err("not proven");
        assert_eq!(fault.class, Class::Denied);
        assert!(
            fault
                .hint
                .is_some_and(|it| it.ends_with("ecs:DescribeInstances"))
        );
    }
    assert_eq!(prove().await, Ok(()));
    assert_eq!(prove().await, Ok(()));
    assert_eq!(cloud.requests().len(), 3);
    cloud.clients.forget();
    assert_eq!(prove().await, Ok(()));
    assert_eq!(cloud.requests().len(), 4);
}
