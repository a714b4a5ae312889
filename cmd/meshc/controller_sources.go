package main

import (
	"context"
	"path/filepath"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/gitops/live"
	"github.com/meshc/meshc/gitops/oci"
	"github.com/meshc/meshc/gitops/ruleset"
	"github.com/meshc/meshc/xds/follow"
	"github.com/meshc/meshc/xds/server"
)

// opener opens the bundles that the Mesh may name, and judges who signed them.
func (f *controllerFlags) opener() live.Opener {
	trust := f.follow.Trust
	return func(ctx context.Context, from live.Reference) (*bundle.Bundle, diag.List, error) {
		b, findings, err := f.read(ctx, from.String())
		if b == nil || err != nil || len(findings) > 0 || trust == "" {
			return b, findings, err
		}
		keys, findings, err := signature.LoadKeys(trust)
		if err != nil || len(findings) > 0 {
			return nil, findings, err
		}
		_, findings = signature.Check(b, keys)
		return b, findings, nil
	}
}

// ruleSets fetches the rule sets that the Mesh may name, and keeps them beside its state.
func (f *controllerFlags) ruleSets() live.RuleSets {
	keep := ruleset.Cache(filepath.Join(f.follow.State, "rulesets"))
	return func(ctx context.Context, set source.RuleSet) (map[string][]byte, diag.List) {
		return setFiles(set, f.plainHTTP, func(at oci.Reference) (*ruleset.Set, error) {
			if kept, err := keep.Get(at.Digest()); err == nil {
				return kept, nil
			}
			pulled, _, err := ruleset.Pull(ctx, at, keep)
			return pulled, err
		})
	}
}

// openLive gives the catalog that the policy is compiled with, once it has told all.
func openLive(l *live.Live) (follow.Catalog, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	if err := l.Wait(ctx); err != nil {
		return nil, err
	}
	return l.Catalog(), nil
}

// driftOf is what runs otherwise than what is served was compiled.
func driftOf(srv *server.Server) diag.List {
	if w := srv.World(); w != nil {
		return w.Findings()
	}
	return nil
}

// proxiesOf counts who has taken what is served.
func proxiesOf(s server.Status) live.Proxies {
	out := live.Proxies{Digest: s.Bundle.PolicyDigest, Of: map[string]live.Count{}}
	for _, p := range s.Proxies {
		n := out.Of[p.Identity]
		n.Connected++
		if p.InSync {
			n.Acknowledged++
		}
		out.Of[p.Identity] = n
	}
	return out
}
