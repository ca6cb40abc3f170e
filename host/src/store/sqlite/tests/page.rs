//! The queries of `docs/store.md`.

use super::*;

/// The blocks of SQL of the page.
fn queries() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/store.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```sql\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_queries_of_the_page_give_what_it_says() {
    let folder = Folder::new();
    let store = folder.open();
    keep(
        &store,
        "01A",
        vec![
            began("01A"),
            started("list", 1),
            started("size[readme_md]", 1),
            failed("size[readme_md]", 1, None),
            emitted("readme_md", Value::json_text("17")),
            Event::LogWritten {
                step: "size[readme_md]".parse().unwrap(),
                attempt: 1,
                level: Level::Error,
                message: "no".to_owned(),
                fields: Vec::new(),
            },
            started("size[a][b]", 1),
            succeeded("size[a][b]"),
            succeeded("list"),
            finished(RunStatus::Failed),
        ],
    );
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let queries = queries();
    assert_eq!(queries.len(), 5);
    for query in queries {
        let mut select = connection.prepare(&query).unwrap();
        let columns = select.column_count();
        let rows = select.query_map([], |row| {
            (0..columns)
                .map(|at| row.get::<_, rusqlite::types::Value>(at))
                .collect::<Result<Vec<_>, _>>()
        });
        let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
        assert!(!rows.is_empty(), "{query}");
    }
    let text =
        |query: &str| -> String { connection.query_row(query, [], |row| row.get(0)).unwrap() };
    assert_eq!(text("SELECT step FROM step_list WHERE status = 'succeeded'"), "size[a][b]");
    assert_eq!(text("SELECT started_at FROM run_list"), "2025-11-22T08:26:40.000Z");
    assert_eq!(text("SELECT step FROM log_list WHERE level = 'error'"), "size[readme_md]");
    assert_eq!(text("SELECT event FROM event_list WHERE seq = 9"), "run_finished");
    let json = text("SELECT json FROM event_list WHERE seq = 4");
    let event: Recorded = serde_json::from_str(&json).unwrap();
    assert_eq!(event, at(5, emitted("readme_md", Value::json_text("17"))));
}

/// The page describes every table and view, and every column of the views.
#[test]
fn the_page_is_complete() {
    let folder = Folder::new();
    drop(folder.open());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/store.md");
    let page = std::fs::read_to_string(page).unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("runs.db")).unwrap();
    let names = "SELECT s.name, c.name FROM sqlite_schema AS s JOIN pragma_table_info(s.name) AS c \
         WHERE s.type IN ('table', 'view') AND s.name NOT LIKE 'sqlite_%'";
    let mut names = connection.prepare(names).unwrap();
    let names = names.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    for (table, column) in names.unwrap().map(Result::unwrap) {
        let part = page.split(&format!("`{table}`")).nth(1);
        let part = part.unwrap_or_else(|| panic!("`{table}` is not described"));
        let part = part.split("\n| `").next().unwrap_or_default();
        assert!(part.contains(&format!("`{column}`")), "`{column}` of `{table}` is not described");
    }
}
