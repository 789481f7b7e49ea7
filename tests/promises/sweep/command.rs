//! `walbook run --keep-log`, as it is typed.

use crate::recovery::world::World;

#[test]
fn a_time_that_is_too_short_or_no_time_is_wrong_usage() {
    let mut world = World::new();
    world.produce(5);
    for (value, words) in [("30m", "at least 1h"), ("week", "--keep-log"), ("", "--keep-log")] {
        let mut run = world.run(&["--until-end", "--keep-log", value]);
        run.expect_code(2);
        assert!(run.log().contains(words), "{value:?}: {}", run.log());
    }
    for value in ["off", "1h", "7d"] {
        world.run(&["--until-end", "--keep-log", value]).expect_code(0);
    }
    world.check();
}
