// Package bundle is the compiled mesh as bytes: what a build writes and what
// servers read. Pack makes it of IR and plan, Files and Write give it out, Open
// and FromFiles take it back and trust nothing they read. Equal policies are
// equal bytes. It knows neither how a plan is made nor what Envoy does with it,
// and holds no secret.
package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// The files of a bundle. Others (such as signatures/) may lie beside them and
// are no part of either digest.
const (
	ManifestFile = "manifest.json"
	IRFile       = "ir.json"
	IndexFile    = "index"
	PackFile     = "resources.pack"
	OriginsFile  = "origins"
	FindingsFile = "findings.json"
)

// Bundle is a packed or opened bundle; it is immutable.
type Bundle struct {
	Manifest Manifest
	Mesh     *ir.Mesh // with Origins
	Plan     *ir.Plan
	Findings diag.List

	files    map[string][]byte
	packed   [][]byte // by Ref: the serialised Any
	versions []string // by Ref
}

// Files is every file by its path in the bundle. The bytes are shared: leave them alone.
func (b *Bundle) Files() map[string][]byte { return maps.Clone(b.files) }

// Any is the resource as it is sent: a serialised google.protobuf.Any. The bytes
// are shared.
func (b *Bundle) Any(ref ir.Ref) []byte { return b.packed[ref] }

// Version is the resource's xDS version: the digest of its Any bytes, in hex.
func (b *Bundle) Version(ref ir.Ref) string { return b.versions[ref] }

// Version is the xDS version of any serialised Any, such as one that link composed.
func Version(serialisedAny []byte) string {
	sum := sha256.Sum256(serialisedAny)
	return hex.EncodeToString(sum[:])
}

// typeURLs are the type URLs of what a plan holds.
var typeURLs = map[ir.ResourceType]string{
	ir.TypeListener:  "type.googleapis.com/envoy.config.listener.v3.Listener",
	ir.TypeRoute:     "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
	ir.TypeCluster:   "type.googleapis.com/envoy.config.cluster.v3.Cluster",
	ir.TypeExtension: "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
	ir.TypeChain:     "type.googleapis.com/envoy.config.listener.v3.FilterChain",
}

// TypeURL is the type URL of a resource type; empty for one that does not exist.
func TypeURL(t ir.ResourceType) string { return typeURLs[t] }
