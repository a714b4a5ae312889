package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

const bookstore = "../../examples/01-bookstore"

// The exit code and the words of `can` are what scripts and people decide by.
func TestCan(t *testing.T) {
	headers := []string{"-H", "client-app: bookbuyer", "-H", "user-agent: Go-http-client/1.1"}
	for _, c := range []struct {
		name string
		code int
		args []string
		says string
	}{
		{"the buyer with its headers", exitClean, append([]string{"bookbuyer/bookbuyer", "bookstore/bookstore:14001", "GET", "/books-bought"}, headers...),
			"by TrafficTarget/bookstore/bookbuyer-access-bookstore-v1#rule0 (" + bookstore + "/manifests/policy-bookstore.yaml:"},
		{"shares", exitClean, []string{"bookbuyer/bookbuyer", "bookstore/bookstore:14001", "GET", "/buy-a-book/new"}, "bookstore/bookstore-v1 50%, bookstore/bookstore-v2 50%"},
		{"a near miss", exitFindings, []string{"bookbuyer/bookbuyer", "bookstore/bookstore:14001", "GET", "/books-bought"}, "header client-app is missing"},
		{"the thief", exitFindings, append([]string{"bookthief/bookthief", "bookstore/bookstore:14001", "GET", "/books-bought"}, headers...),
			"deny (403): bookthief/bookthief to bookstore/bookstore:14001 GET /books-bought"},
		{"without a port", exitFindings, []string{"bookthief/bookthief", "bookstore/bookstore"}, "bookstore/bookstore:14001 GET /"},
		{"TCP", exitClean, []string{"bookwarehouse/bookwarehouse", "bookwarehouse/mysql:3306"}, "by TCP"},
		{"outside", exitFindings, []string{"outside", "bookstore/bookstore:14001", "GET", "/"}, "without a mesh certificate"},
		{"egress", exitFindings, []string{"bookbuyer/bookbuyer", "external:books.example:80", "GET", "/"}, "egress is denied to bookbuyer/bookbuyer"},
		{"an unknown service", exitEngine, []string{"bookbuyer/bookbuyer", "bookstore/nope:80"}, "unknown"},
		{"an unknown account", exitEngine, []string{"bookbuyer/nope", "bookstore/bookstore:14001"}, "no account bookbuyer/nope is known"},
		{"no account at all", exitUsage, []string{"bookbuyer", "bookstore/bookstore:14001"}, ""},
		{"no port at all", exitUsage, []string{"bookbuyer/bookbuyer", "bookstore"}, ""},
		{"a method in lower case", exitUsage, []string{"bookbuyer/bookbuyer", "bookstore/bookstore:14001", "get", "/"}, ""},
		{"a method without a path", exitUsage, []string{"bookbuyer/bookbuyer", "bookstore/bookstore:14001", "GET"}, ""},
		{"a method that SMI does not have", exitUsage, []string{"bookbuyer/bookbuyer", "bookstore/bookstore:14001", "PURGE", "/"}, "\"PURGE\" is none of GET, HEAD"},
		{"a header without a value", exitUsage, []string{"bookbuyer/bookbuyer", "bookstore/bookstore:14001", "GET", "/", "-H", "x"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"can"}, c.args...)
			if c.code != exitUsage || !strings.Contains(c.name, "without a path") {
				args = append(args, bookstore)
			}
			out, err := wants(t, c.code, args...)
			if !strings.Contains(out+err, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, out)
			}
		})
	}
}

// Who does not know the ports of a service is told them.
func TestCanListsThePortsToChooseFrom(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"apps.yaml": `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: tcp-admin, port: 9000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {serviceAccountName: web, containers: [{name: app, image: echo}]}
`})
	_, err := wants(t, exitUsage, "can", "shop/web", "shop/web", dir)
	if !strings.Contains(err, "shop/web:80, shop/web:9000") {
		t.Errorf("the ports are not told:\n%s", err)
	}
}

// A bundle answers as its sources do, with the files they were written in.
func TestCanAsksABundle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bundle")
	wants(t, exitClean, "build", bookstore, "-o", dir)
	question := []string{"can", "bookbuyer/bookbuyer", "bookstore/bookstore:14001", "GET", "/buy-a-book/new"}
	fromSources, _ := wants(t, exitClean, append(question, bookstore)...)
	fromBundle, _ := wants(t, exitClean, append(question, "--bundle", dir)...)
	if fromSources != fromBundle {
		t.Errorf("sources say\n%s\nthe bundle says\n%s", fromSources, fromBundle)
	}
	wants(t, exitUsage, append(question, "--bundle", dir, bookstore)...)
}

