package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/doctor"
	"github.com/meshc/meshc/deploy/support"
)

func newSupportCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "support",
		Short: "Gather what others need to help with a cluster",
	}
	cmd.AddCommand(newSupportBundleCmd(s))
	return cmd
}

func newSupportBundleCmd(s streams) *cobra.Command {
	f := &controlFlags{}
	var more []string
	var out string
	var lines int
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Write an archive of statuses, policy, events and logs of a cluster",
		Long: `Write an archive (tar, gzip) of what doctor finds, of every replica's status, the served
bundle's manifest and findings, all policy, and the control plane's pods, events and
logs. For namespaces of --from also their pods, services and events, and the logs of
their proxies; never those of applications.

Values of Secrets, ConfigMaps and environment variables are not in it. What could not be
read is told in its errors.txt.`,
		Example: "  meshc support bundle -o support.tar.gz\n  meshc support bundle --from shop,cart",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.open()
			if err != nil {
				return err
			}
			checks, err := doctor.Run(cmd.Context(), doctor.Options{Client: c, Namespace: f.namespace, Mesh: "mesh", Now: time.Now()})
			if err != nil {
				return input(err)
			}
			var seen bytes.Buffer
			for _, check := range checks {
				fmt.Fprintf(&seen, "%s: %s\n", check.Name, check.Says)
				for _, f := range check.Found {
					fmt.Fprintf(&seen, "  %s[%s] %s: %s\n", f.Severity, f.Code, about(f), f.Message)
				}
			}
			file, err := os.OpenFile(out, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
			if err != nil {
				return input(err)
			}
			err = support.Write(cmd.Context(), file, support.Options{Client: c, Namespace: f.namespace, More: more, Lines: lines, Now: time.Now(),
				Files: map[string][]byte{"version.txt": []byte(version + "\n"), "doctor.txt": seen.Bytes()}})
			if closed := file.Close(); err == nil {
				err = closed
			}
			if err != nil {
				return input(err)
			}
			fmt.Fprintf(s.Err, "written to %s: look into it before you pass it on\n", out)
			return nil
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&more, "from", nil, "`NAMESPACES` of applications to look into as well")
	flags.StringVarP(&out, "output", "o", "meshc-support.tar.gz", "`FILE` to write")
	flags.IntVar(&lines, "lines", 1000, "how many lines of each log")
	return cmd
}

// about is the object that a finding is of, or its place.
func about(f diag.Finding) string {
	if f.Object != nil {
		return f.Object.String()
	}
	return f.At().String()
}
