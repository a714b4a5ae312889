package resolve

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// Defaults of DESIGN 9.
const (
	defaultName   = "default"
	defaultDomain = "cluster.local"
	defaultDrain  = 10 * time.Second
)

// readSettings fills the mesh-wide settings and judges what was written.
func (r *resolver) readSettings() {
	c := r.config
	r.settings = ir.Settings{
		Name:              or(c.Name, defaultName),
		TrustDomain:       or(c.TrustDomain, defaultDomain),
		ClusterDomain:     or(c.ClusterDomain, defaultDomain),
		Mode:              ir.Mode(r.choice(c.Mode, []any{"spec", "mode"}, "strict", "permissive", "audit")),
		EgressAllowed:     r.choice(c.Egress, []any{"spec", "egress"}, "deny", "allow") == "allow",
		PlaintextAllowed:  r.choice(c.Plaintext, []any{"spec", "plaintext"}, "deny", "allow") == "allow",
		Compat:            ir.Compat(r.choice(c.Compat, []any{"spec", "compat"}, "smi", "osm", "maesh")),
		DenialBody:        c.DenialBody == nil || *c.DenialBody,
		DenialHeader:      c.DenialHeader == nil || *c.DenialHeader,
		TCPDrain:          r.duration(c.TCPDrain, defaultDrain, 0, "tcpDrain"),
		MaxStreamDuration: r.duration(c.MaxStreamDuration, 0, 0, "maxStreamDuration"),
		ServiceRanges:     r.ranges(c.ServiceRanges, "services"),
		PodRanges:         r.ranges(c.PodRanges, "pods"),
		Certificates:      r.lifetimes(),
	}
	r.compat = r.settings.Compat
	r.breakGlass = r.readBreakGlass()
	r.checkNames()
	r.checkSources()
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// inConfig is the position of a value of meshc.yaml.
func (r *resolver) inConfig(path ...any) diag.Span {
	if o := r.config.Object; o != nil {
		return o.At(path...)
	}
	return diag.Span{}
}

// choice is a value that must be one of a few; the first is the default, and
// what an unknown value is taken for: the strictest of them.
func (r *resolver) choice(value string, path []any, allowed ...string) string {
	if value == "" || slices.Contains(allowed, value) {
		return or(value, allowed[0])
	}
	f := diag.New("MSH0301", r.inConfig(path...), "%q is not a %s", value, path[len(path)-1]).
		WithEffect("%s counts until it is mended", allowed[0]).
		WithHelp("write one of %s", strings.Join(allowed, ", "))
	if n := diag.Nearest(value, allowed); n != "" {
		f = f.WithHelp("did you mean %q? One of %s", n, strings.Join(allowed, ", "))
		if o := r.config.Object; o != nil {
			f = renamed(f, o, path, value, n)
		}
	}
	r.report(f)
	return allowed[0]
}

// duration is a length of time that may not be less than least.
func (r *resolver) duration(d *time.Duration, fallback, least time.Duration, path ...any) time.Duration {
	if d == nil {
		return fallback
	}
	if *d < least {
		r.report(diag.New("MSH0302", r.inConfig(append([]any{"spec"}, path...)...), "%s of %s is less than %s", path[len(path)-1], *d, least).
			WithHelp("write %s or more", least))
		return fallback
	}
	return *d
}

func (r *resolver) ranges(written []string, field string) []netip.Prefix {
	var out []netip.Prefix
	for i, s := range written {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			r.report(diag.New("MSH0303", r.inConfig("spec", "ranges", field, i), "%q is not a range of addresses", s).
				WithEffect("addresses in it are not known to belong to the mesh").
				WithHelp("write ADDRESS/BITS, as 10.96.0.0/12 or fd00:10:96::/112"))
			continue
		}
		out = append(out, p.Masked())
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

// label is what Kubernetes takes for the name of a namespace or a part of a domain.
var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func isDomain(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if !label.MatchString(part) {
			return false
		}
	}
	return len(s) <= 253
}

func (r *resolver) checkNames() {
	s := &r.settings
	if !isDomain(s.Name) {
		r.report(diag.New("MSH0301", r.inConfig("metadata", "name"), "%q cannot be the name of a mesh", s.Name).
			WithHelp("use lower-case letters, digits, dashes and dots: namespaces carry it as the label %s", labelMesh))
	}
	if !ir.ValidTrustDomain(s.TrustDomain) {
		r.report(diag.New("MSH0301", r.inConfig("spec", "trustDomain"), "%q is not a trust domain", s.TrustDomain).
			WithHelp("use lower-case letters, digits, dots, dashes and underscores: it is the first part of every SPIFFE id"))
	}
	if !isDomain(s.ClusterDomain) {
		r.report(diag.New("MSH0301", r.inConfig("spec", "clusterDomain"), "%q is not a domain", s.ClusterDomain).
			WithHelp("write the domain that service names end in, as cluster.local"))
	}
	for i, t := range r.config.Targets {
		r.choice(t, []any{"spec", "targets", i}, "envoy", "grpc")
	}
}

// lifetimes are those that are written and fit each other. The authority replaces
// an intermediate before half of its life, and its root lives for ten years.
func (r *resolver) lifetimes() ir.Lifetimes {
	const rootLife = 10 * 365 * 24 * time.Hour
	c := r.config
	leaf := r.duration(c.LeafLifetime, 24*time.Hour, time.Minute, "certificates", "leaf")
	intermediate := r.duration(c.Intermediate, 2160*time.Hour, time.Minute, "certificates", "intermediate")
	grace := r.duration(c.AuthGrace, leaf/2, 0, "authGrace")
	if grace == 0 {
		grace = -1 // 0 is what nobody wrote
	}
	switch at := r.inConfig("spec", "certificates"); {
	case leaf > intermediate/2:
		r.report(diag.New("MSH0302", at, "leaves of %s outlive the half of intermediate certificates of %s", leaf, intermediate).
			WithEffect("workloads would hold certificates that nobody can check any more").
			WithHelp("give `intermediate` several times the life of `leaf`, twice at least; the defaults are 2160h and 24h"))
	case intermediate > rootLife:
		r.report(diag.New("MSH0302", at, "intermediate certificates of %s outlive the root, which lives for %s", intermediate, rootLife).
			WithHelp("write %s or less; the default is 2160h", rootLife))
	default:
		written := func(d *time.Duration, v time.Duration) time.Duration {
			if d == nil {
				return 0
			}
			return v
		}
		return ir.Lifetimes{Leaf: written(c.LeafLifetime, leaf), Intermediate: written(c.Intermediate, intermediate), Grace: written(c.AuthGrace, grace)}
	}
	return ir.Lifetimes{}
}

func (r *resolver) checkSources() {
	for _, s := range r.config.Sources {
		switch {
		case s.Path != "" && s.Kustomize != "":
			r.report(diag.New("MSH0304", s.At, "the source has both a path and a kustomization").
				WithHelp("write two sources, or only `kustomize`: a kustomization is built, never read raw"))
		case s.Path == "" && s.Kustomize == "":
			r.report(diag.New("MSH0304", s.At, "the source has neither a path nor a kustomization").
				WithHelp("write `path: FOLDER` or `kustomize: FOLDER`"))
		case s.Namespace != "" && !label.MatchString(s.Namespace):
			r.report(diag.New("MSH0304", s.At, "%q is not the name of a namespace", s.Namespace).
				WithHelp("use lower-case letters, digits and dashes"))
		}
	}
}
