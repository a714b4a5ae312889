package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/server"
)

// lifetimes are what the flags say of certificates, or else the mesh.
func (f *serveFlags) lifetimes(set ir.Settings) (leaf, intermediate time.Duration) {
	leaf, intermediate = set.Certificates.Leaf, set.Certificates.Intermediate
	if f.leaf != 0 {
		leaf = f.leaf
	}
	if f.intermediate != 0 {
		intermediate = f.intermediate
	}
	return leaf, intermediate
}

// authGrace is how long tokens of a cluster count past their end while it is away;
// negative: not at all without it.
func (f *serveFlags) authGrace(set ir.Settings) time.Duration {
	if set.Certificates.Grace != 0 {
		return set.Certificates.Grace
	}
	leaf, _ := f.lifetimes(set)
	return cmp.Or(leaf, 24*time.Hour) / 2
}

// issuing is a server whose authority follows the lifetimes, and
// whose judge of tokens the grace, that each bundle says.
type issuing struct {
	*server.Server
	flags     *serveFlags
	authority *ca.Authority
	log       *slog.Logger
	// grace is told how long tokens count past their end; nil: these end when they say.
	grace func(time.Duration)
}

// Set hands a bundle over. Lifetimes that do not fit the flags leave those in force.
func (s issuing) Set(b *bundle.Bundle, snap *catalog.Snapshot) diag.List {
	reason := ""
	if err := s.authority.SetLifetimes(s.flags.lifetimes(b.Mesh.Settings)); err != nil {
		reason = fmt.Sprintf("the mesh's `certificates` do not fit, those in force stay: %v", err)
		s.log.Error("the mesh's lifetimes of certificates are not taken", "error", err)
	}
	s.Degrade("lifetimes", reason, nil)
	if s.grace != nil {
		s.grace(s.flags.authGrace(b.Mesh.Settings))
	}
	return s.Server.Set(b, snap)
}
