//! Every command explains itself, with an example.

mod common;

use common::{ddsp, stdout_of};

const COMMANDS: [&[&str]; 15] = [
    &["demo"],
    &["data", "download"],
    &["data", "synth"],
    &["data", "render"],
    &["data", "prepare"],
    &["data", "sort"],
    &["data", "inspect"],
    &["data", "verify"],
    &["data", "stats"],
    &["data", "doctor"],
    &["train"],
    &["evaluate"],
    &["transfer"],
    &["analyze"],
    &["model", "show"],
];

#[test]
fn every_command_has_an_example_of_itself() {
    for command in COMMANDS {
        let help = stdout_of(&ddsp(command).arg("--help").assert().success());
        let example = format!("Example: ddsp {}", command.join(" "));
        assert!(help.contains(&example), "no `{example}` in:\n{help}");
    }
}

#[test]
fn the_list_of_commands_is_the_list_of_commands() {
    let names = |arguments: &[&str]| -> Vec<String> {
        let help = stdout_of(&ddsp(arguments).arg("--help").assert().success());
        let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        list.take_while(|line| !line.is_empty())
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .filter(|name| name != "help")
            .collect()
    };
    let mut found = Vec::new();
    for name in names(&[]) {
        match name.as_str() {
            "data" | "model" => {
                found.extend(names(&[&name]).into_iter().map(|inner| format!("{name} {inner}")));
            }
            _ => found.push(name),
        }
    }
    found.sort();
    let mut expected = COMMANDS.map(|command| command.join(" "));
    expected.sort();
    assert_eq!(found, expected, "this test knows every command");
}

#[test]
fn nonsense_arguments_exit_with_2_and_nothing_on_stdout() {
    for arguments in [&["dance"] as &[&str], &["train"], &["demo", "--training-secs", "-1"], &[]] {
        let assert = ddsp(arguments).assert().code(2);
        assert_eq!(stdout_of(&assert), "", "`{arguments:?}` has no results");
    }
}
