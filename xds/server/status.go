package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/xds/cache"
)

// Status is what a server knows of itself and its proxies.
type Status struct {
	Ready    bool       `json:"ready"`
	Bundle   Bundle     `json:"bundle"`
	LoadedAt time.Time  `json:"loadedAt,omitzero"`
	Proxies  []Proxy    `json:"proxies"`
	Drift    []Finding  `json:"drift,omitempty"`    // what runs otherwise than it was compiled
	Degraded []Degraded `json:"degraded,omitempty"` // why something newer is not served
	Rejected []Rejected `json:"rejected,omitempty"` // streams that were refused lately, the oldest first
	// Rotation of the root that is under way, and whom it waits for.
	Rotation *ca.Rotation `json:"rotation,omitempty"`
}

// Finding is a finding in short.
type Finding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	At       string `json:"at"`
	Message  string `json:"message"`
	Effect   string `json:"effect,omitempty"`
	Help     string `json:"help,omitempty"`
}

// Degraded says that a part of what is served is not the newest, and why.
type Degraded struct {
	What     string    `json:"what"` // bundle, catalog, certificates or state
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`
	Findings []Finding `json:"findings,omitempty"`
}

func short(l diag.List) []Finding {
	var out []Finding
	for _, f := range l {
		at := f.At()
		if len(f.Related) > 0 { // what is about the catalog says where it was pinned
			at = f.Related[0].Span
		}
		out = append(out, Finding{Code: string(f.Code), Severity: f.Severity.String(), At: at.String(), Message: f.Message, Effect: f.Effect, Help: f.Help})
	}
	return out
}

// Degrade shows in status, and in metrics, that the newest bundle or catalog is
// not served. An empty reason takes it back.
func (s *Server) Degrade(what, reason string, findings diag.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := time.Now()
	if old, ok := s.degraded[what]; ok {
		since = old.Since
	}
	if reason == "" {
		delete(s.degraded, what)
		s.metrics.degraded.WithLabelValues(what).Set(0)
		return
	}
	s.degraded[what] = Degraded{What: what, Reason: reason, Since: since, Findings: short(findings)}
	s.metrics.degraded.WithLabelValues(what).Set(1)
}

// Bundle names what is served.
type Bundle struct {
	Mesh         string `json:"mesh,omitempty"`
	PolicyDigest string `json:"policyDigest,omitempty"`
	BundleDigest string `json:"bundleDigest,omitempty"`
	Revision     string `json:"revision,omitempty"`
	Epoch        int64  `json:"epoch,omitempty"`
}

// Proxy is one open stream.
type Proxy struct {
	Identity    string    `json:"identity"`
	Workload    string    `json:"workload,omitempty"`
	Peer        string    `json:"peer"`
	Protocol    string    `json:"protocol"`
	Credential  string    `json:"credential"`
	Node        string    `json:"node,omitempty"`  // as the client says; a hint
	Agent       string    `json:"agent,omitempty"` // as the client says; a hint
	Since       time.Time `json:"since"`
	Expires     time.Time `json:"expires"` // when its credential does
	Certificate string    `json:"certificate,omitempty"`
	cache.Status
}

// Rejected is a stream that was refused, and how often.
type Rejected struct {
	At       time.Time `json:"at"` // the last time
	Times    int       `json:"times"`
	Peer     string    `json:"peer"`
	Identity string    `json:"identity,omitempty"`
	Workload string    `json:"workload,omitempty"`
	Reason   string    `json:"reason"`
}

// Status is the state now, proxies in order of identity, workload and peer.
func (s *Server) Status() Status {
	out := Status{Proxies: []Proxy{}}
	if w := s.cache.World(); w != nil {
		m := w.Bundle().Manifest
		out.Ready = true
		out.Bundle = Bundle{Mesh: m.Mesh, PolicyDigest: m.PolicyDigest, BundleDigest: m.BundleDigest, Revision: m.Revision, Epoch: m.Epoch}
		out.Drift = short(w.Findings())
	}
	for _, st := range s.open() {
		out.Proxies = append(out.Proxies, st.status())
	}
	slices.SortFunc(out.Proxies, func(a, b Proxy) int {
		return cmp.Or(cmp.Compare(a.Identity, b.Identity), cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Peer, b.Peer))
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Rotation = s.rotation
	out.LoadedAt, out.Rejected = s.loadedAt, slices.Clone(s.rejected)
	for _, what := range slices.Sorted(maps.Keys(s.degraded)) {
		out.Degraded = append(out.Degraded, s.degraded[what])
	}
	return out
}

func (st *stream) status() Proxy {
	p := st.credential.proxy
	out := Proxy{
		Identity: string(p.Identity), Workload: p.Workload, Peer: st.address, Protocol: st.protocol, Credential: st.credential.kind,
		Since: st.since, Expires: st.credential.expires, Certificate: st.leaf.current(), Status: st.session.Status(),
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	out.Node, out.Agent = st.node, st.agent
	return out
}

// WaitAcked waits until every named workload has a stream that has acknowledged
// all of the world as it is now. With no names it waits for all open streams. A
// proxy that refuses a part of it ends the wait with its reason.
func (s *Server) WaitAcked(ctx context.Context, workloads ...string) error {
	for {
		news := s.cache.News()
		missing, err := s.missing(workloads)
		if err != nil || len(missing) == 0 {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%w; still waiting for %s", ctx.Err(), strings.Join(missing, "; "))
		case <-s.ctx.Done():
			return fmt.Errorf("the server is closed; still waiting for %s", strings.Join(missing, "; "))
		}
	}
}

// missing says which of the workloads are not in sync, and what they lack.
func (s *Server) missing(workloads []string) ([]string, error) {
	best := map[string]string{}
	for _, w := range workloads {
		best[w] = "it is not connected"
	}
	for _, st := range s.open() {
		name := st.credential.proxy.Workload
		if _, asked := best[name]; !asked && len(workloads) > 0 {
			continue
		}
		if name == "" {
			name = string(st.credential.proxy.Identity)
		}
		status := st.session.Status()
		if refused := refusedText(status); refused != "" {
			return nil, fmt.Errorf("%s refused %s", name, refused)
		}
		if status.InSync {
			best[name] = ""
		} else if best[name] != "" || len(workloads) == 0 {
			best[name] = lacking(status)
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(best)) {
		if best[name] != "" {
			out = append(out, name+": "+best[name])
		}
	}
	return out, nil
}

func refusedText(s cache.Status) string {
	for _, k := range s.Types {
		for _, r := range k.Refused {
			return fmt.Sprintf("%s %q: %s", k.Type, r.Name, r.Reason)
		}
	}
	return ""
}

func lacking(s cache.Status) string {
	if s.Denied != "" {
		return s.Denied
	}
	var parts []string
	for _, k := range s.Types {
		if k.Waiting+k.Pending > 0 {
			parts = append(parts, fmt.Sprintf("%s has %d responses unanswered and %d resources to come", k.Type, k.Waiting, k.Pending))
		}
	}
	if len(parts) == 0 {
		return "it has not asked for everything yet"
	}
	return strings.Join(parts, ", ")
}
