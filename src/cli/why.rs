//! `why`: which rule keeps or removes one object, and what would change that.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::engine::{self, Reason, State};
use crate::report::{escape, printable};
use crate::store::record::Record;

use super::arguments::{Form, Global, Object};
use super::cloud::with_cloud;
use super::output::{self, Failure, Output};
use super::session::{Job, interruptible};
use super::settings;

pub(super) fn why(global: &Global, wanted: &Object, output: Output) -> Result<u8, Failure> {
    let job = Job::of(global, output)?;
    with_cloud(global, async |cloud| {
        let record = match &global.simulate {
            Some(_) if global.status_dir.is_none() => Record::default(),
            Some(_) | None => Record::read(&settings::status_folder(global)),
        };
        let mut state = State::unkept(record);
        let (run, stop) = job.run(cloud);
        let work = engine::why(&run, &mut state, &wanted.object);
        let (found, interrupted) =
            interruptible(work, cloud.clock.as_ref(), global.timeout, &stop).await?;
        for fault in &found.unseen {
            output::complain(&fault.to_string());
        }
        if found.reasons.is_empty() {
            let object = printable(&wanted.object);
            return Err(Failure::new(
                1,
                &format!("no declared resource has to do with {object}"),
            ));
        }
        match output.form {
            Form::Text => output::print(&text(&found.reasons)),
            Form::Json => output::print_json(&json(&found.reasons)),
            Form::Markdown => output::print(&markdown(&found.reasons)),
        }
        Ok(interrupted.unwrap_or(u8::from(!found.unseen.is_empty())))
    })
}

fn at(reason: &Reason) -> String {
    let (file, line) = &reason.at;
    format!("{file}:{line}")
}

fn text(reasons: &[Reason]) -> String {
    let mut text = String::new();
    for it in reasons {
        let (object, name) = (printable(&it.because.object), printable(&it.because.name));
        let (word, rule) = (it.because.fate.word(), printable(&it.because.rule));
        let _ = writeln!(
            text,
            "{}  {object}  {name}  {word}: {rule}   [{}]",
            it.resource,
            at(it)
        );
        let _ = writeln!(text, "  to change that: {}", printable(&it.because.change));
    }
    text
}

fn json(reasons: &[Reason]) -> Value {
    let reason = |it: &Reason| {
        json!({
            "resource": it.resource,
            "object": it.because.object,
            "name": it.because.name,
            "fate": it.because.fate.word(),
            "rule": it.because.rule,
            "change": it.because.change,
            "file": it.at.0,
            "line": it.at.1,
        })
    };
    let reasons: Vec<Value> = reasons.iter().map(reason).collect();
    json!({"formatVersion": 1, "reasons": reasons})
}

fn markdown(reasons: &[Reason]) -> String {
    let mut text = String::from(
        "| resource | object | name | fate | rule | to change that |\n|---|---|---|---|---|---|\n",
    );
    for it in reasons {
        let because = &it.because;
        let resource = it.resource.to_string();
        let cells = [
            resource.as_str(),
            &because.object,
            &because.name,
            because.fate.word(),
            &because.rule,
            &because.change,
        ];
        let _ = writeln!(text, "| {} |", cells.map(escape).join(" | "));
    }
    text
}
