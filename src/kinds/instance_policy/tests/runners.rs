//! The same where runner lists tell who has work.

use super::{check, check_beside};

const RUNNERS: &str = r#"{"runnersOf": ["https://github.com/o/r"]}"#;

#[test]
fn nothing_goes_while_a_list_of_runners_cannot_be_read() {
    check(
        RUNNERS,
        "i-1 running 01:00:00
         i-2 running 01:00:00 retiring
         i-3 starting 01:00:00
         i-4 stopped 01:00:00 idle=11:00:00",
        "EvidenceUnavailable
         ? i-1 who has work: cannot list the runners: nobody was asked
         ? i-2 who has work: cannot list the runners: nobody was asked
         ? i-3 who has work: cannot list the runners: nobody was asked
         ? i-4 who has work: cannot list the runners: nobody was asked",
    );
}

#[test]
fn a_machine_whose_runner_has_a_job_stays_whatever_its_age_and_its_marks() {
    check_beside(
        RUNNERS,
        "i-1 running 01:00:00 name=a
         i-2 running 01:00:00 name=b idle=11:00:00
         i-3 running 01:00:00 name=c retiring idle=11:00:00
         i-4 stopped 01:00:00 name=d",
        (
            "a online busy\nb online busy\nc online busy\nd offline busy",
            "",
        ),
        "~ i-2 b: clear the idle mark [it may work again]
         ~ i-3 c: recall, it is not to be removed [it has work, or may have again]
         Lost: i-4 is down, and GitHub waits for its runner
         again in 60 s",
    );
}

#[test]
fn a_runner_without_a_job_is_marked_and_goes_before_its_machine() {
    check_beside(
        RUNNERS,
        "i-1 running 11:00:00 name=a
         i-2 running 11:00:00 name=b idle=11:50:00
         i-3 running 11:00:00 name=c idle=11:49:59",
        ("a online\nb online\nc online", ""),
        "~ i-1 a: mark idle from now [it has no work]
         ~ i-3 c: mark retiring [idleAfter=10m]
         ~ i-3 c: remove the runner of o/r [idleAfter=10m]
         - i-3 c  ecs.c8y.large [idleAfter=10m]
         Idling: i-2 has no work and goes when that has lasted 10m
         again in 1 s",
    );
}

#[test]
fn a_machine_without_a_runner_that_is_connected_goes_by_its_age_alone() {
    check_beside(
        RUNNERS,
        "i-1 running 11:00:00 name=a
         i-2 running 07:00:00 name=b
         i-3 running 11:00:00 name=c idle=11:00:00
         i-4 running 11:00:00 name=d retiring
         i-5 running 07:00:00 name=e",
        ("b offline\nc offline", ""),
        "~ i-2 b: mark retiring [maxAge=4h]
         ~ i-2 b: remove the runner of o/r [maxAge=4h]
         - i-2 b  ecs.c8y.large [maxAge=4h]
         ~ i-3 c: clear the idle mark [it may work again]
         ~ i-4 d: mark retiring [resume]
         ~ i-5 e: mark retiring [maxAge=4h]
         Retiring: i-4 goes when no other list shows a runner of it
         again in 300 s",
    );
}

#[test]
fn a_record_goes_once_its_machine_has_been_gone_for_a_while() {
    let runners = "a offline
         b offline
         c online
         d offline busy
         e offline persistent
         f offline untold
         g offline";
    check_beside(
        RUNNERS,
        "i-1 running 11:59:00 name=g",
        (runners, "2=11:45:00 9=01:00:00"),
        "- 2 runner b of o/r, its machine is gone [its machine is gone]
         Left: the runner a has no machine and goes when that has lasted
         again in 900 s",
    );
    check_beside(
        r#"{"runnersOf": ["https://github.com/o/r"], "sweepRunners": false}"#,
        "i-1 running 11:59:00 name=g",
        (runners, "2=11:45:00"),
        "again in 14341 s",
    );
}
