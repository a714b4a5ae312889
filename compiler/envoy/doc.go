// Package envoy lowers a mesh to Envoy resources: in comes an ir.Mesh, out goes
// an ir.Plan whose bytes Envoy takes. Outbound, a client gets what its identity
// may call, in resources that are equal for every client; inbound, a role gets
// the chains of its target ports. It refuses to know addresses, endpoints,
// certificates, files and clocks; link binds those.
//
// # What link appends
//
// Bytes are appended to bytes: protobuf sets, adds or merges the field.
//
//   - OutboundPort.Listener: address, the service's first VIP and port; the
//     others, and the other family, as additional_addresses. Its name stays.
//     A headless service gets one listener for each endpoint address, with the
//     name NAME@ADDRESS appended too.
//   - Cluster.Resource: nothing. Its ClusterLoadAssignment has its name, and
//     endpoints of Cluster.Accounts alone; of a service that is Outside the
//     endpoints that are not meshed. A cluster with neither service nor
//     accounts stands for a backend that does not exist and is given none.
//   - Scope.Virtual: where Scope.Ranged is set, that chain as one more
//     filter_chains entry, with the prefix_ranges of every address of the mesh
//     appended to its filter_chain_match. Without the chain egress would be open
//     to the mesh itself; without ranges the chain refuses everything.
//   - RolePlan.Listener: each of InboundPlan.Chains as a filter_chains entry,
//     with destination_port appended to its filter_chain_match.
//   - The secrets "identity" and "roots", which are named in every TLS context.
//
// A proxy is sent the resources of its scope (Virtual, Extra, and of each of
// Outbound the listener, route, extension, direct cluster and clusters, less
// Scope.Without) and of its role (Listener with chains, Route, Extension). It
// runs with MESHC_IDENTITY and MESHC_SNI in its environment, and with
// re2.max_program_size.error_level of 32768.
//
// # What is decided here
//
// A split with matches does not concern raw bytes. A split none of whose
// backends with a weight serves a port leaves that port to the root. Where
// egress is denied the share of an outside leaf is refused at the client: the
// scope is not given the cluster, and the listener turns the lack into a 403.
// In audit mode the deciding object is shadow_policy where shadow_result is
// "allowed", else policy. Of a TCP connection an access log line tells that the
// workload was reached when its cluster is "inbound" and tls_error is null.
//
// tcpDrain reaches no resource: it is Envoy's --drain-time-s. A removed TCP grant
// removes its client's chain, which closes that client's connections after it.
package envoy
