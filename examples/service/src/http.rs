//! What can be asked of the service.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use bytes::Bytes;
use dynhost::graph::event::Recorded;
use dynhost::store::history::RunSummary;
use futures::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::refusal::Refusal;
use crate::run::Followed;
use crate::tenant::Tenants;

/// Bytes of an upload.
const UPLOAD: usize = 64 << 20;

/// All requests.
pub(crate) fn routes(tenants: Arc<Tenants>) -> Router {
    Router::new()
        .route("/{tenant}/components/{name}", put(put_component))
        .route("/{tenant}/jobs/{name}", put(put_job))
        .route("/{tenant}/jobs/{name}/runs", post(start))
        .route("/{tenant}/runs/{run}", get(show).merge(delete(cancel)))
        .route("/{tenant}/runs/{run}/events", get(follow))
        .layer(DefaultBodyLimit::max(UPLOAD))
        .with_state(tenants)
}

type Named = Path<(String, String)>;
type Answer<T> = Result<T, Refusal>;

async fn put_component(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, name)): Named,
    body: Bytes,
) -> Answer<StatusCode> {
    let tenant = Arc::clone(tenants.get(&tenant)?);
    spawn_blocking(move || tenant.put_component(&name, &body)).await??;
    Ok(StatusCode::CREATED)
}

async fn put_job(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, name)): Named,
    body: Bytes,
) -> Answer<StatusCode> {
    let tenant = Arc::clone(tenants.get(&tenant)?);
    spawn_blocking(move || tenant.put_job(&name, &body)).await??;
    Ok(StatusCode::CREATED)
}

async fn start(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, job)): Named,
    Json(params): Json<serde_json::Map<String, Value>>,
) -> Answer<(StatusCode, Json<Value>)> {
    let tenant = Arc::clone(tenants.get(&tenant)?);
    let run = spawn_blocking(move || tenant.start(&job, params)).await??;
    Ok((StatusCode::CREATED, Json(json!({ "run": run }))))
}

async fn show(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, run)): Named,
) -> Answer<Json<RunSummary>> {
    let tenant = Arc::clone(tenants.get(&tenant)?);
    Ok(Json(spawn_blocking(move || tenant.store().run(&run)).await??))
}

async fn cancel(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, run)): Named,
) -> Answer<StatusCode> {
    tenants.get(&tenant)?.cancel(&run)?;
    Ok(StatusCode::ACCEPTED)
}

/// The events of a run, as they are kept; a client that comes back says in `Last-Event-ID` which it had.
async fn follow(
    State(tenants): State<Arc<Tenants>>,
    Path((tenant, run)): Named,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let tenant = Arc::clone(tenants.get(&tenant)?);
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let from = last.map_or(0, |last| last.saturating_add(1));
    let followed = spawn_blocking(move || tenant.follow(run, from)).await??;
    let pages = stream::unfold(followed, |mut followed| async {
        let page = next_page(&mut followed).await?;
        Some((stream::iter(page), followed))
    });
    Ok(Sse::new(pages.flatten().map(Ok)).keep_alive(KeepAlive::default()))
}

async fn next_page(followed: &mut Followed) -> Option<Vec<Event>> {
    match followed.next().await {
        Ok(page) => {
            let (from, page) = page?;
            Some((from..).zip(&page).map(|(at, recorded)| event(at, recorded)).collect())
        }
        // The stream ends; a client that comes back is told why.
        Err(error) => {
            eprintln!("events cannot be read: {error}");
            None
        }
    }
}

fn event(at: u64, recorded: &Recorded) -> Event {
    let event = Event::default().id(at.to_string());
    event.json_data(recorded).unwrap_or_else(|error| Event::default().comment(error.to_string()))
}
