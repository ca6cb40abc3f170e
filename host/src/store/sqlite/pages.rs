//! Pages of the steps and the logs of a run, however many there are.
//!
//! Rows of a run stand between its first and its last, in order. A filter by node or by state goes over an
//! index that is in the same order for each pair of them; the pairs are merged.

use dynhost_graph::event::Level;
use dynhost_graph::name::{KeyPath, MappingKey, StepKey};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};

use super::encode::push_keys_json;
use super::fault::Result;
use super::query::known;
use super::rows::{ALL_STATES, json_column, level_number, whole};
use crate::store::history::{LogFilter, LogLine, Page, StepFilter, StepSummary};

/// Steps of a run.
pub(super) fn steps(
    connection: &Connection,
    run: &str,
    filter: &StepFilter,
) -> Result<Page<StepSummary>> {
    let run = known(connection, run)?;
    let only = Only::new(filter.step.as_deref(), filter.node.as_deref());
    let Some(only) = only else { return Ok(nothing()) };
    let states: Vec<i64> = filter.status.iter().map(|state| *state as i64).collect();
    let nodes = nodes(connection, run, only.node)?;
    let key = filter.key.as_deref();
    let search = Search {
        run,
        after: whole(filter.after.unwrap_or(0)),
        limit: filter.limit,
        keys: only.keys.as_deref(),
        key,
    };
    let table =
        Table { name: "steps", row: "step", part: "status", from: "first_step", to: "last_step" };
    let narrow = only.node.is_some() || !states.is_empty();
    let rows = if narrow && search.keys.is_none() && key.is_none() {
        let all = || (0..8).collect();
        search.merged(
            connection,
            &table,
            &nodes,
            &if states.is_empty() { all() } else { states },
        )?
    } else {
        search.walked(connection, &table, only.node.map(|_| nodes.as_slice()), &states)?
    };
    let mut select = connection.prepare_cached(
        "SELECT n.name, s.keys, s.status, s.attempts, s.cached_from, s.started_at_us, s.finished_at_us, s.error \
         FROM steps AS s JOIN nodes AS n ON n.run = s.run AND n.node = s.node WHERE s.step = ?1",
    )?;
    page(filter.limit, rows, |step| Ok(select.query_row([step], |row| Ok(step_of(row)))?))
}

/// What was logged in a run.
pub(super) fn logs(
    connection: &Connection,
    run: &str,
    filter: &LogFilter,
) -> Result<Page<LogLine>> {
    let run = known(connection, run)?;
    let only = Only::new(filter.step.as_deref(), filter.node.as_deref());
    let Some(only) = only else { return Ok(nothing()) };
    let nodes = nodes(connection, run, only.node)?;
    let from = filter.level.map(level_number);
    let levels: Vec<i64> = (from.unwrap_or(0)..=level_number(Level::Error)).collect();
    let search = Search {
        run,
        after: whole(filter.after.unwrap_or(0)),
        limit: filter.limit,
        keys: only.keys.as_deref(),
        key: None,
    };
    let table =
        Table { name: "logs", row: "log", part: "level", from: "first_log", to: "last_log" };
    let rows = if search.keys.is_none() && (only.node.is_some() || from.is_some()) {
        search.merged(connection, &table, &nodes, &levels)?
    } else {
        search.walked(connection, &table, only.node.map(|_| nodes.as_slice()), &levels)?
    };
    let mut select = connection.prepare_cached(
        "SELECT n.name, l.keys, l.attempt, l.level, l.at_us, l.message, l.fields \
         FROM logs AS l JOIN nodes AS n ON n.run = l.run AND n.node = l.node WHERE l.log = ?1",
    )?;
    page(filter.limit, rows, |log| Ok(select.query_row([log], |row| Ok(line_of(row)))?))
}

/// The part of a filter that names steps.
struct Only<'a> {
    node: Option<&'a str>,
    /// The mapping keys of a step, as a JSON array.
    keys: Option<String>,
}

impl<'a> Only<'a> {
    /// `None` where no step can be meant.
    fn new(step: Option<&'a str>, node: Option<&'a str>) -> Option<Self> {
        let Some(step) = step else { return Some(Self { node, keys: None }) };
        let name = step.split('[').next().unwrap_or_default();
        if node.is_some_and(|node| node != name) {
            return None;
        }
        let StepKey { keys, .. } = step.parse().ok()?;
        let mut text = Vec::new();
        push_keys_json(&mut text, &keys).ok()?;
        Some(Self { node: Some(name), keys: Some(String::from_utf8(text).ok()?) })
    }
}

/// The numbers of the nodes of a run, or of the one of this name.
fn nodes(connection: &Connection, run: i64, name: Option<&str>) -> Result<Vec<i64>> {
    let select =
        "SELECT node FROM nodes WHERE run = ?1 AND (?2 IS NULL OR name = ?2) ORDER BY node";
    let mut select = connection.prepare_cached(select)?;
    let nodes = select.query_map(params![run, name], |row| row.get(0))?;
    Ok(nodes.collect::<Result<_, _>>()?)
}

/// A table that is searched: what its row number is called, and the column beside the node in its index.
struct Table {
    name: &'static str,
    row: &'static str,
    part: &'static str,
    from: &'static str,
    to: &'static str,
}

