//! The command line: one file a command; what they share is said here.

mod apply;
mod arguments;
mod check;
mod cloud;
mod daemon;
mod image_id;
mod listen;
mod manual;
mod metrics;
mod output;
mod plan;
mod plan_file;
mod progress;
mod restore;
mod run;
mod schema;
mod session;
mod settings;
mod show;
mod simulate;
mod sources;
mod spot;
mod status;
mod telemetry;
mod why;
mod workflow;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use output::{Failure, Output};

/// Runs the program as the command line says.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { 64 } else { 0 };
            // Nothing can be done about a terminal that is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    telemetry::start(&arguments.global);
    let output = Output::of(&arguments.global);
    match dispatch(&arguments, output) {
        Ok(code) => match output::lost() {
            None => ExitCode::from(code),
            Some(why) => {
                output::complain(why);
                ExitCode::from(code.max(1))
            }
        },
        Err(failure) => {
            output::complain(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(arguments: &Arguments, output: Output) -> Result<u8, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        None if arguments.once => run::run(global, arguments.wait, output),
        None => daemon::daemon(global, &arguments.daemon, output),
        Some(_) if arguments.once => Err(Failure::usage(
            "`--once` is a command of its own: leave out the other one",
        )),
        Some(_) if arguments.daemon.lasts.is_some() || arguments.daemon.listen.is_some() => Err(
            Failure::usage("`--for` and `--listen` are of the daemon: leave out the command"),
        ),
        Some(Command::Plan(options)) => plan::plan(global, options, output),
        Some(Command::Apply(saved)) => apply::apply(global, saved, output),
        Some(Command::Check) => check::check(global, output),
        Some(Command::Show(selection)) => show::show(global, selection, output),
        Some(Command::Status(selection)) => status::status(global, selection, output),
        Some(Command::Why(object)) => why::why(global, object, output),
        Some(Command::ImageId(wanted)) => image_id::image_id(global, wanted, output),
        Some(Command::Spot(class)) => spot::spot(global, class, output),
        Some(Command::Restore(lost)) => restore::restore(global, lost, output),
        Some(Command::Schema(kind)) => schema::schema(kind, output),
        Some(Command::Simulate(options)) => simulate::simulate(options, output),
        Some(Command::Completions(shell)) => Ok(manual::completions(shell)),
        Some(Command::Man) => Ok(manual::man()),
    }
}
