package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

var ruleCode = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,15}[0-9]{3,4}$`)

func newPolicyNewCmd(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "new CODE DIR",
		Short: "Make a rule to start from: a rule, its tests and its samples",
		Long: `Make a rule to start from in DIR, which must not exist: it finds TrafficTargets without
an owner. CODE is the rule's own for ever: capital letters, then three or four digits.`,
		Example: "  meshc policy new SHOP001 ./rules/owners\n  meshc policy test ./rules",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			code, dir := args[0], args[1]
			if !ruleCode.MatchString(code) || strings.HasPrefix(code, "MSH") {
				return usage(fmt.Errorf("%q is no code for a rule of yours: write capital letters other than MSH, then three or four digits", code))
			}
			if _, err := os.Stat(dir); err == nil {
				return input(fmt.Errorf("%s is there already", dir))
			}
			pkg := "rules." + strings.ToLower(code)
			for _, f := range scaffold {
				text := strings.NewReplacer("CODE", code, "PACKAGE", pkg, "NAME", strings.ToLower(code)).Replace(f.text)
				name := filepath.Join(dir, f.name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					return input(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					return input(err)
				}
				fmt.Fprintln(s.Out, name)
			}
			fmt.Fprintf(s.Err, "name the folder above %s in spec.rules.dirs of meshc.yaml to be judged by it\n", dir)
			return nil
		},
	}
}

const scaffoldSample = `apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata:
  name: buyers%s
  namespace: shop%s
spec:
  destination: {kind: ServiceAccount, name: shop}
  rules: [{kind: TCPRoute, name: shop}]
  sources: [{kind: ServiceAccount, name: web, namespace: web}]
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: shop, namespace: shop}
spec: {matches: {ports: [80]}}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec:
  selector: {app: shop}
  ports: [{name: tcp, port: 80}]
---
apiVersion: v1
kind: Pod
metadata: {name: shop, namespace: shop, labels: {app: shop}}
spec:
  serviceAccountName: shop
  containers: [{name: shop, image: "example.org/shop:1"}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: web}
`

// scaffold is the files of a new rule.
var scaffold = []struct{ name, text string }{
	{"policy.rego", `# METADATA
# scope: package
# title: a target has no owner
# description: |
#   Nobody can be asked about a grant that has no owner.
# custom:
#   meshc:
#     id: CODE
#     severity: warning
#     scope: object
#     kinds: [TrafficTarget]
#     help: say by a label whose it is
#     params:
#       label:
#         type: string
#         default: owner
#         help: the label that names the owner
package PACKAGE

deny contains {
	"path": ["metadata", "name"],
	"message": sprintf("%q has no label %q", [input.object.metadata.name, data.params.label]),
} if {
	not input.object.metadata.labels[data.params.label]
}
`},
	{"policy_test.rego", `package PACKAGE_test

import data.PACKAGE

found(labels) := all if {
	all := NAME.deny with input.object as {"metadata": {"name": "buyers", "labels": labels}}
}

test_an_owner_is_fine if count(found({"owner": "shop"})) == 0

test_no_owner_is_found_at_the_name if {
	some f in found({})
	f.path == ["metadata", "name"]
}
`},
	{"good/access.yaml", fmt.Sprintf(scaffoldSample, "", "\n  labels: {owner: shop}")},
	{"bad/access.yaml", fmt.Sprintf(scaffoldSample, "   # want: CODE", "")},
}