struct Search<'a> {
    run: i64,
    after: i64,
    limit: usize,
    keys: Option<&'a str>,
    key: Option<&'a str>,
}

impl Search<'_> {
    fn limit(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Rows of nodes with one of these parts each, in order.
    fn merged(
        &self,
        connection: &Connection,
        table: &Table,
        nodes: &[i64],
        parts: &[i64],
    ) -> Result<Vec<i64>> {
        let Table { name, row, part, .. } = table;
        let mut select = connection.prepare_cached(&format!(
            "SELECT {row} FROM {name} WHERE run = ?1 AND node = ?2 AND {part} = ?3 AND {row} > ?4 \
             ORDER BY {row} LIMIT ?5"
        ))?;
        let mut rows = Vec::new();
        for node in nodes {
            for part in parts {
                let found = params![self.run, node, part, self.after, self.limit()];
                for row in select.query_map(found, |row| row.get(0))? {
                    rows.push(row?);
                }
            }
            self.cut(&mut rows);
        }
        Ok(rows)
    }

    /// Keeps the first rows.
    fn cut(&self, rows: &mut Vec<i64>) {
        rows.sort_unstable();
        rows.truncate(self.limit.saturating_add(1));
    }

    /// Rows that a walk over those of the run finds.
    fn walked(
        &self,
        connection: &Connection,
        table: &Table,
        nodes: Option<&[i64]>,
        parts: &[i64],
    ) -> Result<Vec<i64>> {
        let Table { name, row, part, from, to } = table;
        let bounds = format!("SELECT {from}, {to} FROM runs WHERE number = ?1");
        let bounds = connection.prepare_cached(&bounds)?.query_row([self.run], |row| {
            Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
        });
        let Some((first, last)) = bounds.optional()?.flatten() else { return Ok(Vec::new()) };
        let after = self.after.max(first - 1);
        let limit = self.limit();
        let mut select =
            format!("SELECT {row} FROM {name} WHERE {row} > ?1 AND {row} <= ?2 AND +run = ?3");
        let mut values: Vec<&dyn ToSql> = vec![&after, &last, &self.run];
        // Numbers of ours, no text from outside.
        if let Some(nodes) = nodes {
            select.extend([" AND node IN (", &joined(nodes), ")"]);
        }
        if !parts.is_empty() {
            select.extend([" AND ", part, " IN (", &joined(parts), ")"]);
        }
        if let Some(keys) = &self.keys {
            values.push(keys);
            select.extend([" AND keys = ?", &values.len().to_string()]);
        }
        let quoted = self.key.map(|key| serde_json::Value::from(key).to_string());
        if let (Some(key), Some(quoted)) = (&self.key, &quoted) {
            values.extend([quoted as &dyn ToSql, key]);
            select.push_str(&one_key_is(values.len() - 1, values.len()));
        }
        values.push(&limit);
        select.extend([" ORDER BY ", row, " LIMIT ?", &values.len().to_string()]);
        let mut select = connection.prepare_cached(&select)?;
        let rows = select.query_map(params_from_iter(values), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// That one of the mapping keys is a text, which is given as JSON and as it is. The JSON alone could also be
/// found across two keys, but rules most rows out at once.
fn one_key_is(quoted: usize, exact: usize) -> String {
    format!(
        " AND instr(keys, ?{quoted}) > 0 AND EXISTS (SELECT 1 FROM json_each(keys) WHERE value = ?{exact})"
    )
}

fn joined(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

/// Turns rows into a page; there is one row more than a page has, where there are more.
fn page<T>(
    limit: usize,
    mut rows: Vec<i64>,
    mut item: impl FnMut(i64) -> Result<Result<T>>,
) -> Result<Page<T>> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().and_then(|last| u64::try_from(*last).ok()) } else { None };
    let items = rows.into_iter().map(|row| item(row)?).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

fn nothing<T>() -> Page<T> {
    Page { items: Vec::new(), next: None }
}

fn step_key(row: &Row<'_>) -> Result<(StepKey, Vec<String>)> {
    let node: String = row.get(0)?;
    let keys: Vec<MappingKey> =
        json_column(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
    let names = keys.iter().map(|key| key.as_str().to_owned()).collect();
    let keys: KeyPath = keys.into_iter().collect();
    Ok((StepKey { node: node.into(), keys }, names))
}

fn step_of(row: &Row<'_>) -> Result<StepSummary> {
    let (step, keys) = step_key(row)?;
    let state: usize = row.get(2)?;
    Ok(StepSummary {
        step: step.to_string(),
        node: step.node.to_string(),
        keys,
        status: ALL_STATES[state.min(ALL_STATES.len() - 1)],
        attempts: row.get(3)?,
        cached: row.get(4)?,
        started_at_us: row.get(5)?,
        finished_at_us: row.get(6)?,
        error: row.get(7)?,
    })
}

fn line_of(row: &Row<'_>) -> Result<LogLine> {
    let (step, _) = step_key(row)?;
    let fields: String = row.get(6)?;
    Ok(LogLine {
        at_us: row.get(4)?,
        step: step.to_string(),
        attempt: row.get(2)?,
        level: match row.get(3)? {
            0 => Level::Trace,
            1 => Level::Debug,
            2 => Level::Info,
            3 => Level::Warn,
            _ => Level::Error,
        },
        message: row.get(5)?,
        fields: json_column(&fields)?,
    })
}
