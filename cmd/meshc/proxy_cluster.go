package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/control"
	"github.com/meshc/meshc/xds/server"
)

// pod reads NAMESPACE/POD; without a namespace it is that of the kubeconfig.
func podOf(word, otherwise string) (namespace, name string) {
	if ns, name, ok := strings.Cut(word, "/"); ok {
		return ns, name
	}
	return otherwise, word
}

func newProxyStatusCmd(s streams) *cobra.Command {
	f := &controlFlags{}
	cmd := &cobra.Command{
		Use:   "status [NAMESPACE/POD]",
		Short: "Show the proxies of a cluster, or a pod's: what it was sent, acknowledged and refused",
		Long: `Ask every replica of a cluster's control plane for its proxies, through the API server.
"meshc status" asks a server that is reached by its own address.`,
		Example: "  meshc proxy status\n  meshc proxy status shop/web-7c9f",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.open()
			if err != nil {
				return err
			}
			replicas, err := clusterStatus(cmd.Context(), c, f.namespace)
			if err != nil {
				return err
			}
			var shown []server.Proxy
			for _, r := range replicas {
				var st server.Status
				if r.Err == nil {
					r.Err = json.Unmarshal(r.Raw, &st)
				}
				if r.Err != nil {
					fmt.Fprintf(s.Err, "replica %s does not tell: %v\n", r.Pod, r.Err)
					continue
				}
				shown = append(shown, st.Proxies...)
			}
			if len(args) == 0 {
				return printProxies(s.Out, shown, time.Now())
			}
			ns, name := podOf(args[0], c.Namespace)
			for _, p := range shown {
				if strings.TrimPrefix(p.Workload, "workload ") == ns+"/"+name {
					return printProxies(s.Out, []server.Proxy{p}, time.Now())
				}
			}
			if why := control.Refusal(replicas, ns, name); why != "" {
				fmt.Fprintf(s.Out, "the proxy of pod %s/%s was refused: %s\n", ns, name, why)
			} else {
				fmt.Fprintf(s.Out, "the proxy of pod %s/%s is not connected\n", ns, name)
			}
			return failed(exitFindings)
		},
	}
	f.add(cmd)
	return cmd
}

func newProxyStatsCmd(s streams) *cobra.Command {
	f := &connectFlags{}
	cmd := &cobra.Command{
		Use:     "stats NAMESPACE/POD",
		Short:   "Show the counters of a pod's Envoy",
		Long:    "Show the counters and gauges of a pod's Envoy in Prometheus' text form, through the API\nserver. They are all that a proxy shows to others: its admin address is for the pod alone.",
		Example: "  meshc proxy stats shop/web-7c9f",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.print(s, args[0], func(c *api.Client, ns, name string) ([]byte, error) {
				return control.Counters(cmd.Context(), c, ns, name)
			})
		},
	}
	f.add(cmd)
	return cmd
}

func newProxyLogsCmd(s streams) *cobra.Command {
	f := &connectFlags{}
	var lines int
	cmd := &cobra.Command{
		Use:     "logs NAMESPACE/POD",
		Short:   "Show the log of a pod's proxy",
		Example: "  meshc proxy logs shop/web-7c9f --lines 20",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.print(s, args[0], func(c *api.Client, ns, name string) ([]byte, error) {
				return control.Logs(cmd.Context(), c, ns, name, "meshc-proxy", lines)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&lines, "lines", 200, "how many of the last lines")
	return cmd
}

// print writes what is asked of a pod.
func (f *connectFlags) print(s streams, pod string, ask func(c *api.Client, ns, name string) ([]byte, error)) error {
	c, err := f.open()
	if err != nil {
		return err
	}
	ns, name := podOf(pod, c.Namespace)
	text, err := ask(c, ns, name)
	if err != nil {
		return input(err)
	}
	_, err = s.Out.Write(text)
	return err
}
