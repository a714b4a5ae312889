package main

import (
	"fmt"
	"net"
	"time"

	"github.com/spf13/pflag"
)

// serveOrigin says which bundles are the server's.
type serveOrigin struct {
	mesh  string
	env   string
	flags *pflag.FlagSet
}

func (o *serveOrigin) add(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringVar(&o.mesh, "mesh", "", "take bundles of the mesh `NAME` only (default that of the first one served)")
	flags.StringVar(&o.env, "env", "", "take bundles of the environment `NAME` only, empty: of none (default that of the first one served)")
}

// check judges the flags before anything is opened, and hands on what they say of
// the bundles.
func (f *serveFlags) check() error {
	for _, a := range []struct{ flag, address string }{{"listen", f.listen}, {"admin", f.admin}, {"renew-listen", f.renew}} {
		if a.address == "" && a.flag != "listen" {
			continue // none is wanted
		}
		_, port, err := net.SplitHostPort(a.address)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil {
			return usage(fmt.Errorf("--%s %q is no address to listen on (%w): write HOST:PORT or :PORT", a.flag, a.address, err))
		}
	}
	switch {
	case f.flags.Changed("leaf") && f.leaf < time.Minute:
		return usage(fmt.Errorf("--leaf %s is too short to be renewed in: give a minute at least", f.leaf))
	case f.flags.Changed("intermediate") && f.intermediate < 2*time.Minute:
		return usage(fmt.Errorf("--intermediate %s is too short: give twice the life of the proxies' certificates at least", f.intermediate))
	case f.leaf > 0 && f.intermediate > 0 && f.leaf > f.intermediate/2:
		return usage(fmt.Errorf("--leaf %s is more than half of --intermediate %s: certificates would outlive who signed them", f.leaf, f.intermediate))
	}
	if err := f.idle(f.follow.Bundle); err != nil {
		return err
	}
	if f.follow.Mesh = f.mesh; f.flags.Changed("env") {
		f.follow.Env = &f.env
	}
	return nil
}
