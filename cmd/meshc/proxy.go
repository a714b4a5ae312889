package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/dataplane/bootstrap"
)

func newProxyCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "What a stock Envoy needs to join a mesh; the proxies of a cluster",
	}
	cmd.AddCommand(newProxyBootstrapCmd(s), newProxyStatusCmd(s), newProxyGetCmd(s), newProxyConfigCmd(s), newProxyStatsCmd(s), newProxyLogsCmd(s))
	return cmd
}

// proxyFlags are what a machine is told about its Envoy.
type proxyFlags struct {
	identity, trustDomain string
	ca, dir               string
	options               bootstrap.Options
}

func newProxyBootstrapCmd(s streams) *cobra.Command {
	f := &proxyFlags{}
	cmd := &cobra.Command{
		Use:   "bootstrap --identity NAMESPACE/SERVICEACCOUNT --workload NAME --control-plane HOST:PORT --ca FILE --token-file FILE --dir DIR",
		Short: "Write the files a stock Envoy on a machine starts with",
		Long: `Write the files that a stock Envoy on a machine starts with into a folder:
envoy.json (its bootstrap), secrets.json (where its credential is) and envoy.env
(the environment it needs). Start it with

    env $(cat DIR/envoy.env) envoy --config-path DIR/envoy.json --drain-time-s 10

where 10 is the mesh's tcpDrain in seconds: how long connections of a TCP grant that
was removed live on.

The control plane's authority is pinned by --ca; a token is never sent to anybody
else. The token file may be replaced by rename at any time, as meshc token renew does.`,
		Example: "  meshc proxy bootstrap --identity shop/cart --workload vm-1 --control-plane 192.0.2.1:15128 \\\n    --ca /etc/meshc/root.pem --token-file /etc/meshc/token/token --dir /etc/meshc",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return f.run(s) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.identity, "identity", "", "`IDENTITY`: NAMESPACE/SERVICEACCOUNT or a SPIFFE id (required)")
	flags.StringVar(&f.trustDomain, "trust-domain", "cluster.local", "trust `DOMAIN` of an identity without one")
	flags.StringVar(&f.options.Workload, "workload", "", "`NAME` of the workload in the catalog; without a namespace in the identity's")
	flags.StringVar(&f.options.ControlPlane, "control-plane", "", "`HOST:PORT` of meshc serve (required)")
	flags.StringVar(&f.options.ServerName, "server-name", "", "`NAME` in the control plane's certificate (default HOST)")
	flags.StringVar(&f.ca, "ca", "", "`FILE` with the mesh's root certificate (required)")
	flags.StringVar(&f.options.TokenFile, "token-file", "", "`FILE` with the join token")
	flags.StringVar(&f.options.CertFile, "cert-file", "", "`FILE` with a client certificate, in place of a token")
	flags.StringVar(&f.options.KeyFile, "key-file", "", "`FILE` with the key of --cert-file")
	flags.StringVar(&f.options.Region, "region", "", "where the machine is, for status")
	flags.StringVar(&f.options.Zone, "zone", "", "where in the region")
	flags.BoolVar(&f.options.IPv4Only, "ipv4-only", false, "the machine's kernel has no IPv6: leave it out")
	flags.StringVar(&f.dir, "dir", "", "`DIR` to write into (required)")
	for _, name := range []string{"identity", "control-plane", "ca", "dir"} {
		_ = cmd.MarkFlagRequired(name) // it fails only for a flag that is not there
	}
	return cmd
}

func (f *proxyFlags) run(s streams) error {
	id, ok := ir.ParseIdentity(f.trustDomain, f.identity)
	if !ok {
		return usage(fmt.Errorf("--identity %q is neither NAMESPACE/SERVICEACCOUNT nor a SPIFFE id", f.identity))
	}
	authority, err := os.ReadFile(f.ca)
	if err != nil {
		return input(err)
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return input(err)
	}
	o := f.options
	o.Identity, o.CA = id, authority
	o.Workload = workloadName(id, o.Workload)
	o.SecretsFile = filepath.Join(dir, "secrets.json")
	for _, path := range []*string{&o.TokenFile, &o.CertFile, &o.KeyFile} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return input(err)
		}
	}
	return f.write(s, dir, o)
}

// write makes the three files. None holds a secret, only where it is.
func (f *proxyFlags) write(s streams, dir string, o bootstrap.Options) error {
	secrets, err := bootstrap.Secrets(o)
	if err != nil {
		return usage(err)
	}
	config, err := bootstrap.JSON(o)
	if err != nil {
		return usage(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return input(err)
	}
	env := ""
	for _, line := range bootstrap.Env(o.Identity) {
		env += line + "\n"
	}
	for name, data := range map[string][]byte{"secrets.json": secrets, "envoy.json": config, "envoy.env": []byte(env)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return input(err)
		}
	}
	fmt.Fprintf(s.Err, "start it with: env $(cat %s) envoy --config-path %s --drain-time-s 10\n", filepath.Join(dir, "envoy.env"), filepath.Join(dir, "envoy.json"))
	return nil
}
