// Package cni intercepts the connections of pods from outside of them: a chained CNI
// plugin that the container runtime calls when a pod's network is made, so that no
// container of the pod needs NET_ADMIN. Which pods, and what of them, stands in an
// annotation that the injector writes and the runtime hands over; the plugin asks
// nobody. What pods mean it does not know.
package cni

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
	"github.com/vishvananda/netns"

	"github.com/meshc/meshc/dataplane/netinit"
)

const (
	// Type is the plugin's name in network configurations, and the file that the
	// runtime runs.
	Type = "meshc-cni"
	// Annotation is what of a pod is intercepted: an Interception as JSON. A pod without
	// it is left alone.
	Annotation = "meshc.dev/interception"
	// capability is how container runtimes that follow the Container Runtime Interface
	// hand the annotations of a pod to plugins that ask for them.
	capability = "io.kubernetes.cri.pod-annotations"
)

// Interception is the value of Annotation.
type Interception struct {
	UID uint32 `json:"uid"` // that the pod's Envoy runs as
	netinit.Words
}

// options are what netinit takes.
func (i Interception) options() (netinit.Options, error) {
	o, err := i.Words.Options()
	o.Exempt = netinit.UID(i.UID)
	return o, errors.Join(err, o.Check())
}

// Main runs as the plugin, by the variables and the standard input of the CNI
// specification. It returns the status to end with.
func Main() int {
	if err := skel.PluginMainFuncsWithError(skel.CNIFuncs{Add: add, Check: check, Del: del, GC: del, Status: del}, version.All, "meshc: interception of meshed pods"); err != nil {
		_ = err.Print() // whoever called is gone if this fails
		return 1
	}
	return 0
}

// config is the plugin's part of the network's configuration, as the runtime
// completes it.
type config struct {
	types.PluginConf
	RuntimeConfig map[string]json.RawMessage `json:"runtimeConfig,omitempty"`
}

// add intercepts a pod's connections. The pod is not started if that fails.
func add(args *skel.CmdArgs) error {
	conf, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	if conf.PrevResult == nil {
		return types.NewError(types.ErrInvalidNetworkConfig, Type+" is the first plugin of network "+conf.Name, "it belongs behind the one that gives the pod its addresses")
	}
	o, meshed, err := conf.interception()
	if err != nil {
		return err
	}
	if meshed {
		if err := within(args.Netns, func() error { return netinit.Apply(o) }); err != nil {
			return types.NewError(types.ErrInternal, "the pod's connections cannot be intercepted", err.Error())
		}
	}
	return types.PrintResult(conf.PrevResult, conf.CNIVersion)
}

// check tells whether a pod's connections are intercepted as they must be.
func check(args *skel.CmdArgs) error {
	conf, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	_, meshed, err := conf.interception()
	if err != nil || !meshed {
		return err
	}
	return within(args.Netns, func() error {
		if there, err := netinit.Applied(); err != nil || !there {
			return types.NewError(types.ErrInternal, "the pod's connections are not intercepted", fmt.Sprint(err))
		}
		return nil
	})
}

// del does nothing: rules and addresses go with the namespace they stand in.
func del(*skel.CmdArgs) error { return nil }

func parse(stdin []byte) (*config, error) {
	conf := &config{}
	if err := json.Unmarshal(stdin, conf); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "the network's configuration cannot be read", err.Error())
	}
	if err := version.ParsePrevResult(&conf.PluginConf); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "the result of the plugins before cannot be read", err.Error())
	}
	return conf, nil
}

// interception is what the pod's annotation asks for.
func (c *config) interception() (o netinit.Options, meshed bool, err error) {
	raw, ok := c.RuntimeConfig[capability]
	if !ok {
		return o, false, nil // a sandbox without annotations, or a runtime that hands over none
	}
	var annotations map[string]string
	if err := json.Unmarshal(raw, &annotations); err != nil {
		return o, false, types.NewError(types.ErrDecodingFailure, "the pod's annotations cannot be read", err.Error())
	}
	text, ok := annotations[Annotation]
	if !ok {
		return o, false, nil
	}
	var i Interception
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields() // a newer injector may mean something by them
	if err := d.Decode(&i); err != nil {
		return o, false, types.NewError(types.ErrDecodingFailure, "annotation "+Annotation+" cannot be read", err.Error())
	}
	if o, err = i.options(); err != nil {
		return o, false, types.NewError(types.ErrDecodingFailure, "annotation "+Annotation+" asks for what cannot be", err.Error())
	}
	return o, true, nil
}

// within runs f in a network namespace.
func within(path string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := netns.GetFromPath(path)
		if err == nil {
			defer ns.Close()
			err = netns.Set(ns)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
