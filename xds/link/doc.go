// Package link binds a bundle to what is known only at run time: a catalog's
// addresses, endpoints, target ports and workloads. A World is one immutable
// outcome: what every proxy is to be sent, with a version for each resource that
// is the digest of its bytes. Late facts may close what the bundle opens and
// never open more; each difference is a finding. It knows neither policy's
// sources nor streams.
package link
