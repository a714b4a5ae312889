package policies

import (
	"maps"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// equal compares lists, most of which are the very same.
func equal[T comparable](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

func sameIdentity(a, b *identityIndex) bool {
	return a.id == b.id && slices.Equal(a.services, b.services) && slices.Equal(a.workloads, b.workloads) &&
		slices.Equal(a.outgoing, b.outgoing) && slices.Equal(a.incoming, b.incoming)
}

func sameService(a, b *ir.Service) bool {
	return a.Headless == b.Headless && a.Outside == b.Outside && equal(a.Accounts, b.Accounts) && equal(a.Ports, b.Ports)
}

func sameGrant(a, b *ir.Grant) bool {
	return a.Destination == b.Destination && equal(a.Sources, b.Sources) && equal(a.Ports, b.Ports) && sameMatches(a.HTTP, b.HTTP)
}

func sameMatches(a, b []ir.Match) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.EqualFunc(a, b, func(a, b ir.Match) bool {
		return a.Name == b.Name && a.Path == b.Path && equal(a.Methods, b.Methods) && equal(a.Headers, b.Headers)
	}))
}

func sameSplit(a, b *ir.Split) bool {
	return a.Root == b.Root && sameMatches(a.Matches, b.Matches) &&
		slices.EqualFunc(a.Backends, b.Backends, func(a, b ir.Backend) bool {
			return a.Service == b.Service && a.Weight == b.Weight && a.Missing == b.Missing && equal(a.Ports, b.Ports)
		})
}

func sameWorkload(a, b *ir.InventoryWorkload) bool {
	return a.Identity == b.Identity && a.Replicas == b.Replicas && a.Meshed == b.Meshed &&
		equal(a.Services, b.Services) && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations)
}

// sameSettings tells whether the settings of a mesh and of its namespaces are the same.
func sameSettings(a, b *ir.Mesh) bool {
	return reflect.DeepEqual(a.Settings, b.Settings) && slices.Equal(a.Namespaces, b.Namespaces)
}
