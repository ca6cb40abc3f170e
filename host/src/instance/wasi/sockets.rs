//! Sockets and name lookup, only with hosts that are granted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use dynhost_graph::grant::Scheme;
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{
    DynPollable, Network as Capability, SocketError, SocketResult, TcpSocket, UdpSocket,
};
use wasmtime_wasi::sockets::{WasiSocketsCtxView, WasiSocketsView};

use super::super::State;
use super::network::{Host, Network};

type Lookup = ip_name_lookup::ResolveAddressStream;

/// Lets sockets be made where any are granted, and has each address checked.
pub(super) fn allow(builder: &mut WasiCtxBuilder, network: &Arc<Network>) {
    let (tcp, udp) = (network.has(Scheme::Tcp), network.has(Scheme::Udp));
    builder.allow_tcp(tcp).allow_udp(udp).allow_ip_name_lookup(tcp || udp);
    if tcp || udp {
        let network = Arc::clone(network);
        builder.socket_addr_check(move |address, what| {
            let permitted = network.permit_socket(address, what);
            Box::pin(async move { permitted })
        });
    }
}

/// Puts checks before what makes a socket and what looks a name up.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    tcp_create_socket::add_to_linker::<State, Checking>(linker, checked)?;
    udp_create_socket::add_to_linker::<State, Checking>(linker, checked)?;
    ip_name_lookup::add_to_linker::<State, Checking>(linker, checked)
}

struct Checking;

impl HasData for Checking {
    type Data<'a> = Checked<'a>;
}

/// The sockets of wasmtime behind the checks of an attempt.
struct Checked<'a> {
    network: Arc<Network>,
    inner: WasiSocketsCtxView<'a>,
}

fn checked(state: &mut State) -> Checked<'_> {
    let network = Arc::clone(&state.wasi().network);
    Checked { network, inner: state.sockets() }
}

impl Checked<'_> {
    fn refuse_without(&self, scheme: Scheme, what: &str) {
        if !self.network.has(scheme) {
            let scheme = scheme.as_str();
            self.network.refuse(&format!(
                "{what} are not granted; an entry that grants them to node `{}`: grants.network = \
                 [{{ host = \"…\", port = N, scheme = \"{scheme}\" }}]",
                self.network.node()
            ));
        }
    }
}

impl network::Host for Checked<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.network_error_code(error)
    }
}

impl network::HostNetwork for Checked<'_> {
    fn drop(&mut self, capability: Resource<Capability>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.inner, capability)
    }
}

impl tcp_create_socket::Host for Checked<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        self.refuse_without(Scheme::Tcp, "TCP connections");
        self.inner.create_tcp_socket(family)
    }
}

impl udp_create_socket::Host for Checked<'_> {
    async fn create_udp_socket(
        &mut self,
        family: IpAddressFamily,
    ) -> SocketResult<Resource<UdpSocket>> {
        self.refuse_without(Scheme::Udp, "UDP datagrams");
        self.inner.create_udp_socket(family).await
    }
}

impl ip_name_lookup::Host for Checked<'_> {
    fn resolve_addresses(
        &mut self,
        capability: Resource<Capability>,
        name: String,
    ) -> SocketResult<Resource<Lookup>> {
        let host = Host::parse(&name).ok_or(ErrorCode::InvalidArgument)?;
        if !self.network.permit_lookup(&host) {
            return Err(ErrorCode::AccessDenied.into());
        }
        let lookup = self.inner.resolve_addresses(capability, name)?;
        if let Host::Name(name) = host {
            self.network.begin_lookup(lookup.rep(), name);
        }
        Ok(lookup)
    }
}

impl ip_name_lookup::HostResolveAddressStream for Checked<'_> {
    fn resolve_next_address(
        &mut self,
        lookup: Resource<Lookup>,
    ) -> SocketResult<Option<IpAddress>> {
        let rep = lookup.rep();
        let found = self.inner.resolve_next_address(lookup)?;
        if let Some(address) = &found {
            self.network.note_lookup(rep, ip(*address));
        }
        Ok(found)
    }

    fn subscribe(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<Resource<DynPollable>> {
        self.inner.subscribe(lookup)
    }

    fn drop(&mut self, lookup: Resource<Lookup>) -> wasmtime::Result<()> {
        self.network.end_lookup(lookup.rep());
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.inner, lookup)
    }
}

fn ip(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4(parts) => Ipv4Addr::from(<[u8; 4]>::from(parts)).into(),
        IpAddress::Ipv6(parts) => Ipv6Addr::from(<[u16; 8]>::from(parts)).into(),
    }
}
