package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/deploy/upkeep"
)

// authorityFlags say where the authority is: in a state folder, or in a cluster.
type authorityFlags struct {
	state, namespace    string
	kubeconfig, context string
}

func (f *authorityFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.state, "state", "", "state `DIR` of the control plane, or the word cluster: what its replicas there share (required)")
	flags.StringVar(&f.namespace, "namespace", "meshc-system", "`NAMESPACE` of the control plane in the cluster")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "`FILE` that says how the cluster is reached (default KUBECONFIG, ~/.kube/config, or the pod's own account)")
	flags.StringVar(&f.context, "context", "", "`NAME` of the context in it (default the current one)")
	_ = cmd.MarkFlagRequired("state") // it fails only for a flag that is not there
}

// said is how a command names the authority.
func (f *authorityFlags) said() string {
	words := []string{f.state}
	if f.state == fromCluster {
		for _, flag := range [][2]string{{"kubeconfig", f.kubeconfig}, {"context", f.context}} {
			if flag[1] != "" {
				words = append(words, "--"+flag[0]+" "+flag[1])
			}
		}
		if f.namespace != "meshc-system" {
			words = append(words, "--namespace "+f.namespace)
		}
	}
	return strings.Join(words, " ")
}

// edit changes the authority, or only looks at it.
func (f *authorityFlags) edit(ctx context.Context, change func(stateDir string) (ca.Description, error)) (ca.Description, error) {
	if f.state != fromCluster {
		return change(f.state)
	}
	config, err := kube.Config(f.kubeconfig, f.context)
	if err != nil {
		return ca.Description{}, input(err)
	}
	keeper, err := upkeep.New(upkeep.Options{Config: config, Namespace: f.namespace})
	if err != nil {
		return ca.Description{}, input(err)
	}
	var refused error
	d, err := keeper.EditAuthority(ctx, func(dir string) (ca.Description, error) {
		d, err := change(dir)
		refused = err
		return d, err
	})
	if err != nil && refused == nil {
		err = input(fmt.Errorf("the authority of the cluster: %w", err))
	}
	return d, err
}

// unfit is a change that was refused; what has an exit code keeps it.
func unfit(err error) error {
	if e := (*exitError)(nil); errors.As(err, &e) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return input(err)
	}
	return usage(err)
}

// there tells whether a folder that is meant is one.
func (f *authorityFlags) there() error {
	if f.state == fromCluster {
		return nil
	}
	_, err := os.Stat(f.state)
	return err
}
