package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/server"
)

func newStatusCmd(s streams) *cobra.Command {
	var address, output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show a running server's bundle, proxies and drift",
		Long: `Show what a running "meshc serve" serves: the bundle's digests, each proxy with
what it was sent, acknowledged and refused, streams that were refused, and where
the catalog differs from what was compiled.`,
		Example: "  meshc status\n  meshc status -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := fetchStatus(cmd.Context(), address)
			if err != nil {
				return input(err)
			}
			switch output {
			case "json":
				_, err := s.Out.Write(raw)
				return err
			case "text":
				var st server.Status
				if err := json.Unmarshal(raw, &st); err != nil {
					return engine(fmt.Errorf("the answer of %s is no status: %w", address, err))
				}
				return printStatus(s.Out, st, time.Now())
			}
			return usage(fmt.Errorf("-o %q is none of text, json", output))
		},
	}
	cmd.Flags().StringVar(&address, "server", "http://127.0.0.1:15129", "`URL` of the server's admin address")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

// maxStatus bounds what is read of an answer, in bytes.
const maxStatus = 256 << 20

func fetchStatus(ctx context.Context, address string) ([]byte, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(address, "/")+"/status", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxStatus))
}

// printStatus is the status for people.
func printStatus(out io.Writer, st server.Status, now time.Time) error {
	if !st.Ready {
		fmt.Fprintln(out, "nothing is served yet: no bundle is loaded")
	} else {
		fmt.Fprintf(out, "mesh %s\npolicy digest %s\nbundle digest %s\n", st.Bundle.Mesh, st.Bundle.PolicyDigest, st.Bundle.BundleDigest)
		if st.Bundle.Revision != "" {
			fmt.Fprintf(out, "revision %s\n", st.Bundle.Revision)
		}
		if st.Bundle.Epoch > 0 {
			fmt.Fprintf(out, "epoch %d\n", st.Bundle.Epoch)
		}
	}
	for _, d := range st.Degraded {
		fmt.Fprintf(out, "degraded for %s: %s\n", since(now, d.Since), d.Reason)
	}
	if r := st.Rotation; r != nil {
		fmt.Fprintf(out, "the root is being replaced since %s, step %s; it waits for %d, see meshc ca show\n", day(r.Started), r.Step, len(r.Waiting))
	}
	fmt.Fprintln(out)
	if err := printProxies(out, st.Proxies, now); err != nil {
		return err
	}
	for _, r := range st.Rejected {
		times := ""
		if r.Times > 1 {
			times = fmt.Sprintf(", %d times", r.Times)
		}
		fmt.Fprintf(out, "refused %s ago%s: %s from %s: %s\n", since(now, r.At), times, who(r.Identity, r.Workload), r.Peer, r.Reason)
	}
	if len(st.Drift) > 0 {
		fmt.Fprintln(out, "\ndrift: what runs is not what was compiled")
	}
	for _, f := range st.Drift {
		at := ""
		if f.At != "" && f.At != "catalog" {
			at = " (compiled with " + f.At + ")"
		}
		fmt.Fprintf(out, "  %s[%s]: %s%s\n", f.Severity, f.Code, f.Message, at)
	}
	return nil
}

func printProxies(out io.Writer, proxies []server.Proxy, now time.Time) error {
	if len(proxies) == 0 {
		fmt.Fprintln(out, "no proxy is connected")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "IDENTITY\tWORKLOAD\tCONNECTED\tSTATE\tSENT/ACKED/NACKED")
	for _, p := range proxies {
		var counts []string
		for _, k := range p.Types {
			counts = append(counts, fmt.Sprintf("%s %d/%d/%d", k.Type, k.Sent, k.Acked, k.Nacked))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", ir.Identity(p.Identity).Short(), strings.TrimPrefix(orAny(p.Workload), "workload "), since(now, p.Since), stateOf(p), strings.Join(counts, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range proxies {
		for _, k := range p.Types {
			for _, r := range k.Refused {
				fmt.Fprintf(out, "\n%s refused %s %q: %s\n", who(p.Identity, p.Workload), k.Type, r.Name, r.Reason)
			}
		}
		for _, d := range p.Drift {
			fmt.Fprintf(out, "%s: %s\n", who(p.Identity, p.Workload), d)
		}
	}
	return nil
}

func stateOf(p server.Proxy) string {
	if p.Denied != "" {
		return "denied: " + p.Denied
	}
	for _, k := range p.Types {
		if len(k.Refused) > 0 {
			return "refuses a part"
		}
	}
	if p.InSync {
		return "in sync"
	}
	return "behind"
}

func who(identity, workload string) string {
	switch {
	case workload != "":
		return workload
	case identity != "":
		return ir.Identity(identity).Short()
	}
	return "a stream without an identity"
}

// since is a time ago in whole seconds.
func since(now, then time.Time) string { return now.Sub(then).Truncate(time.Second).String() }
