//! A service that runs jobs of several tenants: `service DATA [ADDRESS]`.
//!
//! `DATA` has a folder for each tenant, with the `policy.toml` that says the most its jobs get; what tenants upload and the
//! history of their runs lie beside it. SIGTERM and Ctrl-C end the service at once and leave its runs where they are; the
//! next start goes on with them.

mod http;
mod refusal;
mod run;
mod tenant;

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::tenant::Tenants;

/// What the service calls itself with, to compile what tenants upload in a process that can be ended.
const COMPILE: &str = "compile-component";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (data, address) = match arguments.as_slice() {
        [compile, fuel @ ..] if compile == COMPILE => {
            return Ok(dynhost::compile_in_child(fuel)?);
        }
        [data] => (data, "127.0.0.1:8080"),
        [data, address] => (data, address.as_str()),
        _ => return Err("usage: service DATA [ADDRESS]".into()),
    };
    let tenants = Arc::new(Tenants::open(Path::new(data))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(tenants, address.parse()?))
}

async fn serve(tenants: Arc<Tenants>, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(address).await?;
    // Before anybody can ask for them.
    let resuming = Arc::clone(&tenants);
    tokio::task::spawn_blocking(move || resuming.resume_runs()).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stopping = Arc::clone(&tenants);
    let stopped = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        // Whoever follows a run is told that it is over for now, so that no connection stays open.
        stopping.stop().await;
    };
    axum::serve(listener, http::routes(tenants)).with_graceful_shutdown(stopped).await?;
    Ok(())
}
