//! Registering capabilities, and loading components that import them.

use std::error::Error;
use std::fs;

use dynhost::capability::{Attempt, Capability, StepData};
use dynhost::component::{OP_WIT, Recipe, World, componentize};
use dynhost::wasmtime::{self, StoreContextMut, component::Linker};
use tempfile::tempdir;

use super::{Shop, builder, host_with};
use crate::hand_made::Guest;
use crate::job::component;

/// One of another kind for each number: `KIND` says what it provides.
struct Odd<const KIND: usize>;

const KINDS: [(&str, &[&str]); 6] = [
    ("orders", &["other:orders/lookup@1.0.0"]),
    ("network", &["other:orders/lookup@1.0.0"]),
    ("two words", &["other:orders/lookup@1.0.0"]),
    ("none", &[]),
    ("time", &["wasi:clocks/wall-clock@0.2.0"]),
    ("compatible", &["shop:orders/lookup@0.1.3"]),
];

impl<const KIND: usize> Capability for Odd<KIND> {
    const NAME: &'static str = KINDS[KIND].0;
    const INTERFACES: &'static [&'static str] = KINDS[KIND].1;
    type Grant = std::collections::BTreeMap<String, String>;
    type State = ();

    fn link(
        &self,
        linker: &mut Linker<StepData>,
        _state: fn(&mut StepData) -> &mut (),
    ) -> wasmtime::Result<()> {
        for interface in Self::INTERFACES {
            linker
                .instance(interface)?
                .func_wrap("find", |_: StoreContextMut<'_, StepData>, (number,): (u32,)| {
                    Ok((number,))
                })?;
        }
        Ok(())
    }

    fn state(&self, _: &Self::Grant, _: &Attempt) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

#[test]
fn capabilities_that_do_not_fit_are_refused() {
    let orders = || builder().capability(Shop::default());
    for (builder, expected) in [
        (
            orders().capability(Odd::<0>),
            "the capability `orders` cannot be registered: another one has the same name",
        ),
        (
            orders().capability(Odd::<1>),
            "the capability `network` cannot be registered: `grants` has a key of that name already",
        ),
        (
            orders().capability(Odd::<3>),
            "the capability `none` cannot be registered: it names no interface",
        ),
        (
            orders().capability(Odd::<4>),
            "the capability `time` cannot be registered: the host itself provides `wasi:clocks/wall-clock@0.2.0`",
        ),
        (
            orders().capability(Odd::<5>),
            "the capability `compatible` cannot be registered: `orders` provides `shop:orders/lookup@0.1.3` too",
        ),
    ] {
        assert_eq!(builder.build().expect_err("it is refused").to_string(), expected);
    }
    let words = orders().capability(Odd::<2>).build().expect_err("it is refused").to_string();
    assert!(
        words.starts_with("the capability `two words` cannot be registered: its name is none: "),
        "{words}"
    );
}

#[test]
fn a_component_says_which_capabilities_it_imports() {
    let loaded = |shop: &Shop| host_with(shop).load(&component("orders")).expect("it is one");
    let orders = loaded(&Shop::default());
    assert_eq!(orders.capabilities().collect::<Vec<_>>(), ["orders"]);
    assert!(orders.imports().iter().any(|import| import == "shop:orders/lookup@0.1.0"));
    assert!(!orders.is_pure());
    assert!(loaded(&Shop { pure: Some("1"), ..Shop::default() }).is_pure());
    assert_eq!(orders.describe().expect("it answers"), orders.ops());
    let other = host_with(&Shop::default()).load(&component("basics")).expect("it is one");
    assert_eq!((other.capabilities().count(), other.is_pure()), (0, true));
}

/// An import that nothing provides is refused, and the words say what there is.
#[test]
fn an_unknown_interface_is_refused() {
    let refused = |host: dynhost::Host| host.load(&component("orders")).expect_err("it is refused");
    let error = refused(builder().build().expect("a host"));
    let (text, help) = (error.to_string(), error.help().expect("there is help"));
    assert!(
        text.ends_with("imports `shop:orders/lookup@0.1.0`, `shop:orders/trouble@0.1.0`, which this host does not have"),
        "{text}"
    );
    assert!(help.ends_with("`wasi:sockets/*`"), "{help}");
    let error = refused(builder().capability(Odd::<0>).build().expect("a host"));
    let help = error.help().expect("there is help");
    assert!(
        help.ends_with("; and the capabilities `orders (other:orders/lookup@1.0.0)`"),
        "{help}"
    );
}

const WIT: &str = "package my:guest;
world guest {
    include dynhost:op/component@0.1.0;
    import other:orders/lookup@VERSION;
}
package other:orders@VERSION {
    interface lookup { find: func(number: u32) -> RESULT; }
}
";

/// A core module in text form, made a component by a recipe that names a world of its own.
fn hand_made(version: &str, find: &str, result: &str) -> Result<Vec<u8>, dynhost::ComponentError> {
    let folder = tempdir().expect("a folder");
    let wit = folder.path().join("wit");
    fs::create_dir_all(wit.join("deps/op")).expect("a folder");
    fs::write(wit.join("guest.wit"), WIT.replace("RESULT", find).replace("VERSION", version))
        .expect("a file");
    fs::write(wit.join("deps/op/op.wit"), OP_WIT).expect("a file");
    let import = format!(
        "(import \"other:orders/lookup@{version}\" \"find\" (func $find (param i32) (result {result})))"
    );
    let guest = Guest {
        imports: &import,
        run: "(drop (call $find (i32.const 7))) (i32.const 0)",
        ..Guest::default()
    };
    let module = folder.path().join("guest.wat");
    fs::write(&module, guest.text()).expect("a file");
    let world = Some(World { wit, name: Some("guest".to_owned()) });
    componentize(&module, &Recipe { world, ..Recipe::default() })
}

/// A recipe takes a world that imports more than the op interface, and types are compared when a component is loaded.
#[test]
fn a_module_of_another_world_is_made_a_component() {
    let host = builder().capability(Odd::<0>).build().expect("a host");
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("guest.wasm");
    let load = |version: &str, find: &str, result: &str| {
        fs::write(&path, hand_made(version, find, result).expect("a component")).expect("a file");
        host.load(&path)
    };
    for version in ["1.0.0", "1.2.3"] {
        let loaded = load(version, "u32", "i32").expect("it fits");
        assert_eq!(loaded.capabilities().collect::<Vec<_>>(), ["orders"]);
    }
    let error = load("2.0.0", "u32", "i32").expect_err("it is another interface").to_string();
    assert!(
        error.ends_with("imports `other:orders/lookup@2.0.0`, which this host does not have"),
        "{error}"
    );
    let error = load("1.0.0", "u64", "i64").expect_err("it does not fit");
    let text = error.to_string();
    assert!(text.ends_with("does not fit the capabilities that it imports, `orders`"), "{text}");
}
