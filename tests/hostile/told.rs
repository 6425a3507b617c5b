//! What a run says, as text and as JSON: the same facts, each in its place.

use std::collections::BTreeSet;

use reconcile::report::printable;
use serde_json::Value;

use crate::cli::{Place, Run};

/// One run in both of its forms.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) text: Run,
    pub(super) report: Value,
}

/// Runs the same twice, as text and as JSON, and holds one against the other. The simulated world begins anew each time.
pub(super) fn tell(place: &Place, arguments: &[&str]) -> Told {
    let run = |arguments: &[&str]| {
        let run = place.run(arguments);
        let stdout = without_ports(&run.stdout);
        Run { stdout, ..run }
    };
    let text = run(arguments);
    let json = run(&[arguments, &["--output", "json"]].concat());
    for run in [&text, &json] {
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
    assert_eq!(text.code, json.code, "{}\n{}", text.stdout, json.stdout);
    let told = Told {
        report: json.json(),
        text,
    };
    told.agrees();
    told
}

impl Told {
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        let text = self.text.exits(code);
        Self { text, ..self }
    }

    /// Fails with everything when the text lacks some words.
    #[track_caller]
    pub(super) fn says(self, words: &str) -> Self {
        let text = &self.text.stdout;
        assert!(text.contains(words), "no {words} in\n{text}");
        self
    }

    /// The objects that were deleted.
    pub(super) fn deleted(&self) -> Vec<&str> {
        let is_deleted = |it: &&Value| it["verb"] == "delete" && it["result"] == "done";
        let deleted = self.list("actions").iter().filter(is_deleted);
        deleted.filter_map(|it| it["object"].as_str()).collect()
    }

    /// The sorts of objects that were deleted, by the first letter of their ids.
    pub(super) fn deleted_sorts(&self) -> String {
        let sorts: BTreeSet<&str> = self.deleted().iter().map(|it| &it[..1]).collect();
        sorts.into_iter().collect()
    }

    pub(super) fn list(&self, name: &str) -> &Vec<Value> {
        let list = self.report[name].as_array();
        list.unwrap_or_else(|| panic!("{name} is no list in {:#}", self.report))
    }

    /// Every fact of the JSON is in the text, and every line of the text is one of the JSON.
    fn agrees(&self) {
        let text = &self.text.stdout;
        let actions: Vec<String> = self.list("actions").iter().map(action_line).collect();
        let unknown = self.list("unknown").iter();
        let unknown: Vec<String> = unknown
            .map(|it| {
                let words = ["resource", "object", "reason"].map(|name| first_line(s(it, name)));
                printable(&format!("? {}", words.join("  ")))
            })
            .collect();
        let unmanaged = self.list("unmanaged").iter();
        let unmanaged: Vec<String> = unmanaged
            .map(|it| {
                let (kind, object) = (s(it, "kind"), s(it, "object"));
                let (name, reason) = (s(it, "name"), s(it, "reason"));
                printable(&format!("  left alone: {kind} {object}  {name}  {reason}"))
            })
            .collect();
        let is_plan = text
            .lines()
            .last()
            .is_some_and(|it| it.starts_with("Plan: "));
        // What a plan leaves to do are the lines of its actions.
        let is_left = |it: &String| is_plan && it.contains("  on its way: ActionsPlanned: ");
        let remarks = self.list("resources").iter().flat_map(remarks);
        let remarks: Vec<String> = remarks.filter(|it| !is_left(it)).collect();
        let lines = |is: fn(&str) -> bool| -> Vec<String> {
            text.lines()
                .filter(|it| is(it))
                .map(str::to_owned)
                .collect()
        };
        let starts: Vec<String> = lines(|it| it.starts_with(['+', '~', '-', '!']));
        assert_eq!(starts.len(), actions.len(), "{text}\n{:#}", self.report);
        for (line, action) in starts.iter().zip(&actions) {
            assert!(line.starts_with(action.as_str()), "{line}\n{action}");
        }
        assert_eq!(lines(|it| it.starts_with("? ")), unknown);
        let waits = self.report["calls"]["waitedFor"].as_object();
        let waits = waits.expect("waits are a map").iter();
        let waits: Vec<String> = waits
            .map(|(reason, seconds)| format!("  waited {seconds} s for {reason}"))
            .collect();
        let indented = lines(|it| it.starts_with("  ") && !it.starts_with("   "));
        assert_eq!(indented, [unmanaged, remarks, waits].concat());
        let broken = format!("{}  hint", char::REPLACEMENT_CHARACTER);
        assert!(
            !text.contains(&broken),
            "a hint in its line's middle in\n{text}"
        );
        for words in self.list("actions").iter().flat_map(error_words) {
            assert!(text.contains(&words), "no {words} in\n{text}");
        }
        self.sums_up();
    }

    /// The last line counts what the JSON lists.
    fn sums_up(&self) {
        let text = &self.text.stdout;
        let last = text.lines().last().unwrap_or_default();
        let calls = format!("{} calls", self.report["calls"]["total"]);
        assert!(last.contains(&calls), "no {calls} in {last}");
        let is_converged =
            last.ends_with("Everything is as declared.") || last.starts_with("No changes. ");
        let is_plan = last.starts_with("Plan: ");
        assert_eq!(is_converged, self.report["converged"] == true, "{last}");
        let count = |verb: &str, results: &[&str]| {
            let is_meant = |it: &&Value| it["verb"] == verb && results.contains(&s(it, "result"));
            self.list("actions").iter().filter(is_meant).count()
        };
        let results = if is_plan {
            ["planned", ""]
        } else {
            ["done", "already-done"]
        };
        let words = if is_plan {
            ["to change", "to delete"]
        } else {
            ["changed", "deleted"]
        };
        if !last.starts_with("No changes") {
            for (verb, word) in ["update", "delete"].iter().zip(words) {
                let counted = format!(" {} {word},", count(verb, &results));
                assert!(last.contains(&counted), "no {counted} in {last}");
            }
        }
        // Nothing but data: passes, actions, what is waited for, what belongs to the line above, and the sum.
        let is_data = |it: &str| {
            it.starts_with(['+', '~', '-', '!', '?', '…', ' '])
                || it.starts_with("pass ")
                || it == last
        };
        assert!(text.lines().all(is_data), "{text}");
    }
}

