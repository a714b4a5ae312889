package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/ir"
)

func newTokenCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list, revoke and renew join tokens for machines without Kubernetes",
		Long:  "A join token tells the control plane which identity and which workload a proxy is. It\nis valid for many streams until it expires or is revoked. create, list and revoke work\non the state folder of `meshc serve`, also while it runs; renew asks the server.",
	}
	cmd.AddCommand(newTokenCreateCmd(s), newTokenListCmd(s), newTokenRevokeCmd(s), newTokenRenewCmd(s))
	return cmd
}

// stateFlag names the control plane's folder.
func stateFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "state", "", "state `DIR` of the control plane (required)")
	_ = cmd.MarkFlagRequired("state") // it fails only for a flag that is not there
}

func newTokenCreateCmd(s streams) *cobra.Command {
	var state, identity, workload, trustDomain string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:     "create --identity NAMESPACE/SERVICEACCOUNT --workload NAME --state DIR",
		Short:   "Make a join token and print it, and nothing else, on standard output",
		Example: "  meshc token create --identity shop/cart --workload vm-1 --ttl 24h --state /var/lib/meshc",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			id, err := tokenIdentity(state, trustDomain, identity)
			if err != nil {
				return err
			}
			store, err := token.Open(state, token.Options{})
			if err != nil {
				return input(err)
			}
			raw, claims, err := store.Create(id, workloadName(id, workload), ttl)
			if err != nil {
				return usage(err)
			}
			fmt.Fprintf(s.Err, "token %s for %s, %s, until %s\n", claims.ID, claims.Identity, orAny(claims.Workload), claims.Expires.Local().Format(time.RFC3339))
			fmt.Fprintln(s.Out, raw)
			return nil
		},
	}
	stateFlag(cmd, &state)
	cmd.Flags().StringVar(&identity, "identity", "", "`IDENTITY`: NAMESPACE/SERVICEACCOUNT or a SPIFFE id (required)")
	_ = cmd.MarkFlagRequired("identity")
	cmd.Flags().StringVar(&workload, "workload", "", "`NAME` of the workload in the catalog, without a namespace in the identity's; left out, any workload of the identity")
	cmd.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, "how long it is valid, from 1m to 2160h")
	cmd.Flags().StringVar(&trustDomain, "trust-domain", "", "trust `DOMAIN` of the mesh (default the folder's, else cluster.local)")
	return cmd
}

// tokenIdentity reads an identity of the trust domain that the control plane of a
// folder certifies: a token for another one would be refused where it is used.
func tokenIdentity(state, domain, written string) (ir.Identity, error) {
	own, err := ca.FolderDomain(state)
	if err != nil {
		return "", input(err)
	}
	id, ok := ir.ParseIdentity(cmp.Or(domain, own, "cluster.local"), written)
	if !ok {
		return "", usage(fmt.Errorf("--identity %q is neither NAMESPACE/SERVICEACCOUNT nor a SPIFFE id", written))
	}
	if own != "" && id.TrustDomain() != own {
		return "", usage(fmt.Errorf("%s is of the trust domain %s, and the control plane of %s certifies only %s", id, id.TrustDomain(), state, own))
	}
	return id, nil
}

// workloadName is NAMESPACE/NAME as catalogs name workloads.
func workloadName(id ir.Identity, name string) string {
	if _, ns, _, ok := id.Split(); ok && name != "" && !strings.Contains(name, "/") {
		return ns + "/" + name
	}
	return name
}

func orAny(workload string) string {
	if workload == "" {
		return "any workload"
	}
	return "workload " + workload
}

func newTokenListCmd(s streams) *cobra.Command {
	var state, output string
	cmd := &cobra.Command{
		Use:     "list --state DIR",
		Short:   "List the tokens that have not expired; never the tokens themselves",
		Example: "  meshc token list --state /var/lib/meshc",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			store, err := token.Open(state, token.Options{Existing: true})
			if err != nil {
				return input(err)
			}
			list, err := store.List()
			if err != nil {
				return input(err)
			}
			switch output {
			case "text":
				own, err := ca.FolderDomain(state)
				if err != nil {
					return input(err)
				}
				return printTokens(s, list, own)
			case "json":
				enc := json.NewEncoder(s.Out)
				enc.SetIndent("", "  ")
				return enc.Encode(list)
			}
			return usage(fmt.Errorf("-o %q is none of text, json", output))
		},
	}
	stateFlag(cmd, &state)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func printTokens(s streams, list []token.Record, own string) error {
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tIDENTITY\tWORKLOAD\tEXPIRES\tSTATE\tRENEWED FROM")
	for _, r := range list {
		state, from, workload, identity := "valid", "", r.Workload, string(r.Identity)
		if r.Identity.TrustDomain() == own {
			identity = r.Identity.Short()
		}
		if r.Revoked {
			state = "revoked"
		}
		if r.Family != r.ID {
			from = r.Family
		}
		if workload == "" {
			workload = "any"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, identity, workload, r.Expires.Local().Format(time.RFC3339), state, from)
	}
	return w.Flush()
}

func newTokenRevokeCmd(s streams) *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:     "revoke ID --state DIR",
		Short:   "End a token, and every token that was renewed from the same one",
		Example: "  meshc token revoke k3v7q2c5m4x6p2da --state /var/lib/meshc",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			store, err := token.Open(state, token.Options{Existing: true})
			if err != nil {
				return input(err)
			}
			known, err := store.Revoke(args[0])
			if err != nil {
				return usage(err)
			}
			if !known {
				fmt.Fprintf(s.Err, "no token %s is in the list; it is revoked all the same\n", args[0])
			}
			return nil
		},
	}
	stateFlag(cmd, &state)
	return cmd
}

func newTokenRenewCmd(s streams) *cobra.Command {
	var remote token.Remote
	var caFile, tokenFile string
	cmd := &cobra.Command{
		Use:     "renew --server HOST:PORT --ca FILE --token-file FILE",
		Short:   "Renew the token in a file over TLS, for a timer",
		Long:    "The file is replaced by rename, which Envoy watches for: its next stream carries the\nnew token. The old one stays valid until it expires, so a renewal that fails can be\nrepeated. Renew well before the end, daily for tokens of some days.",
		Example: "  meshc token renew --server meshc.example:15130 --ca /etc/meshc/ca.pem --token-file /var/run/meshc/token",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if remote.CA, err = os.ReadFile(caFile); err != nil {
				return input(err)
			}
			raw, err := token.ReadFile(tokenFile)
			if err != nil {
				return input(err)
			}
			got, err := remote.Renew(cmd.Context(), raw)
			if err != nil {
				return engine(err)
			}
			if err := token.ReplaceFile(tokenFile, got.Token); err != nil {
				return input(err)
			}
			fmt.Fprintf(s.Err, "token %s until %s\n", got.ID, got.Expires.Local().Format(time.RFC3339))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&remote.Server, "server", "", "`HOST:PORT` of the control plane's HTTPS port (required)")
	f.StringVar(&remote.ServerName, "server-name", "", "`NAME` its certificate must have (default HOST)")
	f.StringVar(&caFile, "ca", "", "`FILE` with the control plane's root certificate (required)")
	f.StringVar(&tokenFile, "token-file", "", "`FILE` with the token (required)")
	for _, name := range []string{"server", "ca", "token-file"} {
		_ = cmd.MarkFlagRequired(name) // it fails only for a flag that is not there
	}
	return cmd
}
