package syntax

import (
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
)

// decodeMesh reads a meshc.yaml, with the environment that was asked for laid
// over it. The environments that were not asked for are judged as strictly.
func decodeMesh(d *decoder, root *record) {
	o := d.obj
	cfg := &Config{Object: o, Name: o.Name}
	o.config = cfg
	spec := root.get("spec").record()
	if spec == nil {
		return
	}
	decodeSpec(spec, cfg)
	envs := spec.get("environments").entries()
	spec.done()
	var names []string
	for _, env := range envs {
		names = append(names, env.key.(string))
		r := env.record()
		if r == nil {
			continue
		}
		into := &Config{}
		if env.key == d.job.tree.Environment {
			into = cfg
			cfg.Environment = d.job.tree.Environment
		}
		decodeSpec(r, into)
		r.done()
	}
	if cfg.Environment != "" {
		o.positions.overlay = []any{"spec", "environments", cfg.Environment}
	}
	cfg.Environments = names
	d.environment(names)
}

func (d *decoder) environment(names []string) {
	want := d.job.tree.Environment
	if want == "" || slices.Contains(names, want) {
		return
	}
	path := []any{"spec", "environments"}
	f := diag.New("MSH0119", d.obj.At(path...), "there is no environment %q", want).
		WithHelp("environments are %s", list(names))
	if near := diag.Nearest(want, names); near != "" {
		f = f.WithHelp("did you mean %q? Environments are %s", near, list(names))
	}
	d.fault(f, path)
}

// decodeSpec reads the fields of `spec`, or of an environment: what is written
// replaces what is there, entries of `namespaces` are laid over one by one, and
// `waivers` are added to those of the mesh.
func decodeSpec(r *record, cfg *Config) {
	r.set("trustDomain", &cfg.TrustDomain)
	r.set("clusterDomain", &cfg.ClusterDomain)
	r.set("mode", &cfg.Mode)
	r.set("egress", &cfg.Egress)
	r.set("plaintext", &cfg.Plaintext)
	r.set("compat", &cfg.Compat)
	decodeNamespaces(r, cfg)
	if c := r.get("sources"); c != nil {
		cfg.Sources = nil
		for _, item := range c.items() {
			cfg.Sources = append(cfg.Sources, sourceConfig(item))
		}
	}
	if lock := r.get("lock").record(); lock != nil {
		if c := lock.get("file"); c != nil {
			cfg.Lock.File = c.text()
		}
		if v := lock.get("maxAge").duration(); v != nil {
			cfg.Lock.MaxAge = *v
		}
		lock.done()
	}
	if c := r.get("assume"); c != nil {
		cfg.Assume = nil
		for _, item := range c.items() {
			if f, ok := fact(item); ok {
				cfg.Assume = append(cfg.Assume, f)
			}
		}
	}
	if c := r.get("targets"); c != nil {
		cfg.Targets = c.strings()
	}
	decodeLimits(r, cfg)
	decodeRules(r.get("rules").record(), &cfg.Rules)
	cfg.Waivers = append(cfg.Waivers, waivers(r.get("waivers"))...)
	decodeLater(r)
}

// set replaces a text by that of a field, if it was written.
func (r *record) set(field string, into *string) {
	if c := r.get(field); c != nil {
		*into = c.text()
	}
}

func decodeNamespaces(r *record, cfg *Config) {
	for _, ns := range r.get("namespaces").entries() {
		name := ns.key.(string)
		if !isLabel(name) {
			f := ns.faultAt(ns.keySpan(), "MSH0108", "%q is not the name of a namespace", name)
			*f = f.WithHelp("names of namespaces hold lower-case letters, digits and hyphens")
		}
		rec := ns.record()
		if rec == nil {
			continue
		}
		if cfg.Namespaces == nil {
			cfg.Namespaces = map[string]NamespaceConfig{}
		}
		n := cfg.Namespaces[name]
		rec.set("mode", &n.Mode)
		rec.set("egress", &n.Egress)
		rec.set("plaintext", &n.Plaintext)
		rec.done()
		cfg.Namespaces[name] = n
	}
}

func sourceConfig(c *cursor) SourceConfig {
	s := SourceConfig{At: c.span()}
	if c.null() || c.n.Content == nil {
		s.Path = c.text()
		return s
	}
	r := c.record()
	s.Path = r.get("path").text()
	s.Kustomize = r.get("kustomize").text()
	s.Namespace = r.get("namespace").checkedLabel()
	r.done()
	return s
}

// decodeLimits reads how traffic, certificates and address ranges are bounded.
func decodeLimits(r *record, cfg *Config) {
	if denial := r.get("denial").record(); denial != nil {
		if v := denial.get("body").boolean(); v != nil {
			cfg.DenialBody = v
		}
		if v := denial.get("header").boolean(); v != nil {
			cfg.DenialHeader = v
		}
		denial.done()
	}
	set := func(c *cursor, into **time.Duration) {
		if v := c.duration(); v != nil {
			*into = v
		}
	}
	set(r.get("tcpDrain"), &cfg.TCPDrain)
	set(r.get("maxStreamDuration"), &cfg.MaxStreamDuration)
	set(r.get("authGrace"), &cfg.AuthGrace)
	if glass := r.get("breakGlass").record(); glass != nil {
		set(glass.get("longest"), &cfg.BreakGlassLongest)
		glass.done()
	}
	if certs := r.get("certificates").record(); certs != nil {
		set(certs.get("leaf"), &cfg.LeafLifetime)
		set(certs.get("intermediate"), &cfg.Intermediate)
		certs.done()
	}
	if ranges := r.get("ranges").record(); ranges != nil {
		if c := ranges.get("services"); c != nil {
			cfg.ServiceRanges = c.strings()
		}
		if c := ranges.get("pods"); c != nil {
			cfg.PodRanges = c.strings()
		}
		ranges.done()
	}
}

// decodeLater knows the fields that other verbs and rooms read from the file.
func decodeLater(r *record) {
	if rollout := r.get("rollout").record(); rollout != nil {
		rollout.get("rings").items()
		rollout.get("step").duration()
		rollout.done()
	}
	if bundle := r.get("bundle").record(); bundle != nil {
		bundle.get("path").text()
		bundle.get("oci").text()
		bundle.done()
	}
}

// duration is a length of time as Go writes it, or in days; nil if not written.
func (c *cursor) duration() *time.Duration {
	if c == nil {
		return nil
	}
	s := c.quietText()
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if v, err := time.ParseDuration(days + "h"); err == nil && v >= 0 {
			v *= 24
			return &v
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		f := c.fault("MSH0118", "%q is not a length of time", s)
		*f = f.WithHelp("write a number with a unit: 30s, 10m, 168h")
		return nil
	}
	return &v
}
