package live_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/gitops/live"
)

// ownRule is a rule of a team, as a ConfigMap.
func ownRule(name, id, head, deny string) string {
	text := strings.NewReplacer("ID", id, "HEAD", head, "PKG", strings.ReplaceAll(name, "-", "_"), "DENY", deny).Replace(`# METADATA
# scope: package
# title: what the team forbids
# description: a rule for tests
# custom:
#   meshc: {id: ID, severity: error, HEAD, help: ask the team, since: 0.2.0}
package team.PKG

DENY
`)
	out, _ := json.Marshal(object{"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": object{"name": name, "namespace": "meshc-system", "labels": object{"meshc.dev/rules": "true"}}, "data": object{"rule.rego": text}})
	return string(out)
}

const noThieves = `deny contains {"path": ["spec", "sources", i], "message": sprintf("%s may call nobody", [s.name])} if {
	some i, s in input.object.spec.sources
	s.name == "thief"
}`

// tried is what admission is told of a manifest: CODE:SEVERITY, in order.
func tried(t *testing.T, l *live.Live, manifest string) string {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(manifest))
	var o struct {
		Kind     string
		Metadata struct{ Namespace, Name string }
	}
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := syntax.Name{Kind: o.Kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}
	var codes []string
	for _, f := range l.Try(compiler.Change{Path: o.Kind + "/" + o.Metadata.Namespace + "/" + o.Metadata.Name, Data: data, Object: &name}) {
		if f.Counts() && f.Severity > diag.Info {
			codes = append(codes, string(f.Code)+":"+f.Severity.String())
		}
	}
	slices.Sort(codes)
	return strings.Join(codes, " ")
}

// untilTried waits until admission is told something of a manifest.
func (c cluster) untilTried(l *live.Live, what, manifest, want string) {
	c.t.Helper()
	c.until(what, func() error {
		if got := tried(c.t.(*testing.T), l, manifest); got != want {
			return fmt.Errorf("it is told %q, want %q", got, want)
		}
		return nil
	})
}

// A team's own rules judge at admission and what is in force, each stage as they say;
// a form of them with a fault leaves the last one in force, and is told where somebody
// looks; waivers count.
func TestUsersRulesJudgeInTheCluster(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	c.apply(ownRule("no-thieves", "TEAM001", "kinds: [TrafficTarget]", noThieves))
	l := c.watch(live.Options{Namespace: "meshc-system"})
	c.report(l, "one")
	until(t, l, "the grant is there", func(m *ir.Mesh) bool { return matches(m) == 1 })
	thief := strings.Replace(target, "name: front,", "name: thief,", 1)
	mesh := town[:strings.Index(town, "\n---")]
	c.untilTried(l, "a rule denies", thief, "MSH3001:warning TEAM001:error")

	// A fault: the last form judges, and the ConfigMap and the Mesh say so.
	broken := ownRule("no-thieves", "TEAM001", "kinds: [TrafficTarget]", strings.Replace(noThieves, "spec.sources", "spec.sorces", 1))
	c.apply(broken)
	c.conditionOf(mesh, "Accepted", "the Mesh tells of a rule set with a fault", func(status, reason, message string) bool {
		return status == "True" && reason == "AcceptedWithWarnings" && strings.Contains(message, "MSH0602") && strings.Contains(message, "last accepted form of ConfigMap/no-thieves")
	})
	c.untilEvent("meshc-system", "no-thieves", "MSH0602")
	c.untilTried(l, "the last form judges", thief, "MSH3001:warning TEAM001:error")

	// It warns at admission, and denies nothing.
	c.apply(ownRule("no-thieves", "TEAM001", "enforce: {admission: warning}, kinds: [TrafficTarget]", noThieves))
	c.untilTried(l, "a rule that only warns", thief, "MSH3001:warning TEAM001:warning")
	c.conditionOf(mesh, "Accepted", "the Mesh tells no more", func(status, reason, _ string) bool { return status == "True" && reason == "Accepted" })

	// What is in force against a rule stays, and says so.
	c.apply(thief)
	c.conditionOf(thief, "Accepted", "what is in force is told of", func(status, reason, message string) bool {
		return status == "True" && reason == "AcceptedWithWarnings" && strings.Contains(message, "TEAM001")
	})
	c.apply(strings.NewReplacer("DAY", inDays(30)).Replace(`apiVersion: meshc.dev/v1alpha1
kind: Waivers
metadata: {name: known, namespace: town}
spec:
  waivers:
  - {code: TEAM001, target: {kind: TrafficTarget, namespace: town, name: shoppers}, reason: a test, owner: the team, expires: DAY}`))
	c.conditionOf(thief, "Accepted", "what is waived is not told", func(_, _, message string) bool { return !strings.Contains(message, "TEAM001") })
	c.untilTried(l, "what is waived is no warning", thief, "MSH3001:warning")

	// Rules of the whole mesh see it as it would be.
	c.apply(ownRule("crowd", "TEAM002", "scope: mesh", `deny contains {"object": g.object, "message": sprintf("%d may call %s", [count(g.sources), g.destination])} if {
	some g in data.mesh.grants
	count(g.sources) > 1
}`))
	both := strings.Replace(target, "  - {", "  - {", 1) + "\n"
	both = strings.Replace(both, "sources: [", "sources: [{kind: ServiceAccount, name: cart, namespace: town}, ", 1)
	c.untilTried(l, "a rule of the whole mesh denies", both, "TEAM002:error")

	// A rule set that is taken away judges no more.
	c.Do(http.MethodDelete, "/api/v1/namespaces/meshc-system/configmaps/crowd", nil)
	c.untilTried(l, "a rule set that is gone", both, "")
}

// inDays is a day from now.
func inDays(n int) string { return time.Now().AddDate(0, 0, n).UTC().Format(time.DateOnly) }

// untilEvent waits for an event about an object that says something.
func (c cluster) untilEvent(namespace, name, says string) {
	c.t.Helper()
	c.until("an event of "+name, func() error {
		out, err := c.Try(http.MethodGet, "/api/v1/namespaces/"+namespace+"/events?fieldSelector=involvedObject.name="+name, nil)
		if err == nil && !strings.Contains(string(out), says) {
			err = fmt.Errorf("none says %s: %s", says, out)
		}
		return err
	})
}
