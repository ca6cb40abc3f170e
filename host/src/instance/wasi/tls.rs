//! What checks the certificates of those that guests speak to: the authorities that this system trusts.

#[cfg(feature = "wasi-http")]
use std::sync::{Arc, OnceLock};

#[cfg(feature = "wasi-http")]
use rustls::{ClientConfig, RootCertStore};
#[cfg(feature = "wasi-http")]
use tokio_rustls::TlsConnector;

/// The TLS of one host. A clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tls {
    /// Read when it is needed first, and once: certificates are hundreds of files.
    #[cfg(feature = "wasi-http")]
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[cfg(feature = "wasi-http")]
impl Tls {
    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(self.config.get_or_init(config)))
    }
}

#[cfg(feature = "wasi-http")]
fn config() -> Arc<ClientConfig> {
    let mut trusted = RootCertStore::empty();
    // Without any, no certificate is accepted.
    trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual versions of TLS");
    Arc::new(config.with_root_certificates(trusted).with_no_client_auth())
}