/// The simulated cloud listens elsewhere each time.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, it| {
        let rest = it.trim_start_matches(|it: char| it.is_ascii_digit());
        format!("{before}127.0.0.1{rest}")
    })
}

fn s<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Further lines of a message belong to it, and stand below it.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn action_line(action: &Value) -> String {
    let symbol = match (s(action, "result"), s(action, "verb")) {
        ("refused", _) => '!',
        (_, "create") => '+',
        (_, "update") => '~',
        (_, "delete") => '-',
        (result, verb) => panic!("{result} {verb}"),
    };
    let object = action["object"].as_str().unwrap_or("(new)");
    let cause = &action["cause"];
    let cause = match (cause["file"].as_str(), s(cause, "detail")) {
        (Some(file), _) => format!("{file}:{}", cause["line"]),
        (None, "") => s(cause, "kind").to_owned(),
        (None, detail) => format!("{}: {detail}", s(cause, "kind")),
    };
    let (resource, summary) = (s(action, "resource"), s(action, "summary"));
    printable(&format!(
        "{symbol} {resource}  {object}  {summary}   [{cause}]"
    ))
}

/// What the text must say of an action that did not come to its end.
fn error_words(action: &Value) -> Vec<String> {
    let error = &action["error"];
    let words = ["message", "code", "hint"].map(|it| printable(s(error, it)));
    words.into_iter().filter(|it| !it.is_empty()).collect()
}

/// The lines about a resource: why it is not ready, and what else holds.
fn remarks(resource: &Value) -> Vec<String> {
    let id = format!("{}/{}", s(resource, "kind"), s(resource, "name"));
    let conditions = resource["conditions"]
        .as_array()
        .expect("conditions are a list");
    let mut remarks = Vec::new();
    for condition in conditions {
        let (kind, status) = (s(condition, "type"), s(condition, "status"));
        let (reason, message) = (s(condition, "reason"), s(condition, "message"));
        let first = first_line(message);
        match (kind, status) {
            ("Ready", "True") | ("Reconciling" | "Stalled", _) => {}
            ("Ready", _) => {
                let word = word(conditions, status, reason);
                remarks.push(printable(&format!("  {id}  {word}: {reason}: {first}")));
            }
            _ => remarks.push(printable(&format!("  {id}  {kind}: {first}"))),
        }
    }
    remarks
}

/// How the text names the state that the conditions say.
fn word(conditions: &[Value], status: &str, reason: &str) -> &'static str {
    let has = |kind: &str| conditions.iter().any(|it| it["type"] == kind);
    match (status, reason) {
        ("Unknown", _) => "unknown",
        (_, "GuardRefused") => "refused",
        _ if has("Suspended") => "suspended",
        _ if has("Stalled") => "stalled",
        _ => "on its way",
    }
}
