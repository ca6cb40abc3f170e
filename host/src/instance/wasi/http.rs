//! Requests through `wasi:http`, only to hosts that are granted. No redirect is followed: a guest
//! that does so makes a new request, which is checked like the first.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dynhost_graph::grant::{HttpMethod, Scheme};
use futures::future::{BoxFuture, Either, FutureExt, ready as at_once, select};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};
use wasmtime::component::Linker;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::add_only_http_to_linker_async;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::super::State;
use super::network::{Host, Network, Want};
use super::tls::Tls;

/// How long is waited where the guest says nothing: longer than any attempt should take.
const PATIENCE: Duration = Duration::from_hours(24);

/// The `wasi:http` side of one attempt.
pub(super) struct Http {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl Http {
    pub(super) fn new(network: &Arc<Network>, tls: &Tls) -> Self {
        let hooks = Hooks { network: Arc::clone(network), tls: tls.clone() };
        Self { ctx: WasiHttpCtx::new(), hooks }
    }
}

/// Adds `wasi:http/types` and `wasi:http/outgoing-handler`.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_only_http_to_linker_async(linker)
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let wasi = self.wasi();
        let (hooks, ctx) = (&mut wasi.http.hooks, &mut wasi.http.ctx);
        WasiHttpCtxView { hooks, ctx, table: &mut wasi.table }
    }
}

/// What a guest may speak to, and how.
#[derive(Clone)]
struct Hooks {
    network: Arc<Network>,
    tls: Tls,
}

/// What drives a connection to its end.
type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Driver), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Driver,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        match check(&self.network, &mut request) {
            Ok(want) => Box::new(send(self.clone(), want, request, options)),
            Err(refusal) => Box::new(at_once(Err(refused(refusal)))),
        }
    }
}

/// The form of a refusal that carries words to the guest.
fn refused(words: String) -> Error {
    Error::InternalError(Some(words))
}

/// Holds a request against the grants, and puts secrets into its headers.
fn check(network: &Network, request: &mut Request<WasiBody>) -> Result<Want, String> {
    let want = want(network, request)?;
    network.permit_host(&want)?;
    network.fill_secrets(&want, request)?;
    Ok(want)
}

fn want(network: &Network, request: &Request<WasiBody>) -> Result<Want, String> {
    let refuse = |why: &str| network.refuse(&format!("a request that {why}"));
    let uri = request.uri();
    let scheme = match uri.scheme_str() {
        Some("https") => Scheme::Https,
        Some("http") => Scheme::Http,
        _ => return Err(refuse("is neither `https` nor `http`")),
    };
    let authority = uri.authority().ok_or_else(|| refuse("names no host"))?;
    if authority.as_str().contains('@') {
        return Err(refuse("has a user in its URL; send an `authorization` header"));
    }
    let host = Host::parse(authority.host())
        .ok_or_else(|| refuse(&format!("names `{}`, which is no host", authority.host())))?;
    let method = HttpMethod::named(request.method().as_str());
    let method = method.ok_or_else(|| {
        refuse(&format!("has the method `{}`, which cannot be granted", request.method()))
    })?;
    let port = authority.port_u16().or(scheme.default_port()).unwrap_or_default();
    Ok(Want { scheme, host, port, method: Some(method) })
}

async fn send(
    hooks: Hooks,
    want: Want,
    mut request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Sent {
    let of = |get: fn(&RequestOptions) -> Option<Duration>| {
        options.as_ref().and_then(get).unwrap_or(PATIENCE)
    };
    let connecting = timeout(of(|options| options.connect_timeout), hooks.connect(&want));
    let stream = connecting.await.map_err(|_| Error::ConnectionTimeout)??;
    // The line that is sent names the path alone.
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| Error::HttpRequestUriInvalid)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let sending = Box::pin(async move { sender.send_request(request).await });
    let connection: BoxFuture<'static, _> = connection.boxed();
    let first_byte = of(|options| options.first_byte_timeout);
    let answer = async {
        match select(sending, connection).await {
            Either::Left((answer, connection)) => Ok((answer?, Some(connection))),
            Either::Right((ended, sending)) => {
                ended?;
                Ok::<_, Error>((sending.await?, None))
            }
        }
    };
    let (answer, connection) =
        timeout(first_byte, answer).await.map_err(|_| Error::ConnectionReadTimeout)??;
    let between_bytes = of(|options| options.between_bytes_timeout);
    let answer = answer.map(|body| AnswerBody::new(body, between_bytes).boxed_unsync());
    let driver = async move {
        if let Some(connection) = connection {
            connection.await?;
        }
        Ok(())
    };
    Ok((answer, Box::new(driver)))
}

/// A connection, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Hooks {
    /// Connects to an address that was checked: the name is looked up once.
    async fn connect(&self, want: &Want) -> Result<Box<dyn Stream>, Error> {
        let addresses: Vec<SocketAddr> = match &want.host {
            Host::Address(address) => vec![(*address, want.port).into()],
            Host::Name(name) => {
                let found = tokio::net::lookup_host((name.as_str(), want.port)).await;
                found.map_err(|_| Error::DestinationNotFound)?.collect()
            }
        };
        let mut last = Error::DestinationNotFound;
        for address in addresses {
            match self.network.permit_address(want, address.ip()) {
                Ok(()) => match TcpStream::connect(address).await {
                    Ok(stream) => return self.encrypt(want, stream).await,
                    Err(error) => last = Error::Connect(error),
                },
                Err(refusal) => last = refused(refusal),
            }
        }
        Err(last)
    }

    async fn encrypt(&self, want: &Want, stream: TcpStream) -> Result<Box<dyn Stream>, Error> {
        if want.scheme != Scheme::Https {
            return Ok(Box::new(stream));
        }
        let name = match &want.host {
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?
            }
            Host::Address(address) => ServerName::from(*address),
        };
        let stream = self.tls.connector().connect(name, stream).await.map_err(Error::Tls)?;
        Ok(Box::new(stream))
    }
}

/// The body of an answer, which ends in an error when nothing comes for too long.
struct AnswerBody {
    incoming: Incoming,
    between_bytes: Duration,
    too_long: Pin<Box<Sleep>>,
}

impl AnswerBody {
    fn new(incoming: Incoming, between_bytes: Duration) -> Self {
        let too_long = Box::pin(tokio::time::sleep(between_bytes));
        Self { incoming, between_bytes, too_long }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            let next = Instant::now() + self.between_bytes;
            self.too_long.as_mut().reset(next);
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        ready!(self.too_long.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.incoming.size_hint()
    }
}
