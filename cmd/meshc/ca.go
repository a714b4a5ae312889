package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/catalog/ca"
)

func newCACmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Show, export, replace and import the mesh's certificate authority",
		Long: `Show, export, replace and import the certificate authority in a state folder. All
verbs work on the folder itself, also while "meshc serve" runs on it: servers
see a change at once and carry it to the proxies.

With "cluster" for a folder it is what the replicas of "meshc controller" share: the
Secret meshc-ca in the control plane's namespace.`,
	}
	cmd.AddCommand(newCAShowCmd(s), newCAExportCmd(s), newCARotateCmd(s), newCAImportCmd(s))
	return cmd
}

func newCAShowCmd(s streams) *cobra.Command {
	var at authorityFlags
	var output string
	cmd := &cobra.Command{
		Use:   "show --state DIR|cluster",
		Short: "Show root and intermediate, their validity, and how far a rotation is",
		Long: `Show root and intermediate, their fingerprints and validity. While the root is
being replaced it also shows the step, whom the step waits for and why, and what
machines should pin.`,
		Example: "  meshc ca show --state /var/lib/meshc\n  meshc ca show --state /var/lib/meshc -o json\n  meshc ca show --state cluster",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := at.edit(cmd.Context(), ca.Show)
			if err != nil {
				return input(err)
			}
			switch output {
			case "text":
				return printAuthority(s.Out, d, at.said())
			case "json":
				enc := json.NewEncoder(s.Out)
				enc.SetIndent("", "  ")
				return enc.Encode(d)
			}
			return usage(fmt.Errorf("-o %q is none of text, json", output))
		},
	}
	at.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func newCAExportCmd(s streams) *cobra.Command {
	var at authorityFlags
	cmd := &cobra.Command{
		Use:   "export --state DIR|cluster",
		Short: "Print the roots in PEM, what machines pin, on standard output; never a key",
		Long: `Print the root certificate in PEM on standard output: what machines pin, as in
"meshc proxy bootstrap --ca". While the root is being replaced these are two
certificates, the old and the new one, and machines should pin both.`,
		Example: "  meshc ca export --state /var/lib/meshc > root.pem",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := at.edit(cmd.Context(), ca.Show)
			if err != nil {
				return input(err)
			}
			_, err = io.WriteString(s.Out, d.Roots)
			return err
		},
	}
	at.add(cmd)
	return cmd
}

const caRotateHelp = `Replace the root while the mesh runs. It is begun here and done by the servers of
the state folder, step by step:

  trust  proxies are given both roots; the old one issues. It lasts until every
         meshed workload of the catalog has acknowledged the new root.
  issue  the new root issues. It lasts until every proxy has acknowledged a
         certificate of the new root.
  then   the old root is dropped.

A proxy that is away holds a step up until it is back, until --forget names it,
or until the step has lasted --max-wait. Said again while a rotation is under
way, the flags change how it goes on. "meshc ca show" tells whom it waits for.
While the step is "trust", --cancel takes it all back: the new root is thrown
away, and proxies are given the old one alone again.

Machines pin a root for the control plane itself. Put the output of "meshc ca
export" there while the rotation lasts and bootstrap their proxies anew. Those
that still pin only the old root can connect until that root ends, through a
cross certificate. Where there can be none, because the old root's key is not in
the folder or its path is too short, the old root is not dropped until
--repinned says that all machines pin the new one.`

func newCARotateCmd(s streams) *cobra.Command {
	var at authorityFlags
	var wait time.Duration
	var o ca.RotateOptions
	cmd := &cobra.Command{
		Use:     "rotate --state DIR|cluster",
		Short:   "Replace the root while the mesh runs, without a failed request",
		Long:    caRotateHelp,
		Example: "  meshc ca rotate --state /var/lib/meshc\n  meshc ca rotate --state /var/lib/meshc --forget shop/vm-1\n  meshc ca rotate --state /var/lib/meshc --cancel\n  meshc ca rotate --state cluster --context prod",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("max-wait") {
				if wait < 0 {
					return usage(fmt.Errorf("--max-wait %s is less than nothing", wait))
				}
				o.MaxWait = &wait
			}
			if err := at.there(); err != nil {
				return input(err)
			}
			d, err := at.edit(cmd.Context(), func(dir string) (ca.Description, error) { return ca.Rotate(dir, ca.Options{}, o) })
			if err != nil {
				return unfit(err)
			}
			return printAuthority(s.Out, d, at.said())
		},
	}
	at.add(cmd)
	f := cmd.Flags()
	f.DurationVar(&o.Root, "life", 10*365*24*time.Hour, "life of the new root")
	f.DurationVar(&wait, "max-wait", 0, "go on without proxies that keep a step waiting for so long; 0: wait for ever")
	f.StringSliceVar(&o.Forget, "forget", nil, "`WORKLOADS` that the rotation under way is not to wait for any more")
	f.BoolVar(&o.Repinned, "repinned", false, "all machines pin the new root: the old one may be dropped")
	f.BoolVar(&o.Cancel, "cancel", false, "take the rotation back, as long as its step is trust")
	for _, name := range []string{"life", "max-wait", "forget", "repinned"} {
		cmd.MarkFlagsMutuallyExclusive("cancel", name)
	}
	return cmd
}

