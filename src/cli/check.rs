//! `check`: are the state files valid? With `-v` also where every value comes from.

use serde_json::json;

use crate::engine::load;
use crate::kinds::KINDS;

use super::arguments::{Form, Global};
use super::output::{self, Failure, Output};
use super::sources::{self, sources};
use super::{settings, workflow};

pub(super) fn check(global: &Global, output: Output) -> Result<u8, Failure> {
    let folder = settings::state_folder(global);
    match (load(&folder, KINDS), output.form) {
        (Ok(inventory), Form::Text | Form::Markdown) => {
            let count = inventory.resources.len();
            let noun = if count == 1 { "resource" } else { "resources" };
            output::print(&format!("{count} {noun} in {}: valid\n", folder.display()));
            if global.verbose > 0 {
                output::print(&sources::text(&sources(global, &inventory)));
            }
            Ok(0)
        }
        (Ok(inventory), Form::Json) => {
            let ids: Vec<_> = inventory.resources.keys().collect();
            let mut said =
                json!({"formatVersion": 1, "valid": true, "resources": ids, "findings": []});
            if global.verbose > 0 {
                said["sources"] = sources::json(&sources(global, &inventory));
            }
            output::print_json(&said);
            Ok(0)
        }
        (Err(findings), Form::Json) => {
            output::print_json(
                &json!({"formatVersion": 1, "valid": false, "resources": [], "findings": findings}),
            );
            Ok(65)
        }
        (Err(findings), Form::Text | Form::Markdown) => {
            workflow::annotate(&findings);
            Err(Failure::invalid(&findings))
        }
    }
}
