//! The macros that make a crate a component.

/// Makes the crate a component of these ops: functions with `#[op]`, by name or by path.
///
/// Written once, at the root of the crate. It also gives the crate a constant `OPS` that
/// [`testing`](crate::testing) runs them from.
#[macro_export]
macro_rules! export_ops {
    ($($op:path),+ $(,)?) => {
        /// The ops of this component.
        pub const OPS: &[$crate::raw::Op] = &[$(<$op as $crate::port::Declared>::OP),+];
        $crate::export_raw!(OPS);
    };
}

/// Makes the crate a component of a list of [`raw::Op`](crate::raw::Op)s.
#[macro_export]
macro_rules! export_raw {
    ($ops:expr) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Ops;
            impl $crate::guest::Library for Ops {
                const OPS: &'static [$crate::raw::Op] = $ops;
            }
            type Exports = $crate::guest::Guest<Ops>;
            $crate::bindings::__export_component! { Exports with_types_in $crate::bindings }
        };
    };
}
