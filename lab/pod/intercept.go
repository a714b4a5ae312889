package pod

import (
	"github.com/meshc/meshc/dataplane/netinit"
	"github.com/meshc/meshc/lab/wire"
)

// Intercept says how Envoy's own connections are told from the workload's: by its
// user, or by the mark on its sockets where there is but one user.
type Intercept struct{ UID, Mark uint32 }

func intercept(c *wire.Call) (any, error) {
	var args Intercept
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	exempt := netinit.UID(args.UID)
	if args.Mark != 0 {
		exempt = netinit.Mark(args.Mark)
	}
	return nil, netinit.Apply(netinit.Options{Exempt: exempt})
}
