//! Which start requests contradict themselves.

use convoke_proto::command::Start;
use convoke_proto::frame::MAX_STREAM;

/// Why `request` cannot mean anything, if so.
pub(super) fn reason_against(request: &Start) -> Option<&'static str> {
    let rules = [
        (request.argv.is_empty(), "the argument list is empty"),
        (
            has_nul(request),
            "an argument, variable or directory holds a NUL byte",
        ),
        (
            request
                .env
                .iter()
                .any(|(name, _)| name.is_empty() || name.contains(&b'=')),
            "the name of a variable is empty or holds an equals sign",
        ),
        (
            request.umask.is_some_and(|mask| mask > 0o777),
            "the file mode mask is beyond 0777",
        ),
        (
            request
                .extra
                .iter()
                .any(|s| !(3..=MAX_STREAM).contains(&s.number)),
            "the number of an extra stream is not between 3 and 127",
        ),
        (
            has_repeats(request),
            "the number of an extra stream is repeated",
        ),
    ];
    rules
        .into_iter()
        .find_map(|(broken, why)| broken.then_some(why))
}

fn has_nul(request: &Start) -> bool {
    let variables = request.env.iter().flat_map(|(name, value)| [name, value]);
    (request.argv.iter().chain(&request.cwd).chain(variables)).any(|text| text.contains(&0))
}

fn has_repeats(request: &Start) -> bool {
    let mut seen = 0_u128;
    request.extra.iter().any(|stream| {
        let bit = 1_u128 << (stream.number & MAX_STREAM);
        let repeated = seen & bit != 0;
        seen |= bit;
        repeated
    })
}
