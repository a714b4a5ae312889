package ir

import "github.com/meshc/meshc/compiler/diag"

// Known is what the compiler may believe of things that no manifest in the tree
// shows: facts from meshc.lock, and from `assume:` in meshc.yaml.
type Known struct {
	Facts []Fact
	// Header says who exported the lock and when; it is outside the policy digest.
	Header LockHeader
}

// LockHeader is the head of meshc.lock.
type LockHeader struct {
	From string // "file catalog.yaml", "cluster NAME"
	By   string
	At   string // RFC 3339
}

// Fact is one known fact, from `assume:` or from meshc.lock, one a line there.
type Fact struct {
	Kind string // service, account, role, namespace, absent
	// Namespace and Name of the thing the fact is about; a namespace has only a Name.
	Namespace, Name string
	// Of is what an absence is about: service, account or namespace.
	Of string
	// Services of a role: what one workload of the account Namespace/Name backs
	// together, NS/NAME, sorted. Without role facts an account's services from
	// facts are taken in every combination.
	Services []string
	Ports    []FactPort        // of a service
	Headless bool              // of a service
	Accounts []string          // of a service: the whole set, NS/SA or SPIFFE ids, sorted
	Meshed   *bool             // of a service or an account; nil: true
	Labels   map[string]string // of a namespace
	Until    string            // assume: the day it ends, YYYY-MM-DD
	At       diag.Span
}

// FactPort is a port of a service as a fact.
type FactPort struct {
	Port        int64
	Name        string
	Protocol    string // TCP or UDP
	AppProtocol string
	TargetPort  int64
	TargetName  string
}