func TestCanAsJSON(t *testing.T) {
	out, _ := wants(t, exitFindings, "can", "bookbuyer/bookbuyer", "bookstore/bookstore:14001", "POST", "/books-bought", "-o", "json", bookstore)
	var got struct {
		Question, Outcome, Reason string
		Status                    int
		Near                      []string
		Objects                   []struct {
			Name, File string
			Line       int
			Decides    bool
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Outcome != "deny" || got.Status != 403 || len(got.Near) == 0 || len(got.Objects) == 0 || got.Objects[0].Decides || got.Objects[0].Line == 0 {
		t.Errorf("got %+v", got)
	}
}

// Of sources with errors nothing can be told: never allow, and no deny either.
func TestCanOfFaultySources(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"bad.yaml": "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: a, namespace: b}\nspec: {nope: 1}\n"})
	_, err := wants(t, exitEngine, "can", "a/a", "b/b:80", dir)
	if !strings.Contains(err, "nope") {
		t.Errorf("the fault is not shown:\n%s", err)
	}
}

// What several targets lack alike is told once, with all of them, be it a match or the
// caller's name.
func TestCanTellsNearMissesOfSeveralTargetsOnce(t *testing.T) {
	out, _ := wants(t, exitFindings, "can", "bookthief/bookthief", "bookstore/bookstore:14001", "GET", "/buy-a-book/new", "--why", bookstore)
	_, near, _ := strings.Cut(out, "near misses")
	first, _, _ := strings.Cut(near, "header client-app")
	has(t, first, "- each target lets bookbuyer/bookbuyer in, not bookthief/bookthief",
		"of TrafficTarget/bookstore/bookbuyer-access-bookstore-v1#rule0 (", "of TrafficTarget/bookstore/bookbuyer-access-bookstore-v2#rule0 (")
	if n := strings.Count(near, "path /buy-a-book/new is not in match books-bought"); n != 1 {
		t.Errorf("one match is told %d times:\n%s", n, near)
	}
}

// Who is denied is told by --why what would have to be otherwise, the nearest
// first, and every step with file and line; the JSON says the same.
func TestCanTellsWhy(t *testing.T) {
	question := []string{"can", "bookbuyer/bookbuyer", "bookstore/bookstore:14001", "POST", "/buy-a-book/new", "--why", bookstore}
	out, _ := wants(t, exitFindings, question...)
	last := 0
	for _, says := range []string{
		"listener outbound/bookstore/bookstore:14001",
		"given by TrafficTarget/bookstore/bookbuyer-access-bookstore-v1#rule0 (" + bookstore + "/manifests/policy-bookstore.yaml:",
		"route TrafficSplit/bookstore/bookstore-split (" + bookstore + "/manifests/policy-bookstore.yaml:",
		"bookstore/bookstore-v1:14001 50%, bookstore/bookstore-v2:14001 50%",
		"server's proxy of bookstore/bookstore-v1",
		"RBAC tries TrafficTarget/bookstore/bookbuyer-access-bookstore-v1#rule0",
		"- POST is not in match buy-a-book of HTTPRouteGroup bookstore/bookstore-service-routes, which has GET",
		"match HTTPRouteGroup/bookstore/bookstore-service-routes#buy-a-book (" + bookstore + "/manifests/policy-bookstore.yaml:",
		"- header client-app is missing",
	} {
		at := strings.Index(out, says)
		if at < last {
			t.Fatalf("it does not say, or not in this place, %q:\n%s", says, out)
		}
		last = at
	}
	out, _ = wants(t, exitFindings, append(question, "-o", "json")...)
	var got struct {
		Why struct {
			Client  struct{ Listed bool }
			Routes  []struct{ Name string }
			Servers []struct{ Policies []struct{ Line int } }
			Near    []struct {
				Match struct{ Line int }
				Lacks []struct{ Aspect string }
			} `json:"nearMisses"`
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	w := got.Why
	if !w.Client.Listed || len(w.Routes) != 1 || len(w.Servers) != 2 || w.Servers[0].Policies[0].Line == 0 || len(w.Near) != 4 ||
		w.Near[0].Match.Line == 0 || len(w.Near[0].Lacks) != 1 || w.Near[0].Lacks[0].Aspect != "method" {
		t.Errorf("got %+v", w)
	}
	wants(t, exitEngine, "can", "bookbuyer/bookbuyer", "bookstore/nope:80", "--why", bookstore)
}

// Where nothing says which addresses are the mesh's own, Envoy denies egress although
// it is allowed: who asks is not told that it works, and is told what is missing.
func TestEgressWithoutRangesCannotBeTold(t *testing.T) {
	dir := copied(t, bookstore)
	config := filepath.Join(dir, "meshc.yaml")
	changed(t, config, "egress: deny", "egress: allow")
	ask := []string{"can", "bookbuyer/bookbuyer", "external:books.example:80", "GET", "/", "--why", dir}
	out, _ := wants(t, exitEngine, ask...)
	has(t, out, "unknown: bookbuyer/bookbuyer to external", "egress is allowed to bookbuyer/bookbuyer", "`ranges` of meshc.yaml", "Envoy denies until")
	changed(t, config, "egress: allow", "egress: allow\n  ranges: {services: [10.0.0.0/8]}")
	wants(t, exitClean, ask...)
	out, _ = wants(t, exitFindings, "can", "bookbuyer/bookbuyer", "external:10.1.2.3:80", "GET", "/", dir)
	has(t, out, "an address of the mesh")
}
