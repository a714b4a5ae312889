package follow

import (
	"fmt"
	"strings"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// admit is the offer if it may be served, else why not: it must be signed by
// whom the server trusts, of the server's trust domain, mesh and environment, and
// not older than what is served.
func (f *Follower) admit(o offer) offer {
	if o.bundle == nil {
		return o
	}
	b := o.bundle
	if findings, err := f.trusted(b); len(findings) > 0 || err != nil {
		return offer{findings: findings, err: err}
	}
	if f.bundle != nil {
		if was, is := f.bundle.Mesh.Settings.TrustDomain, b.Mesh.Settings.TrustDomain; was != is {
			return offer{err: fmt.Errorf("it is of trust domain %q and this server issues certificates of %q: start another server for it", is, was)}
		}
	}
	if other := f.foreign(b); other != nil {
		return offer{findings: diag.List{*other}}
	}
	if f.opts.Judged {
		return o
	}
	if older := f.ordered(b); older != nil {
		return offer{findings: diag.List{*older}}
	}
	return o
}

// trusted says why a bundle is not signed by anybody who is trusted.
func (f *Follower) trusted(b *bundle.Bundle) (diag.List, error) {
	if f.opts.Trust == "" {
		return nil, nil
	}
	keys, findings, err := signature.LoadKeys(f.opts.Trust)
	if err != nil {
		return nil, fmt.Errorf("the trusted keys cannot be read: %w", err)
	}
	if len(findings) > 0 {
		return findings, nil
	}
	by, findings := signature.Check(b, keys)
	for i := range findings {
		findings[i].Locations[0].File = strings.TrimSuffix(f.opts.Bundle, "/") + "/" + findings[i].At().File
	}
	if by.ID != "" {
		f.opts.Log.Debug("the bundle is signed", "bundleDigest", b.Manifest.BundleDigest, "key", by.Short(), "file", by.Name)
	}
	return findings, nil
}

// foreign refuses a bundle of another mesh or environment than the server's: one
// key often signs for staging and production, and both count their epochs.
func (f *Follower) foreign(b *bundle.Bundle) *diag.Finding {
	m := b.Manifest
	mesh, env := f.served.Mesh, f.served.Environment
	fixed := mesh != ""
	if f.opts.Mesh != "" {
		mesh = f.opts.Mesh
	}
	if f.opts.Env != nil {
		env = *f.opts.Env
	}
	otherMesh := mesh != "" && m.Mesh != mesh
	otherEnv := (fixed || f.opts.Env != nil) && m.Environment != env
	if !otherMesh && !otherEnv {
		return nil
	}
	if mesh == "" {
		mesh = m.Mesh
	}
	if !fixed && f.opts.Env == nil {
		env = m.Environment
	}
	finding := diag.New("MSH0417", f.manifest(), "the bundle is of %s, and this server serves %s", origin(m.Mesh, m.Environment), origin(mesh, env)).
		WithEffect("the bundle is not taken; what was served before stays served").
		WithHelp("give this server the bundle of %s; or, if it is to serve the other one from now on, start it with --mesh %s --env '%s'", origin(mesh, env), m.Mesh, m.Environment)
	return &finding
}

func origin(mesh, env string) string {
	if env == "" {
		return fmt.Sprintf("mesh %q without an environment", mesh)
	}
	return fmt.Sprintf("mesh %q, environment %q", mesh, env)
}

// manifest is the place of what a bundle says of itself.
func (f *Follower) manifest() diag.Span {
	return diag.Span{File: strings.TrimSuffix(f.opts.Bundle, "/") + "/" + bundle.ManifestFile}
}

// served is what the next bundle is held against. Mesh is empty when nothing was
// served; an earlier meshc did not write it down either.
type served struct {
	Mesh         string `json:"mesh"`
	Environment  string `json:"environment,omitempty"`
	Epoch        int64  `json:"epoch"`
	PolicyDigest string `json:"policyDigest"`
	BundleDigest string `json:"bundleDigest"`
}

func servedOf(b *bundle.Bundle) served {
	m := b.Manifest
	return served{Mesh: m.Mesh, Environment: m.Environment, Epoch: m.Epoch, PolicyDigest: m.PolicyDigest, BundleDigest: m.BundleDigest}
}

// ordered refuses a bundle that is older than what is served, unless it is the
// one that was asked back.
func (f *Follower) ordered(b *bundle.Bundle) *diag.Finding {
	m := b.Manifest
	if m.Epoch >= f.served.Epoch || m.BundleDigest == f.served.BundleDigest {
		return nil
	}
	at := f.manifest()
	if want := f.opts.Rollback; want == "" || want != m.PolicyDigest && want != m.BundleDigest {
		has, again := fmt.Sprintf("epoch %d", m.Epoch), "from the newest commit"
		if m.Epoch == 0 {
			has, again = "no epoch, which counts as the oldest", "from sources in a Git commit, or with --epoch"
		}
		finding := diag.New("MSH0412", at, "the bundle of mesh %q has %s, and epoch %d (%s) is served", m.Mesh, has, f.served.Epoch, f.served.PolicyDigest).
			WithEffect("the bundle is not taken; what was served before stays served").
			WithHelp("build it again %s; or, if going back is meant, serve with --rollback %s", again, m.PolicyDigest)
		return &finding
	}
	return f.reopens(b, at)
}

// reopens refuses to go back to a bundle that allows what the served one does
// not, unless that was asked for too.
func (f *Follower) reopens(b *bundle.Bundle, at diag.Span) *diag.Finding {
	more := f.widened(b.Mesh)
	f.opts.Log.Warn("an older bundle was asked back", "epoch", b.Manifest.Epoch, "policyDigest", b.Manifest.PolicyDigest, "from", f.served.Epoch, "opens", more)
	if len(more) == 0 || f.opts.AllowWiden {
		return nil
	}
	shown := more[:min(5, len(more))]
	if rest := len(more) - len(shown); rest > 0 {
		shown = append(append([]string(nil), shown...), fmt.Sprintf("and %d more", rest))
	}
	finding := diag.New("MSH0413", at, "the bundle of epoch %d opens what epoch %d closed: %s", b.Manifest.Epoch, f.served.Epoch, strings.Join(shown, "; ")).
		WithEffect("the bundle is not taken; what was served before stays served").
		WithHelp("revert the one change that was wrong and build a new bundle; or, if opening it is meant, serve with --allow-widen too")
	return &finding
}

// widened lists what a mesh allows beyond the one that is served.
func (f *Follower) widened(next *ir.Mesh) []string {
	now := f.bundle
	if now == nil {
		kept, err := f.store.bundle()
		if err != nil || kept.Manifest.BundleDigest != f.served.BundleDigest {
			return []string{"what was served last is not kept, so nobody can tell what is opened"}
		}
		now = kept
	}
	if f.opts.Widened == nil {
		return []string{"nobody can tell what is opened"}
	}
	return f.opts.Widened(now.Mesh, next)
}
