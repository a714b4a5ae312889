package verify

import (
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// The parts of a mesh are compared field by field, quicker than by reflection;
// a test makes sure that no field is forgotten.

func sameSettings(a, b ir.Settings) bool { return reflect.DeepEqual(a, b) }

func sameService(a, b *ir.Service) bool {
	return a.ID == b.ID && a.Headless == b.Headless && a.Outside == b.Outside && equal(a.Accounts, b.Accounts) && equal(a.Ports, b.Ports)
}

func sameRole(a, b *ir.Role) bool {
	return a.Identity == b.Identity && equal(a.Services, b.Services) && equalFunc(a.Ports, b.Ports, func(x, y ir.InboundPort) bool {
		return x.TargetPort == y.TargetPort && x.TargetName == y.TargetName && x.Protocol == y.Protocol && x.Plaintext == y.Plaintext &&
			equal(x.Services, y.Services)
	})
}

func sameGrant(a, b *ir.Grant) bool {
	return a.Name == b.Name && a.Destination == b.Destination && equal(a.Sources, b.Sources) && equal(a.Ports, b.Ports) &&
		equalFunc(a.HTTP, b.HTTP, sameMatch)
}

func sameMatch(a, b ir.Match) bool {
	return a.Name == b.Name && a.Path == b.Path && equal(a.Methods, b.Methods) && equal(a.Headers, b.Headers)
}

func sameSplit(a, b *ir.Split) bool {
	return a.Name == b.Name && a.Root == b.Root && equalFunc(a.Matches, b.Matches, sameMatch) &&
		equalFunc(a.Backends, b.Backends, func(x, y ir.Backend) bool {
			return x.Service == y.Service && x.Weight == y.Weight && x.Missing == y.Missing && equal(x.Ports, y.Ports)
		})
}

// equal is slices.Equal, at once for slices of one place in memory.
func equal[T comparable](a, b []T) bool { return onePlace(a, b) || slices.Equal(a, b) }

func equalFunc[T any](a, b []T, same func(T, T) bool) bool {
	return onePlace(a, b) || slices.EqualFunc(a, b, same)
}

func onePlace[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
