package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verdict"
)

type canFlags struct {
	registryFlags
	bundle  string
	output  string
	why     bool
	headers []string
	report  *reportFlags
	compile *compileFlags
}

func newCanCmd(s streams) *cobra.Command {
	f := &canFlags{}
	cmd := &cobra.Command{
		Use:   "can FROM TO [METHOD PATH] [SOURCE...]",
		Short: "Tell whether one workload may call another, and what decides",
		Long: `Tell whether one workload may call another, and which object decides or which
one is missing, with file and line.

FROM is NAMESPACE/SERVICEACCOUNT, a SPIFFE id, or 'outside' for a client without
a mesh certificate. TO is NAMESPACE/SERVICE:PORT (without :PORT if the service
has one port), or external:HOST:PORT. METHOD and PATH are the request's on an HTTP
port, GET / if left out.

The mesh is what the sources mean (the working directory if there are none), or
a bundle. Both the policy and the Envoy configuration made of it are asked.

--why tells every step: the client's listener and what put it there, the route and
its split, what the server's RBAC tried, and the grants that nearly let the request
in, the nearest first.

The exit code is 0 for allow, 1 for deny and for mixed (some of the backends or
accounts behind TO let it through, some do not), 4 where it cannot be told: a name
is not known, or what leaves the mesh waits for its address ranges ('ranges').`,
		Example: `  meshc can bookbuyer/bookbuyer bookstore/bookstore:14001 GET /buy-a-book/new examples/01-bookstore
  meshc can bookthief/bookthief bookstore/bookstore:14001 GET /books-bought --bundle ./bundle
  meshc can bookbuyer/bookbuyer bookstore/bookstore:14001 POST /buy-a-book/new --why examples/01-bookstore
  meshc can bookstore/bookstore-v1 bookwarehouse/bookwarehouse POST /restock-books -o json examples/01-bookstore`,
		Args: cobra.MinimumNArgs(2),
	}
	f.report = addReportFlags(cmd)
	f.compile = addCompileFlags(cmd)
	cmd.Flags().StringVar(&f.bundle, "bundle", "", "ask the bundle in `DIR`, or at oci://REF, instead of sources")
	f.add(cmd)
	cmd.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "a header of the request as `NAME:VALUE`; repeatable")
	cmd.Flags().BoolVar(&f.why, "why", false, "tell every step of the decision, and the near misses")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "`FORMAT` of the verdict: text or json")
	cmd.RunE = func(_ *cobra.Command, args []string) error { return f.run(s, args) }
	return cmd
}

// asked is what the arguments ask, before the mesh is known.
type asked struct {
	from, to string
	http     *ir.HTTPRequest
	sources  []string
}

func (f *canFlags) parse(args []string) (asked, error) {
	q := asked{from: args[0], to: args[1]}
	rest := args[2:]
	if len(rest) > 0 && isMethod(rest) {
		if len(rest) < 2 {
			return q, fmt.Errorf("%s needs a path, such as %s %s %s /", rest[0], q.from, q.to, rest[0])
		}
		q.http, rest = &ir.HTTPRequest{Method: rest[0], Path: rest[1]}, rest[2:]
	}
	q.sources = rest
	if len(f.headers) > 0 && q.http == nil {
		q.http = &ir.HTTPRequest{Method: "GET", Path: "/"}
	}
	headers, err := parseHeaders(f.headers)
	if err != nil {
		return q, err
	}
	if q.http != nil {
		q.http.Headers = headers
		if err := verdict.CheckHTTP(q.http); err != nil {
			return q, err
		}
	}
	switch {
	case !slices.Contains([]string{"text", "json"}, f.output):
		return q, fmt.Errorf("-o %q is none of text, json", f.output)
	case f.bundle != "" && len(q.sources) > 0:
		return q, errors.New("--bundle and sources exclude each other")
	}
	return q, nil
}

