package link

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"

	"google.golang.org/protobuf/types/known/anypb"
)

// Type is an xDS type that proxies are sent. Their order is the order of
// make-before-break: what a resource names stands before it.
type Type uint8

// The types in the order in which changes go out.
const (
	Cluster Type = iota
	Endpoint
	Secret
	Extension
	Listener
	Route
	// Types is how many there are.
	Types
)

var typeNames = [Types]struct{ short, url string }{
	Cluster:   {"CDS", "type.googleapis.com/envoy.config.cluster.v3.Cluster"},
	Endpoint:  {"EDS", "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"},
	Secret:    {"SDS", "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"},
	Extension: {"ECDS", "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"},
	Listener:  {"LDS", "type.googleapis.com/envoy.config.listener.v3.Listener"},
	Route:     {"RDS", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"},
}

// String is the type's usual short name, such as CDS.
func (t Type) String() string { return typeNames[t].short }

// URL is the type URL.
func (t Type) URL() string { return typeNames[t].url }

// TypeOf finds a type by its URL.
func TypeOf(url string) (Type, bool) {
	for t := range Types {
		if typeNames[t].url == url {
			return t, true
		}
	}
	return 0, false
}

// Resource is one resource as it is sent. It is shared between proxies and
// never changed.
type Resource struct {
	Type    Type
	Name    string
	Version string // the digest of its bytes
	Any     *anypb.Any
	// Needs names the clusters it leads to: it may not go to a proxy that lacks one.
	Needs []string
}

// NewResource makes a resource of serialised bytes, which belong to it from then on.
func NewResource(t Type, name string, body []byte) *Resource {
	return &Resource{Type: t, Name: name, Version: version(body), Any: &anypb.Any{TypeUrl: t.URL(), Value: body}}
}

func version(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Set is resources of one type in order of name.
type Set []*Resource

// Get finds a resource by name; nil when there is none.
func (s Set) Get(name string) *Resource {
	i := sort.Search(len(s), func(i int) bool { return s[i].Name >= name })
	if i < len(s) && s[i].Name == name {
		return s[i]
	}
	return nil
}

// newSet sorts resources and drops doubles.
func newSet(all []*Resource) Set {
	slices.SortFunc(all, func(a, b *Resource) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b *Resource) bool { return a.Name == b.Name })
}
