package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/lab"
)

func newLabExecCmd(s streams) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "exec WORKLOAD[/N] -- COMMAND [ARGUMENT...]",
		Short: "Run a program in a pod of the running lab",
		Long: `Run any program of this machine in a pod: it sees the pod's network, names and
addresses, and its calls go through the pod's Envoy. WORKLOAD is a workload's
name, with its namespace before it (NAMESPACE/NAME) where that is needed; N is
the replica, counted from 0.`,
		Example: `  meshc lab exec bookbuyer -- curl -si http://bookstore.bookstore:14001/buy-a-book/new
  meshc lab exec bookstore/bookstore-v1/0 -- cat /etc/resolv.conf`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := lab.Find(name)
			if err != nil {
				return usage(err)
			}
			program := args[1:]
			if program[0] == "--" {
				program = program[1:]
			}
			if len(program) == 0 {
				return usage(errors.New("exec needs a command after --"))
			}
			code, err := r.Exec(args[0], program, os.Stdin, os.Stdout, os.Stderr)
			if err != nil {
				return engine(err)
			}
			if code != 0 {
				return failed(code)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the lab, where several run")
	cmd.Flags().SetInterspersed(false)
	return cmd
}

func newLabDownCmd(s streams) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "End the running lab; nothing of it is left",
		Example: "  meshc lab down",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := lab.Find(name)
			if err != nil {
				return usage(err)
			}
			if err := r.Down(cmd.Context()); err != nil {
				return engine(err)
			}
			fmt.Fprintf(s.Err, "lab %q is down\n", r.Name())
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the lab, where several run")
	return cmd
}