// parseHeaders reads NAME:VALUE, each.
func parseHeaders(flags []string) ([]ir.Header, error) {
	var out []ir.Header
	for _, h := range flags {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, fmt.Errorf("-H %q is not NAME:VALUE", h)
		}
		out = append(out, ir.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return out, nil
}

// isMethod tells a method from a source: it is a word of HTTP, in any case, so
// that a lower-case one is named as the mistake; or capitals before a path, so that
// PURGE /x is not taken for two folders.
func isMethod(rest []string) bool {
	if slices.Contains(verdict.Methods, strings.ToUpper(rest[0])) {
		return true
	}
	return len(rest) > 1 && strings.HasPrefix(rest[1], "/") && strings.Trim(rest[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (f *canFlags) run(s streams, args []string) error {
	q, err := f.parse(args)
	if err != nil {
		return usage(err)
	}
	mesh, plan, err := f.mesh(s, q.sources)
	if err != nil {
		return err
	}
	r, err := q.request(mesh)
	if err != nil {
		return usage(err)
	}
	compiled, err := verdict.Compiled(mesh, plan)
	if err != nil {
		return engine(err)
	}
	why, meant, defect, err := verdict.Explain(mesh, compiled, r)
	if err != nil {
		return engine(err)
	}
	meant = verdict.Late(mesh, r, meant)
	a := answer{Question: verdict.Sentence(r), Answer: verdict.NewAnswer(meant), Shares: verdict.Shares(meant), Objects: objects(mesh, meant), Defect: defect}
	if f.why {
		a.Why = why
	}
	if err := a.print(s, f.output); err != nil {
		return err
	}
	return a.exit()
}

// mesh is the mesh that is asked and its plan. Where the sources have errors
// nothing can be told.
func (f *canFlags) mesh(s streams, sources []string) (*ir.Mesh, *ir.Plan, error) {
	if err := f.idle(f.bundle); err != nil {
		return nil, nil, err
	}
	if f.bundle != "" {
		b, err := openBundle(context.Background(), s, f.report, &f.registryFlags, f.bundle)
		if err != nil {
			return nil, nil, err
		}
		return b.Mesh, b.Plan, nil
	}
	c, err := f.compile.compile(s, f.report, sources)
	if err != nil {
		return nil, nil, err
	}
	if c.Plan == nil {
		if err := c.report(s, f.report); err != nil && exitCode(err) == exitUsage {
			return nil, nil, err
		}
		return nil, nil, engine(errors.New("the sources have errors: nobody can tell who may call whom"))
	}
	return c.Mesh, c.Plan, nil
}

// request is what is asked, with the defaults that the mesh gives.
func (q asked) request(mesh *ir.Mesh) (ir.Request, error) {
	r, err := q.named(mesh)
	if err != nil {
		return r, err
	}
	if svc, ok := mesh.Service(r.To.Service); ok && r.HTTP == nil {
		if p, ok := svc.Port(r.To.Port); ok && p.Protocol.IsHTTP() {
			r.HTTP = &ir.HTTPRequest{Method: "GET", Path: "/"}
		}
	}
	return r, nil
}

// named is what is asked, with the only port of a service that has one.
func (q asked) named(mesh *ir.Mesh) (ir.Request, error) {
	r := ir.Request{HTTP: q.http}
	var err error
	if r.From, err = verdict.Source(mesh.Settings.TrustDomain, q.from); err != nil {
		return r, fmt.Errorf("FROM %w", err)
	}
	to := q.to
	if only, ok := onlyPort(mesh, to); ok {
		to = only.String()
	}
	if r.To, r.External, err = verdict.Destination(to); err != nil {
		if ports := portsOf(mesh, to); len(ports) > 0 {
			err = fmt.Errorf("%q has %d ports: write one of %s", to, len(ports), strings.Join(ports, ", "))
		} else if namespace, service, ok := strings.Cut(to, "/"); ok && namespace != "" && service != "" && !strings.ContainsAny(service, "/:") {
			err = fmt.Errorf("%q is no service that is known%s, and no port is given: write NAMESPACE/SERVICE:PORT", to, nearService(mesh, to))
		}
		return r, fmt.Errorf("TO %w", err)
	}
	return r, nil
}

// onlyPort is the port of NAMESPACE/SERVICE where the service has but one.
func onlyPort(mesh *ir.Mesh, to string) (ir.PortID, bool) {
	svc, ok := serviceNamed(mesh, to)
	if !ok || len(svc.Ports) != 1 {
		return ir.PortID{}, false
	}
	return ir.PortID{Service: svc.ID, Port: svc.Ports[0].Number}, true
}

// portsOf are the ports of NAMESPACE/SERVICE, as TO names them.
func portsOf(mesh *ir.Mesh, to string) []string {
	svc, ok := serviceNamed(mesh, to)
	if !ok {
		return nil
	}
	var out []string
	for _, p := range svc.Ports {
		out = append(out, ir.PortID{Service: svc.ID, Port: p.Number}.String())
	}
	return out
}

// nearService asks whether the service that is most like a name was meant.
func nearService(mesh *ir.Mesh, name string) string {
	var known []string
	for _, s := range mesh.Services {
		known = append(known, s.ID.String())
	}
	if near := diag.Nearest(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}

func serviceNamed(mesh *ir.Mesh, name string) (*ir.Service, bool) {
	namespace, service, ok := strings.Cut(name, "/")
	if !ok {
		return nil, false
	}
	return mesh.Service(ir.ServiceID{Namespace: namespace, Name: service})
}
