//! From words to arguments. What clap has to say about a mistake is said without what was typed.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgMatches, Command};

use crate::failure::Failure;
use crate::schema::{Entry, SCHEMAS};

/// Reads the command line with the options of the schema that it names.
pub(crate) fn parse(words: &[OsString]) -> Result<(&'static Entry, ArgMatches), Failure> {
    let schema = named(words)?;
    let matches = (schema.command)().try_get_matches_from(words);
    matches.map(|matches| (schema, matches)).map_err(|error| {
        if !error.use_stderr() {
            error.exit(); // help and version
        }
        if error.kind() == ErrorKind::UnknownArgument {
            return unknown(schema, words, &error);
        }
        explain(&error)
    })
}

/// The schema has to be known before the options are. A value that is missing is left to clap.
fn named(words: &[OsString]) -> Result<&'static Entry, Failure> {
    let typed = words.iter().skip(1).take_while(|word| *word != "--");
    let mut name = None;
    let mut is_value = false;
    for word in typed {
        let joined = word.to_str().and_then(|word| word.strip_prefix("--schema="));
        if is_value {
            name = Some(word.clone());
        } else if let Some(value) = joined {
            name = Some(value.into());
        }
        is_value = !is_value && word == "--schema";
    }
    match name.or_else(|| std::env::var_os("KEYWARD_SCHEMA")) {
        None => Ok(&SCHEMAS[0]),
        Some(name) => SCHEMAS.iter().find(|schema| name == schema.name).ok_or_else(|| {
            let names: Vec<_> = SCHEMAS.iter().map(|schema| schema.name).collect();
            Failure::usage(format!("--schema is one of {}", names.join(", ")))
        }),
    }
}

/// Names the option that there is not, unless it may be a key that was typed where an option belongs.
fn unknown(schema: &Entry, words: &[OsString], error: &clap::Error) -> Failure {
    let typed = context(error, ContextKind::InvalidArg).unwrap_or_default();
    let Some(option) = typed.strip_prefix("--").filter(|name| is_plain(name)) else {
        let kind = if typed.starts_with('-') { "option" } else { "argument" };
        return Failure::usage(format!("there is an {kind} that this command does not take"));
    };
    let takes = |entry: &&Entry| {
        let program = (entry.command)();
        // The program's own options may stand behind a subcommand too.
        let mut arguments =
            program.get_arguments().chain(subcommand(&program, words).into_iter().flat_map(Command::get_arguments));
        arguments.any(|argument| argument.get_long() == Some(option))
    };
    if SCHEMAS.iter().any(|entry| takes(&entry)) {
        return Failure::usage(format!("--{option} is not for --schema {}", schema.name));
    }
    Failure::usage(match context(error, ContextKind::SuggestedArg) {
        Some(known) => format!("there is no option --{option} here; there is {known}"),
        None => format!("there is no option --{option} here"),
    })
}

/// Lowercase words with hyphens between them. Keys have a digit, a capital letter or an underscore.
fn is_plain(name: &str) -> bool {
    name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// The subcommand that was typed.
fn subcommand<'c>(command: &'c Command, words: &[OsString]) -> Option<&'c Command> {
    let mut is_value = false;
    for word in words.iter().skip(1).map(|word| word.to_str().unwrap_or_default()) {
        if is_value {
            is_value = false;
        } else if let Some(option) = word.strip_prefix("--") {
            let mut arguments = command.get_arguments();
            let found = arguments.find(|argument| argument.get_long() == Some(option));
            is_value = found.is_some_and(|argument| argument.get_action().takes_values());
        } else if !word.starts_with('-') {
            return command.find_subcommand(word);
        }
    }
    None
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    error.get(kind).map(ToString::to_string)
}

/// `--owner` for `--owner <OWNER>`; what stands for a value alone stays.
fn without_values(text: &str) -> String {
    let mut bare = text.to_owned();
    while let Some(start) = bare.find(" <") {
        let length = bare[start..].find('>').map_or(bare.len() - start, |end| end + 1);
        bare.replace_range(start..start + length, "");
    }
    bare
}

/// What is wrong, in words that repeat no value.
pub(crate) fn explain(error: &clap::Error) -> Failure {
    let context = |kind| context(error, kind).map(|text| without_values(&text));
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    Failure::usage(match (error.kind(), error.source()) {
        (ErrorKind::InvalidSubcommand, _) => "there is no such command".to_owned(),
        (ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
            "which command is required: `keyward --help` lists them".to_owned()
        }
        (ErrorKind::MissingRequiredArgument, _) => {
            match argument.strip_prefix('<').filter(|_| argument.contains('|')) {
                Some(group) => format!("one of {} is required", group.trim_end_matches('>').replace('|', ", ")),
                None => format!("{argument} is required"),
            }
        }
        (ErrorKind::ArgumentConflict, _) => match context(ContextKind::PriorArg) {
            Some(prior) if prior == argument => format!("{argument} may be given once"),
            Some(prior) => format!("{argument} cannot be used with {prior}"),
            None => format!("{argument} cannot be used with the other options"),
        },
        (ErrorKind::InvalidValue, _) => match context(ContextKind::ValidValue) {
            Some(values) => format!("{argument} is one of {values}"),
            None => format!("{argument} needs a value"),
        },
        (_, Some(cause)) => format!("{argument}: {cause}"),
        (kind, None) => format!("{argument}: {kind}"),
    })
}

/// The command line with the options of all schemas, for completions and manual pages.
pub(crate) fn whole() -> Command {
    let whole = SCHEMAS.iter().skip(1).fold((SCHEMAS[0].command)(), |whole, schema| merge(whole, &(schema.command)()));
    mark(whole)
}

fn merge(mut into: Command, from: &Command) -> Command {
    for argument in from.get_arguments() {
        let is_there = into.get_arguments().any(|known| known.get_id() == argument.get_id());
        if !is_there {
            into = into.arg(argument.clone());
        }
    }
    for subcommand in from.get_subcommands() {
        into = into.mut_subcommand(subcommand.get_name(), |known| merge(known, subcommand));
    }
    into
}

/// Says which options are those of some schemas alone, which are therefore never required.
fn mark(command: Command) -> Command {
    let command = command.mut_args(|argument| match argument.get_help_heading() {
        Some(_) => argument.help_heading("Options that depend on --schema").required(false),
        None => argument,
    });
    command.mut_subcommands(mark)
}
