//! Builds that come to nothing, and what goes.

use crate::clock::Timestamp;

use super::{check, check_of, lines, now, plan, resource, seen, show};

#[test]
fn a_reclaimed_machine_is_no_fault_of_the_version() {
    let spec = r#"{"backoff": {"limit": 1}}"#;
    assert_eq!(
        check_of(spec, "command i-1 v cut 5"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check("builder i-1 v reclaimed 9 +111\n command i-1 v running 5"),
        lines(&[
            "working Building: p-amd64: i-1 is taken back by the service",
            "again in 15 s"
        ])
    );
}

#[test]
fn a_machine_that_goes_down_before_its_time_is_given_up() {
    assert_eq!(
        check("builder i-1 v stopped 3 +111"),
        lines(&[
            "- i-1 release b",
            "working Building: p-amd64: i-1 is given up: it stopped before it was provisioned",
            "remember build-failed amd64 v i-1 it stopped before it was provisioned",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v stopped 9 +111\n command i-1 v running 5"),
        lines(&[
            "- i-1 release b",
            "working Building: p-amd64: i-1 is given up: it stopped while its script ran",
            "remember build-failed amd64 v i-1 it stopped while its script ran",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v running 50 +70\n command i-1 v running 45"),
        lines(&[
            "- i-1 release b",
            "working Building: p-amd64: i-1 is given up: its script did not come to an end",
            "remember build-failed amd64 v i-1 its script did not come to an end",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("lost i-1 v 0"),
        lines(&[
            "working BuildFailed: p-amd64: a build came to nothing (i-1: it failed); next at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
    assert_eq!(
        check("lost i-1 v 1\n lost i-0 old 1"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet",
            "forget build-failed amd64 old i-0 it failed"
        ])
    );
}

#[test]
fn an_image_that_could_not_be_made_is_made_again_of_the_same_machine() {
    let machine = "builder i-1 v stopped 9 +111\n command i-1 v ok 5";
    assert_eq!(
        check(&format!("{machine}\n image m-1 v failed 202611211151")),
        lines(&[
            "~ m-1 p-amd64-202611211151: mark snapshot s-1 to go with it",
            "- m-1 p-amd64-202611211151  20 GiB, created 2026-11-21T02:17:30Z, unused",
            "working Building: p-amd64: i-1 has an image that could not be made",
            "remember build-failed amd64 v m-1 the image could not be made",
            "forget snapshots-swept",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check(&format!("{machine}\n lost m-1 v 1")),
        lines(&[
            "+ i-1 b → image p-amd64-202611211151",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check(&format!("{machine}\n lost m-1 v 0")),
        lines(&[
            "working BuildFailed: p-amd64: a build came to nothing (m-1: it failed); next at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
}

#[test]
fn of_two_machines_for_one_version_the_one_with_the_lowest_id_stays() {
    assert_eq!(
        check("builder i-1 v running 2 +118\n builder i-2 v running 2 +118\n online i-1"),
        lines(&[
            "- i-2 release b",
            "~ i-1 provision b, at most 35m",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
}

#[test]
fn a_machine_for_another_version_goes_unless_its_image_is_being_made() {
    assert_eq!(
        check("builder i-1 old running 2 +118"),
        lines(&[
            "- i-1 release b",
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check("builder i-1 old stopped 9 +111\n image m-1 old making 202611211151"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: the image of p-amd64 is being made"
        ])
    );
}

#[test]
fn without_a_base_or_an_offer_it_says_so() {
    assert_eq!(
        check("base none"),
        "stuck NoBase: p-amd64: there is no Available image of ubuntu 24.04, owner system, for amd64, so nothing can be built"
    );
    assert_eq!(
        check("offers none"),
        "stuck NoCapacity: p-amd64: there is no type of amd64 with 8 to 64 cores and 8Gi to 64Gi as the class wants it"
    );
    assert_eq!(
        check("offers gone"),
        lines(&[
            "working NoCapacity: p-amd64: no machine of amd64 with 8 to 64 cores and 8Gi to 64Gi can be had: 1 of 1 types are nowhere in stock",
            "again in 900 s"
        ])
    );
}

#[test]
fn a_line_that_is_to_go_releases_its_machines_first() {
    let mut resource = resource("{}");
    resource.policy.ensure = crate::resource::Goal::Absent;
    let seen = seen(
        "builder i-1 v running 2 +118\n image m-1 v there latest",
        &resource,
    );
    assert_eq!(
        show(&plan(&resource, &seen, now()), &resource, &seen),
        lines(&[
            "- i-1 release b",
            "~ m-1 p-amd64-latest: mark snapshot s-1 to go with it",
            "- m-1 p-amd64-latest  20 GiB, created 2026-11-21T02:17:30Z, unused"
        ])
    );
}

#[test]
fn a_machine_whose_image_is_refused_is_not_kept_for_ever() {
    for phase in ["running", "stopped"] {
        let given_up = check(&format!(
            "builder i-1 v {phase} 60 +60\n command i-1 v ok 31"
        ));
        assert_eq!(
            given_up,
            lines(&[
                "- i-1 release b",
                "working Building: p-amd64: i-1 is given up: its image could not be begun",
                "remember build-failed amd64 v i-1 its image could not be begun",
                "again in 15 s",
            ])
        );
        let kept = check(&format!(
            "builder i-1 v {phase} 60 +60\n command i-1 v ok 30"
        ));
        assert!(!kept.contains("released"), "{kept}");
    }
}

#[test]
fn a_machine_is_not_kept_for_an_image_that_does_not_come_in_half_a_day() {
    let (resource, text) = (
        resource("{}"),
        "builder i-1 v stopped 90 +30\n image m-1 v making 202611211151",
    );
    for (hours, is_kept) in [(11, true), (12, false)] {
        let mut seen = seen(text, &resource);
        let created = now().millis() - hours * 3_600_000;
        seen.images[0].created = Some(Timestamp::from_millis(created));
        let plan = plan(&resource, &seen, now());
        assert_eq!(plan.steps.len() == 1, is_kept, "{:?}", plan.steps);
    }
}

#[test]
fn a_script_that_succeeds_makes_up_for_nothing_while_its_image_fails() {
    let spec = r#"{"backoff": {"limit": 3}}"#;
    let first = "command i-1 v ok 200\n lost m-1 v 190\n lost m-2 v 180";
    let second = "command i-2 v ok 100\n lost m-3 v 90";
    assert_eq!(
        check_of(spec, &format!("{first}\n {second}")),
        "stuck BuildFailed: p-amd64: 3 builds of version v failed in a row (m-3: it failed): mend that, or change spec.forceNonce"
    );
}

#[test]
fn a_machine_that_was_taken_away_before_its_script_needs_a_token_of_its_own_next_time() {
    for (minutes, attempts) in [(4, 0), (5, 1)] {
        let resource = resource("{}");
        let seen = seen(&format!("was i-1 v {minutes}"), &resource);
        let steps = plan(&resource, &seen, now()).steps;
        let launch = serde_json::to_string(&steps[0].op).expect("an effect is data");
        let attempt = format!("\"attempt\":{attempts}}}");
        assert!(launch.contains(&attempt), "{minutes}: {launch}");
    }
}

#[test]
fn an_image_that_is_not_shown_any_more_is_missed_for_a_while_before_it_is_built_anew() {
    assert_eq!(
        check("built m-1 v 90"),
        lines(&[
            "working ImageMissing: p-amd64: m-1 is not shown any more; if it stays so, it is built anew at 2026-11-21T12:05:00Z",
            "remember build-missing amd64 v m-1",
            "again in 300 s"
        ])
    );
    assert_eq!(
        check("built m-1 v 90\n missing m-1 v 4"),
        lines(&[
            "working ImageMissing: p-amd64: m-1 is not shown any more; if it stays so, it is built anew at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
    assert_eq!(
        check("built m-1 v 90\n missing m-1 v 5"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    let resource = resource("{}");
    let shown = "built m-1 v 90\n missing m-1 v 4\n image m-1 v available latest";
    let plan = plan(&resource, &seen(shown, &resource), now());
    let forgotten = plan.remember.iter().filter(|(_, when)| when.is_none());
    let forgotten: Vec<&str> = forgotten.map(|(name, _)| name.as_ref()).collect();
    assert_eq!(forgotten.len(), 1, "{forgotten:?}");
    assert!(
        forgotten[0].starts_with("build-missing amd64"),
        "{forgotten:?}"
    );
}

#[test]
fn an_image_that_is_shown_and_does_not_do_is_not_missed() {
    for shown in [
        "image m-1 old available 202611211151",
        "image m-1 v failed 202611211151",
    ] {
        let said = check(&format!("built m-1 v 90\n {shown}"));
        assert!(!said.contains("ImageMissing"), "{said}");
    }
}

#[test]
fn a_command_that_ends_without_a_code_while_its_machine_is_there_counts() {
    let spec = r#"{"backoff": {"limit": 1}}"#;
    let there = "builder i-1 v running 9 +111\n command i-1 v silent 5";
    let said = check_of(spec, there);
    assert!(said.contains("(its script: Failed)"), "{said}");
    let gone = check_of(spec, "command i-1 v silent 5");
    assert!(gone.contains("launch"), "{gone}");
}

#[test]
fn an_image_that_fails_late_is_made_again_of_the_same_machine() {
    let said = check("builder i-1 v stopped 50 +70\n command i-1 v ok 36\n lost m-1 v 2");
    assert!(said.starts_with("+ i-1 b → image"), "{said}");
    let given_up = check("builder i-1 v stopped 99 +70\n command i-1 v ok 66\n lost m-1 v 31");
    assert!(
        given_up.contains("its image could not be begun"),
        "{given_up}"
    );
}

#[test]
fn a_machine_for_an_architecture_that_was_taken_off_the_list_goes() {
    let resource = resource("{}");
    let mut seen = seen("builder i-1 v running 9 +111", &resource);
    let Some(crate::fact::Fact::Known(bench)) = &mut seen.bench else {
        panic!("it is known");
    };
    bench.builders[0].architecture = Some(crate::kinds::architecture::Architecture::Arm64);
    let plan = plan(&resource, &seen, now());
    let steps: Vec<String> = plan.steps.iter().map(|it| it.op.to_string()).collect();
    assert!(steps.contains(&"release b".to_owned()), "{steps:?}");
    assert_eq!(plan.rents.len(), 1);
}

#[test]
fn a_machine_goes_when_nothing_says_any_more_how_it_is_provisioned() {
    let built = resource("{}");
    let mut seen = seen("builder i-1 v running 9 +111\n was i-1 v 9", &built);
    let mut resource = resource("{}");
    (resource.spec.provision, resource.spec.base) = (None, None);
    let going = plan(&resource, &seen, now());
    let steps: Vec<String> = going.steps.iter().map(|it| it.op.to_string()).collect();
    assert_eq!(
        (steps, going.rents.len()),
        (vec!["release b".to_owned()], 1)
    );
    let Some(crate::fact::Fact::Known(bench)) = &mut seen.bench else {
        panic!("it is known");
    };
    bench.builders.clear();
    let gone = plan(&resource, &seen, now());
    assert!(gone.steps.is_empty());
    let forgotten = gone.remember.values().filter(|it| it.is_none()).count();
    assert_eq!(forgotten, 1, "{:?}", gone.remember);
}
