package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

// Rotator is an issuer whose root is replaced step by step; *ca.Authority is
// one. The server tells it which proxies have acknowledged what a step asks for.
type Rotator interface {
	// Rotation is what is under way; roots and issuer count also when nothing is.
	Rotation() (r ca.Rotation, roots []byte, issuer string, ok bool)
	Report(of ca.Rotation, expected []string, seen []ca.Seen) error
	// Expires is when the root and the intermediate that issue end.
	Expires() (root, intermediate time.Time)
	// Err is why the issuer cannot renew itself, nil while it can.
	Err() error
}

// silence is how long a proxy that has everything else may leave the secrets
// unasked for until it counts as one that needs none.
const silence = 10 * time.Second

// rotate does what a tick of a rotation asks for: it replaces leaves of an
// issuer that is on its way out, and reports who has acknowledged the step.
func (s *Server) rotate(now time.Time) {
	by, ok := s.opts.Authority.(Rotator)
	if !ok {
		return
	}
	root, intermediate := by.Expires()
	s.metrics.ends.WithLabelValues("root").Set(float64(root.Unix()))
	s.metrics.ends.WithLabelValues("intermediate").Set(float64(intermediate.Unix()))
	err := by.Err()
	defer func() { s.reportIssuer(err) }()
	turn, roots, issuer, rotating := by.Rotation()
	for _, st := range s.open() {
		if v := st.leaf.current(); v != "" && ca.IssuerOf(v) != issuer {
			st.leaf.renew()
		}
	}
	s.noteRotation(turn, rotating, roots)
	w := s.cache.World()
	if !rotating || w == nil {
		return
	}
	snap := w.Snapshot()
	expected := meshed(snap)
	want := rootsSecret(roots).Version
	seen := map[string]ca.Seen{}
	for _, st := range s.open() {
		reason := st.lacks(turn.Step, want, issuer, now)
		name := proxyName(snap, st)
		if old, twice := seen[name]; twice && !old.Done {
			continue // an older stream of the same proxy holds it up until it is closed
		}
		seen[name] = ca.Seen{Proxy: name, Done: reason == "", Reason: reason}
	}
	var all []ca.Seen
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		all = append(all, seen[name])
	}
	if stuck := by.Report(turn, expected, all); stuck != nil {
		err = errors.Join(err, fmt.Errorf("the rotation of the root cannot go on: %w", stuck))
	}
}

// lacks is what a step of a rotation still wants of a proxy, empty for nothing.
func (st *stream) lacks(step ca.Step, roots, issuer string, now time.Time) string {
	name, what := cache.Roots, "the new root"
	if step == ca.StepIssue {
		name, what = cache.Identity, "a certificate of the new root"
	}
	version, asked := st.session.Acknowledged(link.Secret, name)
	switch {
	case !asked && now.Sub(st.since) > silence && st.session.Status().InSync:
		return "" // nothing that it has uses certificates
	case !asked:
		return "it is connected and has not asked for its secrets yet"
	case step == ca.StepIssue && ca.IssuerOf(version) == issuer, step == ca.StepTrust && version == roots:
		return ""
	}
	return fmt.Sprintf("it is connected and has not acknowledged %s", what)
}

// meshed are the workloads that have a proxy, connected or not.
func meshed(snap *catalog.Snapshot) []string {
	var out []string
	for _, w := range snap.Workloads {
		if w.Meshed {
			out = append(out, w.Name)
		}
	}
	return out
}

// proxyName is the workload of a stream. A credential that names none leads to
// the identity's only workload, or to the one with the stream's address; else
// the stream stands for itself, and its workload is still waited for.
func proxyName(snap *catalog.Snapshot, st *stream) string {
	p := st.credential.proxy
	if p.Workload != "" {
		return p.Workload
	}
	var own []catalog.Workload
	for _, w := range snap.Workloads {
		if w.Meshed && w.Identity == p.Identity {
			own = append(own, w)
		}
	}
	if len(own) == 1 {
		return own[0].Name
	}
	if at, err := netip.ParseAddrPort(st.address); err == nil {
		for _, w := range own {
			if slices.Contains(w.Addresses, at.Addr().Unmap()) {
				return w.Name
			}
		}
		return p.Identity.Short() + " at " + at.Addr().Unmap().String()
	}
	return p.Identity.Short()
}

// noteRotation keeps what status shows of a rotation, and logs its steps.
func (s *Server) noteRotation(turn ca.Rotation, rotating bool, roots []byte) {
	turn.Proxies = nil
	s.mu.Lock()
	before := s.rotation
	if s.rotation = nil; rotating {
		s.rotation = &turn
	}
	s.mu.Unlock()
	switch {
	case rotating && (before == nil || before.Step != turn.Step):
		s.opts.Log.Info("the root is being replaced", "step", string(turn.Step), "old", turn.From, "new", turn.To)
	case !rotating && before != nil && fingerprint(roots) == before.From:
		s.opts.Log.Info("the rotation of the root was taken back", "root", before.From, "thrown away", before.To)
	case !rotating && before != nil:
		s.opts.Log.Info("the root is replaced", "old", before.From, "new", before.To)
	}
}

// fingerprint is the SHA-256 of the first certificate, in hex.
func fingerprint(roots []byte) string {
	block, _ := pem.Decode(roots)
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// reportIssuer shows in status that certificates will run out.
func (s *Server) reportIssuer(err error) {
	reason := ""
	if err != nil {
		reason = "the authority cannot renew itself: " + err.Error()
	}
	if reason == s.ailing {
		return
	}
	s.ailing = reason
	s.Degrade("certificates", reason, nil)
	if err != nil {
		s.opts.Log.Error("the authority cannot renew itself", "error", err)
	}
}
