package faults

import (
	"fmt"
	"os"
	"strings"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

// policy is one of the two policies between which the mesh changes: who has the
// swapped grants.
type policy struct {
	swap   string
	tree   *source.Tree
	result *compiler.Result
}

// The trust domain of the test's mesh, and the accounts that the swapped grants
// go to in turn.
const trustDomain = "cluster.local"

func compilePolicy(swap string) (*policy, error) {
	text, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		return nil, err
	}
	tree := source.FromMap(map[string][]byte{"shop.yaml": []byte(strings.ReplaceAll(string(text), "SWAP", swap))})
	result, findings := compiler.Compile(tree, ir.Known{}, compiler.Options{})
	if findings.HasErrors() {
		return nil, fmt.Errorf("%s: %s", findings[0].At(), findings[0].Message)
	}
	return &policy{swap, tree, result}, nil
}

// pack makes a bundle that no other has the digest of.
func (p *policy) pack(revision string) (*bundle.Bundle, error) {
	return bundle.Pack(bundle.Input{Mesh: p.result.Mesh, Plan: p.result.Plan, Revision: revision})
}

// question is one request that one client asks again and again.
type question struct {
	ID      int
	Pod     string // NAMESPACE/NAME of the pod that asks
	From    ir.Identity
	To      ir.PortID
	Address string // where it dials
	Method  string // empty: TCP
	Path    string
	Kept    bool // on one connection for as long as that lasts
}

func (q question) String() string {
	what, how := "TCP", "new connections"
	if q.Method != "" {
		what = q.Method + " " + q.Path
	}
	if q.Kept {
		how = "one connection"
	}
	return fmt.Sprintf("%s to %s: %s on %s", q.Pod, q.To, what, how)
}

// allowed is the IR's answer.
func (q question) allowed(p *policy) (bool, error) {
	r := ir.Request{From: q.From, To: q.To}
	if q.Method != "" {
		r.HTTP = &ir.HTTPRequest{Method: q.Method, Path: q.Path}
	}
	switch v := ir.Decide(p.result.Mesh, r); v.Outcome {
	case ir.Allow:
		return true, nil
	case ir.Deny:
		return false, nil
	default:
		return false, fmt.Errorf("%s: the mesh says %s: %s", q, v.Outcome, v.Reason)
	}
}

// askers are the pods that ask, with their identities.
var askers = []struct{ pod, account string }{
	{"shop/client-0", "client"}, {"shop/client-1", "client"}, {"shop/thief-0", "thief"}, {"meshc-lab/outside", ""},
}

// servers are the pods that are asked.
var servers = []string{"shop/cache-0", "shop/web-0"}

// questions are all that is asked, all the while. address says where a service
// port is dialled.
func questions(address func(ir.PortID) string) []question {
	web := ir.PortID{Service: ir.ServiceID{Namespace: "shop", Name: "web"}, Port: 80}
	data := ir.PortID{Service: ir.ServiceID{Namespace: "shop", Name: "cache"}, Port: 6379}
	swap := ir.PortID{Service: data.Service, Port: 6380}
	var out []question
	for _, a := range askers {
		add := func(to ir.PortID, method, path string, kept bool) {
			q := question{ID: len(out), Pod: a.pod, To: to, Address: address(to), Method: method, Path: path, Kept: kept}
			if a.account != "" {
				q.From = ir.NewIdentity(trustDomain, "shop", a.account)
			}
			out = append(out, q)
		}
		add(web, "GET", "/read/1", false)
		add(data, "", "", false)
		if a.account == "" {
			continue
		}
		add(web, "GET", "/read/1", true)
		add(web, "POST", "/read/1", true)
		add(web, "GET", "/other", false)
		add(web, "GET", "/swap/1", false)
		add(web, "GET", "/swap/1", true)
		add(swap, "", "", false)
		if a.account == "client" {
			add(data, "", "", true)
		}
	}
	return out
}