func newCAImportCmd(s streams) *cobra.Command {
	var at authorityFlags
	var cert, key, domain string
	var o ca.ImportOptions
	cmd := &cobra.Command{
		Use:   "import --cert FILE --key FILE --state DIR|cluster",
		Short: "Bring your own root, or an intermediate with its chain",
		Long: `Bring your own root, or an intermediate. --cert is PEM: a root, or an intermediate
followed by what is between it and its root, the root last. --key is its key,
ECDSA or RSA, PKCS #8, PKCS #1 or SEC 1, not encrypted.

In an empty state folder, or a cluster that has no authority yet, it counts at
once. An intermediate of the root in force replaces the one that issues. Another
root begins a rotation: see "meshc ca rotate". An imported intermediate does not renew itself: import the next one
before it ends. What cannot serve is refused and changes nothing: without
CA:TRUE, with too short a path, a key of another certificate, a weak key, too
little life left, or constraints that exclude the mesh.`,
		Example: "  meshc ca import --cert intermediate-and-root.pem --key intermediate.key --state /var/lib/meshc",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Certificates, err = os.ReadFile(cert); err != nil {
				return input(err)
			}
			if o.Key, err = os.ReadFile(key); err != nil {
				return input(err)
			}
			d, err := at.edit(cmd.Context(), func(dir string) (ca.Description, error) {
				return ca.Import(dir, ca.Options{TrustDomain: domain}, o)
			})
			if err != nil {
				return unfit(err)
			}
			return printAuthority(s.Out, d, at.said())
		},
	}
	at.add(cmd)
	f := cmd.Flags()
	f.StringVar(&cert, "cert", "", "`FILE` with the certificate, and with the chain of an intermediate (required)")
	f.StringVar(&key, "key", "", "`FILE` with its private key (required)")
	f.StringSliceVar(&o.Hosts, "host", nil, "`NAMES` of the control plane, where the authority may only certify certain hosts")
	f.DurationVar(&o.MaxWait, "max-wait", 0, "of the rotation that it begins: see meshc ca rotate")
	f.StringVar(&domain, "trust-domain", "", "trust `DOMAIN` of the mesh (default the folder's, else cluster.local)")
	for _, name := range []string{"cert", "key"} {
		_ = cmd.MarkFlagRequired(name) // it fails only for a flag that is not there
	}
	return cmd
}

// printAuthority is an authority for people.
func printAuthority(w io.Writer, d ca.Description, state string) error {
	fmt.Fprintf(w, "trust domain %s\n\n", d.TrustDomain)
	label := ""
	if d.Rotation != nil {
		label = "old "
	}
	printLine(w, label, d.Current)
	if d.Next != nil {
		printLine(w, "new ", *d.Next)
	}
	if r := d.Rotation; r != nil {
		printRotation(w, *r)
		printPins(w, d, state)
	} else if c := d.Current.Cross; c != nil {
		fmt.Fprintf(w, "machines that still pin only the root before can connect until %s: put the output of\n`meshc ca export --state %s` there\n", day(c.NotAfter), state)
	}
	return nil
}

func printLine(w io.Writer, label string, l ca.Line) {
	printCertificate(w, label+"root", l.Root)
	if l.Intermediate == nil {
		fmt.Fprintf(w, "%sintermediate\n  none yet: a server makes it\n\n", label)
		return
	}
	printCertificate(w, label+"intermediate", *l.Intermediate)
}

func printCertificate(w io.Writer, what string, c ca.Certificate) {
	fmt.Fprintf(w, "%s\n  subject      %s\n", what, c.Subject)
	if c.Issuer != c.Subject {
		fmt.Fprintf(w, "  issuer       %s\n", c.Issuer)
	}
	where := ""
	if c.KeyElsewhere {
		where = ", kept elsewhere"
	}
	fmt.Fprintf(w, "  fingerprint  %s\n  key          %s%s\n  valid        %s to %s\n\n", c.Fingerprint, c.Key, where, day(c.NotBefore), day(c.NotAfter))
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

var stepText = map[ca.Step]string{
	ca.StepTrust: "both roots are given to proxies, the old one issues",
	ca.StepIssue: "both roots are trusted, the new one issues",
}

func printRotation(w io.Writer, r ca.Rotation) {
	fmt.Fprintf(w, "rotation since %s, step %s since %s: %s\n", day(r.Started), r.Step, day(r.Since), stepText[r.Step])
	if r.MaxWait > 0 {
		fmt.Fprintf(w, "no step waits longer than %s\n", r.MaxWait)
	}
	if len(r.Waiting) == 0 {
		fmt.Fprintln(w, "nobody is known to hold it up: a server that runs on this folder moves it on")
	}
	for _, wait := range r.Waiting {
		if wait.Proxy == "" {
			fmt.Fprintf(w, "waits: %s\n", wait.Reason)
			continue
		}
		fmt.Fprintf(w, "waits for %s: %s\n", wait.Proxy, wait.Reason)
	}
	if len(r.Forgotten) > 0 {
		fmt.Fprintf(w, "not waited for: %s\n", strings.Join(r.Forgotten, ", "))
	}
	if len(r.Left) > 0 {
		fmt.Fprintf(w, "waited for in vain: %s\n", strings.Join(r.Left, ", "))
	}
}

// printPins says what is to be done about roots that machines pin.
func printPins(w io.Writer, d ca.Description, state string) {
	fmt.Fprintf(w, "\nput the output of `meshc ca export --state %s` (both roots) on machines that pin the root, and\nbootstrap their proxies anew, before the old root is dropped.", state)
	if d.Rotation.Cross {
		fmt.Fprintf(w, " Those that pin only the old one\ncan connect until it ends, %s\n", day(d.Current.Root.NotAfter))
		return
	}
	fmt.Fprintf(w, " It is not dropped before you\nsay `meshc ca rotate --repinned --state %s`: those that pin only the old one cannot connect then\n", state)
}
