//! A build that goes on.

use super::super::why;
use super::{check, check_of, lines, now, plan, resource, seen, show};
use crate::kinds::tags;

#[test]
fn launches_a_machine_where_there_is_neither_image_nor_machine() {
    assert_eq!(
        check(""),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
}

#[test]
fn waits_while_the_machine_comes_up_and_until_it_takes_commands() {
    assert_eq!(
        check("builder i-1 v starting 1 +119"),
        lines(&[
            "working Building: p-amd64: i-1 is starting",
            "since 2026-11-21T11:59:00Z",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v running 2 +118"),
        lines(&[
            "working Building: p-amd64: i-1 does not take commands yet",
            "since 2026-11-21T11:58:00Z",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v running 2 +118\n online i-1"),
        lines(&[
            "~ i-1 provision b, at most 35m",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check("builder i-1 v running 16 +104"),
        lines(&[
            "- i-1 release b",
            "working Building: p-amd64: i-1 is given up: it never took commands",
            "remember build-failed amd64 v i-1 it never took commands",
            "again in 15 s"
        ])
    );
}

#[test]
fn images_a_provisioned_machine_once_it_is_stopped() {
    let command = "command i-1 v ok 3";
    assert_eq!(
        check(&format!("builder i-1 v running 9 +111\n{command}")),
        lines(&[
            "~ i-1 stop b",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check(&format!("builder i-1 v stopping 9 +111\n{command}")),
        lines(&[
            "working Building: p-amd64: i-1 is being stopped",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check(&format!("builder i-1 v stopped 9 +111\n{command}")),
        lines(&[
            "+ i-1 b → image p-amd64-202611211151",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check(&format!("builder i-1 v stopped 80 +40\n{command}")),
        lines(&[
            "~ i-1 keep b beyond 2026-11-21T12:40:00Z",
            "+ i-1 b → image p-amd64-202611211040",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
}

#[test]
fn keeps_the_machine_until_its_image_is_there() {
    assert_eq!(
        check("builder i-1 v stopped 9 +111\n image m-1 v making 202611211151"),
        lines(&[
            "working Building: p-amd64: the image p-amd64-202611211151 is being made",
            "since 2026-11-21T02:17:30Z",
            "again in 120 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v stopped 90 +30\n image m-1 v making 202611211151"),
        lines(&[
            "~ i-1 keep b beyond 2026-11-21T12:30:00Z",
            "working Building: p-amd64: the image p-amd64-202611211151 is being made",
            "since 2026-11-21T02:17:30Z",
            "again in 120 s"
        ])
    );
    assert_eq!(
        check("builder i-1 v stopped 9 +111\n image m-1 v there 202611211151"),
        lines(&[
            "~ m-1 p-amd64-202611211151 → p-amd64-latest, family p-amd64",
            "~ m-1 p-amd64-202611211151 gets the tag Latest=true"
        ])
    );
    assert_eq!(
        check("builder i-1 v stopped 9 +111\n image m-1 v there latest"),
        "- i-1 release b"
    );
    assert_eq!(check("image m-1 v there latest"), "");
}

#[test]
fn serves_the_image_of_another_version_until_the_wanted_one_is_there() {
    assert_eq!(
        check(
            "image m-0 old there latest\n builder i-1 v running 5 +115\n command i-1 v running 3"
        ),
        lines(&[
            "working Building: p-amd64: i-1 is being provisioned",
            "since 2026-11-21T11:57:00Z",
            "again in 90 s"
        ])
    );
}

#[test]
fn a_failed_script_releases_the_machine_and_backs_off() {
    assert_eq!(
        check("builder i-1 v running 9 +111\n command i-1 v 3 1"),
        lines(&[
            "- i-1 release b",
            "working BuildFailed: p-amd64: a build came to nothing (its script ended with exit code 3); next at 2026-11-21T12:00:00Z",
            "again in 15 s"
        ])
    );
    assert_eq!(
        check("command i-1 v 3 0"),
        lines(&[
            "working BuildFailed: p-amd64: a build came to nothing (its script ended with exit code 3); next at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
    assert_eq!(
        check("command i-1 v 3 2"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check("command i-1 v 3 9\n command i-2 v 4 1"),
        lines(&[
            "working BuildFailed: p-amd64: 2 builds came to nothing (its script ended with exit code 4); next at 2026-11-21T12:01:00Z",
            "again in 60 s"
        ])
    );
}

#[test]
fn gives_a_version_up_after_so_many_failures_in_a_row() {
    let twice = "command i-1 v 3 99\n command i-2 v timeout 50";
    let spec = r#"{"backoff": {"limit": 2}}"#;
    assert_eq!(
        check_of(spec, twice),
        "stuck BuildFailed: p-amd64: 2 builds of version v failed in a row (its script: Timeout): mend that, or change spec.forceNonce"
    );
    assert_eq!(
        check_of(spec, "command i-1 v 3 99\n command i-2 old 3 50"),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
    assert_eq!(
        check_of(
            spec,
            "command i-1 v 3 99\n command i-2 v ok 60\n command i-3 v 3 50"
        ),
        lines(&[
            "+ new launch p-amd64-build-v, ecs.c7.large in cn-hangzhou-k, 0.08 CNY/h, at most 0.08",
            "working ImageNotAvailable: there is no Available image of p-amd64 yet"
        ])
    );
}

#[test]
fn what_the_last_build_took_tells_when_this_one_is_over() {
    let resource = resource("{}");
    let text =
        "image m-0 old there latest\n builder i-1 v running 5 +115\n command i-1 v running 3";
    for (minutes, usually, again) in [
        (10, ", usually until 2026-11-21T12:05:00Z", 120),
        (6, ", usually until 2026-11-21T12:01:00Z", 90),
        (3, ", usually until 2026-11-21T11:58:00Z", 90),
        // What took days was not one build.
        (3000, "", 90),
    ] {
        let mut seen = seen(text, &resource);
        let created = seen.images[0].created.expect("it has a time").millis() / 1000;
        let launched = (created - minutes * 60).to_string();
        let tags = &mut seen.images[0].tags;
        tags.insert(tags::BUILD_TIMESTAMP.to_owned(), launched);
        assert_eq!(
            show(&plan(&resource, &seen, now()), &resource, &seen),
            lines(&[
                "working Building: p-amd64: i-1 is being provisioned",
                &format!("since 2026-11-21T11:57:00Z{usually}"),
                &format!("again in {again} s"),
            ])
        );
    }
}

#[test]
fn says_why_a_machine_is_there_or_goes() {
    let resource = resource("{}");
    for (text, said) in [
        (
            "builder i-1 v running 5 +115\n command i-1 v running 3",
            "Kept it builds p-amd64: i-1 is being provisioned; the service takes it back at 2026-11-21T13:55:00Z",
        ),
        (
            "builder i-1 v running 5 +115\n online i-1",
            "Kept it builds p-amd64: it takes commands, and is to be provisioned; the service",
        ),
        (
            "builder i-1 v stopped 9 +111\n image m-1 v there latest",
            "Goes the image of p-amd64 is there; the service takes it back at 2026-11-21T13:51:00Z",
        ),
        (
            "builder i-1 old running 5 +115",
            "Goes its version is not wanted any more; the service",
        ),
    ] {
        let seen = seen(text, &resource);
        let because = why(&resource, &seen, ("i-1", now())).expect("it is the line's");
        let it = format!("{:?} {}", because.fate, because.rule);
        assert!(it.starts_with(said), "{it}");
        assert_eq!(why(&resource, &seen, ("i-2", now())), None);
    }
}
