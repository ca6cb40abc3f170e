//! .
use dynhost::graph::params::{Given, GivenParams};
use dynhost::{Host, RunOptions, read_manifest};
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::builder().code_cache("/tmp/cc").build()?;
    let mut args = std::env::args().skip(1);
    let manifest = read_manifest(args.next().unwrap().as_ref()).map_err(|e| {
        eprintln!("{e}");
        e
    })?;
    let given: GivenParams = args
        .map(|a| {
            let (k, v) = a.split_once('=').unwrap();
            (k.to_owned(), Given::Text(v.to_owned()))
        })
        .collect();
    let job = host.prepare(&manifest, &given).map_err(|e| {
        eprintln!("{e:#?}");
        e
    })?;
    let t = std::time::Instant::now();
    let mut run = host.start(&job, RunOptions::default());
    let mut ev = run.events().unwrap();
    let p = tokio::spawn(async move {
        let mut n = 0;
        while let Some(b) = ev.recv().await {
            for e in b.iter() {
                n += 1;
                if n < 12 || std::env::var("EV").is_ok() {
                    println!("{}", serde_json::to_string(e).unwrap());
                }
            }
        }
    });
    let result = run.finished().await?;
    println!("{:?} {:?}", t.elapsed(), result);
    p.await?;
    Ok(())
}
