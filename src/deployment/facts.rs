//! What is the same for every site on one kind of target.

/// What a target's engine calls itself and has of its own.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The name of the target inside a container. The engine knows it only where a service is told so.
    pub own_name: &'static str,
    /// The address of the resolver inside a container that knows the names of services.
    pub resolver: &'static str,
    /// Where the engine puts its networks. When the gateway is published to the target itself only, whoever comes from there is a
    /// proxy on the target.
    pub networks: &'static [&'static str],
}

impl Facts {
    /// Docker's engine (its documentation, "Networking overview" and `--add-host host-gateway`).
    pub const DOCKER: Self = Self { own_name: "host.docker.internal", resolver: "127.0.0.11", networks: &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"] };
}
