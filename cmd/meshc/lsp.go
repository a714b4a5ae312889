package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/lsp"
)

// clock is the time of judgement, again and again.
func clock() time.Time {
	now, err := judgement()
	if err != nil { // it was looked at before
		return time.Now().UTC()
	}
	return now
}

func newLSPCmd(s streams) *cobra.Command {
	var env, accepted string
	var stdio bool
	cmd := &cobra.Command{
		Use:   "lsp",
		Short: "Serve an editor: findings while you type, what objects mean, where names lead, fixes",
		Long: `Serve an editor over standard input and output, by the Language Server Protocol:
what check finds, while it is typed; what an object means (who may call whom);
where a name leads and who refers to it; what may stand at a place; fixes.

An editor starts it; docs/editor.md has the settings for several. Every meshc.yaml
in the folders that are open is a mesh. Exit code 0 when the editor ends the
conversation as it should, 1 when it just goes away.`,
		Example: "  meshc lsp\n  meshc lsp --env prod\n  meshc lsp --baseline baseline.txt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := judgement(); err != nil {
				return usage(err)
			}
			if accepted != "" && !filepath.IsLocal(accepted) {
				return usage(fmt.Errorf("--baseline %s: it is a file below the folder of each meshc.yaml", accepted))
			}
			if !lsp.Serve(cmd.Context(), s.In, s.Out, lsp.Options{Version: versionString(), Environment: env, Baseline: filepath.ToSlash(accepted), RuleSets: keptRules, Now: clock, Log: s.Err}) {
				return failed(exitFindings)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&env, "env", "", "lay the environment `NAME` of every meshc.yaml that has it over it")
	cmd.Flags().StringVar(&accepted, "baseline", "", "show the findings that `FILE` has, in the folder of a meshc.yaml, as hints, as check --baseline does not count them")
	cmd.Flags().BoolVar(&stdio, "stdio", false, "speak over standard input and output: what it always does, for editors that say so")
	return cmd
}
