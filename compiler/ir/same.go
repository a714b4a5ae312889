package ir

import "slices"

// Equal parts of meshes that follow each other. What a mesh shares with the one
// before lies in one place in memory, which is found out at once. A test makes
// sure that no field is forgotten. The verifier does not use these: it has its
// own, so that a fault here hides nothing from it.

// OnePlace tells that two slices are the same place in memory, or both empty.
func OnePlace[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Equal is slices.Equal, at once for slices of one place.
func Equal[T comparable](a, b []T) bool { return OnePlace(a, b) || slices.Equal(a, b) }

// EqualBy is slices.EqualFunc by reference, as elements are large, and at once for
// slices of one place.
func EqualBy[T any](a, b []T, same func(a, b *T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	if OnePlace(a, b) {
		return true
	}
	for i := range a {
		if !same(&a[i], &b[i]) {
			return false
		}
	}
	return true
}

// SameService tells whether two services mean the same.
func SameService(a, b *Service) bool {
	return a == b || a.ID == b.ID && a.Headless == b.Headless && a.Outside == b.Outside && Equal(a.Accounts, b.Accounts) && Equal(a.Ports, b.Ports)
}

// SameRole tells whether two roles mean the same.
func SameRole(a, b *Role) bool {
	return a == b || a.Identity == b.Identity && Equal(a.Services, b.Services) && EqualBy(a.Ports, b.Ports, SameInboundPort)
}

// SameInboundPort tells whether two target ports mean the same.
func SameInboundPort(a, b *InboundPort) bool {
	return a.TargetPort == b.TargetPort && a.TargetName == b.TargetName && a.Protocol == b.Protocol && a.Plaintext == b.Plaintext && Equal(a.Services, b.Services)
}

// SameGrant tells whether two grants mean the same.
func SameGrant(a, b *Grant) bool {
	return a == b || a.Name == b.Name && a.Destination == b.Destination && Equal(a.Sources, b.Sources) &&
		Equal(a.Ports, b.Ports) && EqualBy(a.HTTP, b.HTTP, SameMatch) && a.Until.Equal(b.Until)
}

// SameMatch tells whether two matches mean the same.
func SameMatch(a, b *Match) bool {
	return a == b || a.Name == b.Name && a.Path == b.Path && Equal(a.Methods, b.Methods) && Equal(a.Headers, b.Headers)
}

// SameSplit tells whether two splits mean the same.
func SameSplit(a, b *Split) bool {
	return a == b || a.Name == b.Name && a.Root == b.Root && EqualBy(a.Matches, b.Matches, SameMatch) && EqualBy(a.Backends, b.Backends, SameBackend)
}

// SameBackend tells whether two leaves mean the same.
func SameBackend(a, b *Backend) bool {
	return a.Service == b.Service && a.Weight == b.Weight && a.Missing == b.Missing && Equal(a.Ports, b.Ports)
}
