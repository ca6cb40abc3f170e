//! Small ops to build graphs of: sources, arithmetic, fan-in, optional outputs, and what a step knows of itself.

mod arithmetic;
mod load;
mod place;
mod shape;

use arithmetic::{add, emit_ten, multiply_by_two, multiply_inputs, statistics, sum, sum_list};
use load::{blobs, count, payload, repeat, sleepless, successive, trivial, trivial_emit};
use place::{configured, context, failed_keys, key, keys};
use shape::{branch, concat, each, echo, even, numbers, numbers_if_any, rows, scatter};

dynhost_sdk::export_ops!(
    add,
    blobs,
    branch,
    concat,
    configured,
    context,
    count,
    each,
    echo,
    emit_ten,
    even,
    failed_keys,
    key,
    keys,
    multiply_by_two,
    multiply_inputs,
    numbers,
    numbers_if_any,
    payload,
    repeat,
    successive,
    rows,
    scatter,
    sleepless,
    statistics,
    sum,
    sum_list,
    trivial,
    trivial_emit,
);
