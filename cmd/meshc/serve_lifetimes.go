package main

import (
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

// issuing is a server whose authority follows the lifetimes that each bundle says.
type issuing struct {
	*server.Server
	flags     *serveFlags
	authority *ca.Authority
	log       *slog.Logger
}

// Set hands a bundle over. Lifetimes that do not fit the flags leave those in force.
func (s issuing) Set(b *bundle.Bundle, snap *catalog.Snapshot) diag.List {
	reason := ""
	if err := s.authority.SetLifetimes(s.flags.lifetimes(b.Mesh.Settings)); err != nil {
		reason = fmt.Sprintf("the mesh's `certificates` do not fit, those in force stay: %v", err)
		s.log.Error("the mesh's lifetimes of certificates are not taken", "error", err)
	}
	s.Degrade("lifetimes", reason, nil)
	return s.Server.Set(b, snap)
}
