use super::*;
use clap::CommandFactory;
use clap::error::ErrorKind;
use std::path::Path;

fn parse(line: &str) -> Result<Args, ErrorKind> {
    Args::try_parse_from(line.split(' ')).map_err(|e| e.kind())
}

#[test]
fn the_command_line_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn the_place_may_stand_before_and_behind() {
    for line in
        ["qae --url http://a:1 --token-file t apps", "qae apps --url http://a:1 --token-file t"]
    {
        let args = parse(line).unwrap();
        assert_eq!(args.place.url.as_deref(), Some("http://a:1"));
        assert_eq!(args.place.token_file.as_deref(), Some(Path::new("t")));
    }
}

#[test]
fn commands_and_their_defaults() {
    let up = parse("qae up").unwrap().command;
    assert_eq!(up, Command::Up(Up { state: ".qae".into() }));
    let Command::Events(events) =
        parse("qae events -f --type oom_killed --type instance_gone -n 3 --json").unwrap().command
    else {
        panic!()
    };
    assert!(events.follow && events.json);
    assert_eq!((events.kinds.len(), events.limit), (2, Some(3)));
    let Command::Token { job: TokenJob::Create(create) } =
        parse("qae token create ci --role operator --app shop/** --expires 24h").unwrap().command
    else {
        panic!()
    };
    assert_eq!((create.role, create.expires), (Role::Operator, Some(Duration::from_secs(86_400))));
    assert_eq!(create.apps, ["shop/**"]);
    let Command::Logs(logs) = parse("qae logs -f shop/web *.log -g x -v").unwrap().command else {
        panic!()
    };
    assert_eq!((logs.target.as_str(), logs.file.as_deref()), ("shop/web", Some("*.log")));
    assert!(logs.follow && logs.invert && !logs.ignore_case);
    assert_eq!(logs.lines, 200);
    let Command::Instances(instances) = parse("qae instances").unwrap().command else { panic!() };
    assert_eq!(instances.state, Which::Live);
}

#[test]
fn what_makes_no_sense_is_refused() {
    use ErrorKind::*;
    for (line, why) in [
        ("qae", DisplayHelpOnMissingArgumentOrSubcommand),
        ("qae app", MissingRequiredArgument),
        ("qae ap", InvalidSubcommand),
        ("qae apps --jsn", UnknownArgument),
        ("qae events -f --until 1h", ArgumentConflict),
        ("qae token create x --node n --role admin", ArgumentConflict),
        ("qae token create x --expires soon", ValueValidation),
        ("qae logs a -v", MissingRequiredArgument),
        ("qae logs a --files -f", ArgumentConflict),
        ("qae logs a -n 100001", ValueValidation),
        ("qae instances --state dead", InvalidValue),
        ("qae --version", DisplayVersion),
    ] {
        assert_eq!(parse(line).unwrap_err(), why, "{line}");
    }
}
