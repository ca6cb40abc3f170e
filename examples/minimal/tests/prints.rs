//! The example prints what it says.

use std::process::Command;

#[test]
fn it_prints_the_outputs() {
    let ran = Command::new(env!("CARGO_BIN_EXE_dynhost-example-minimal")).output();
    let ran = ran.expect("it can be started");
    let printed = String::from_utf8(ran.stdout).expect("it prints text");
    assert_eq!(printed, "doubled: [0,2,4,6,8,10,12,14,16,18]\nsum: 90\n");
    assert!(ran.status.success());
}
