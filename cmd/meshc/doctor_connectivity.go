package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/control"
	"github.com/meshc/meshc/deploy/doctor"
)

func newDoctorConnectivityCmd(s streams) *cobra.Command {
	f := &controlFlags{}
	var from, to, method, path string
	var headers []string
	var tcp bool
	cmd := &cobra.Command{
		Use:   "connectivity --from NAMESPACE/POD --to NAMESPACE/SERVICE[:PORT]",
		Short: "Follow a call from a pod to a service, and tell at which step it fails",
		Long: `Follow a call from a pod to a service: who the pod is, whether its proxy is connected
and has what it is to have, whether the mesh that is served knows the service and lets
the call through, whether somebody answers, whether the Envoys of both ends hold
certificates that the other takes, and what the pod's Envoy counts of the service. It
ends at the first step that fails. Nothing is sent to the service.`,
		Example: "  meshc doctor connectivity --from shop/web-7c9f --to shop/cart:80 --path /items\n  meshc doctor connectivity --from shop/web-7c9f --to shop/db:3306 --tcp",
		Args:    cobra.NoArgs,
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "the `NAMESPACE/POD` that calls (required)")
	flags.StringVar(&to, "to", "", "the `NAMESPACE/SERVICE[:PORT]` that is called (required)")
	flags.StringVar(&method, "method", "GET", "`METHOD` of the call")
	flags.StringVar(&path, "path", "/", "`PATH` of the call")
	flags.StringArrayVarP(&headers, "header", "H", nil, "a header of the call as `NAME:VALUE`; repeatable")
	flags.BoolVar(&tcp, "tcp", false, "the call is raw bytes")
	for _, name := range []string{"from", "to"} {
		_ = cmd.MarkFlagRequired(name) // it fails only for a flag that is not there
	}
	report := addReportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		quietKlog()
		walk := &doctor.Walk{Namespace: f.namespace, Now: time.Now()}
		var err error
		if walk.From, walk.To, err = ends(from, to); err != nil {
			return usage(err)
		}
		if !tcp {
			walk.HTTP = &ir.HTTPRequest{Method: method, Path: path}
			for _, h := range headers {
				name, value, ok := strings.Cut(h, ":")
				if !ok {
					return usage(fmt.Errorf("-H %q is no NAME:VALUE", h))
				}
				walk.HTTP.Headers = append(walk.HTTP.Headers, ir.Header{Name: name, Value: strings.TrimSpace(value)})
			}
		}
		if walk.Client, err = f.open(); err != nil {
			return err
		}
		served, err := clusterBundle(cmd.Context(), walk.Client, f.namespace)
		if err != nil {
			return input(fmt.Errorf("what the control plane serves is not known: %w", err))
		}
		walk.Mesh = served.Mesh
		checks, err := walk.Run(cmd.Context())
		if err != nil {
			return input(err)
		}
		return printChecks(s, checks, report)
	}
	return cmd
}

// ends are the two ends of a call.
func ends(from, to string) (pod api.Ref, port ir.PortID, err error) {
	ns, name, ok := strings.Cut(from, "/")
	if !ok || ns == "" || name == "" {
		return pod, port, fmt.Errorf("--from %q is no NAMESPACE/POD", from)
	}
	pod = api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: ns, Name: name}
	service, number, numbered := strings.Cut(to, ":")
	if ns, name, ok = strings.Cut(service, "/"); !ok || ns == "" || name == "" {
		return pod, port, fmt.Errorf("--to %q is no NAMESPACE/SERVICE[:PORT]", to)
	}
	port.Service = ir.ServiceID{Namespace: ns, Name: name}
	if numbered {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 {
			return pod, port, fmt.Errorf("--to %q: %q is no port", to, number)
		}
		port.Port = uint16(n)
	}
	return pod, port, nil
}

// printChecks tells each check in a line, then what was found.
func printChecks(s streams, checks []doctor.Check, report *reportFlags) error {
	var found diag.List
	w := tabwriter.NewWriter(s.Err, 0, 0, 2, ' ', 0)
	for _, check := range checks {
		mark := "ok"
		if max, any := check.Found.Max(); any {
			mark = max.String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", mark, check.Name, check.Says)
		found.Add(check.Found...)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return report.emit(s, found, nil)
}

// clusterStatus asks the replicas of a cluster's control plane.
func clusterStatus(ctx context.Context, c *api.Client, namespace string) ([]control.Replica, error) {
	replicas, err := control.Replicas(ctx, c, namespace)
	if err != nil {
		return nil, input(err)
	}
	if len(replicas) == 0 {
		return nil, input(fmt.Errorf("no replica of the control plane runs in namespace %s", namespace))
	}
	return replicas, nil
}
