// Package oci keeps bundles in registries, as artifacts that Flux's
// OCIRepository extracts unchanged: one layer, a tar archive compressed by gzip.
// A bundle goes in and a digest comes out, or a reference and a bundle. Equal
// bundles have equal digests. What a registry gives is checked against its
// digests and unpacked in memory, within bounds; what is wrong with it is a
// finding. Who may be trusted is for compiler/bundle/signature.
package oci
