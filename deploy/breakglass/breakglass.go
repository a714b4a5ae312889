// Package breakglass opens one way through a mesh for a while, and ends it early: by
// records in the cluster (kind BreakGlass), which the control plane lays over the policy
// and takes away when their time is over. What they open, and whether they may, it does
// not know.
package breakglass

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
)

const apiVersion, kind = "meshc.dev/v1alpha1", "BreakGlass"

// Record is a BreakGlass: what was written, and what became of it.
type Record struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	From      string `json:"from"` // NAMESPACE/SERVICEACCOUNT
	To        string `json:"to"`   // NAMESPACE/SERVICE[:PORT]
	Reason    string `json:"reason"`
	By        string `json:"by"`
	EndedBy   string `json:"endedBy,omitempty"`
	// State is Active, Ended, Refused or NotInForce; empty while the control plane has
	// not said. Why says why, where it is not Active.
	State   string    `json:"state,omitempty"`
	Why     string    `json:"why,omitempty"`
	Created time.Time `json:"created"`
	Until   time.Time `json:"until"`
	Began   time.Time `json:"began,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
}

// String is NAMESPACE/NAME.
func (r Record) String() string { return r.Namespace + "/" + r.Name }

// Shown is a record for a terminal. Who writes one must not draw lines of others' into a
// list, or wipe their own out of it.
func (r Record) Shown() Record {
	for _, text := range []*string{&r.From, &r.To, &r.Reason, &r.By, &r.EndedBy, &r.Why} {
		*text = strings.Map(func(c rune) rune {
			if !unicode.IsPrint(c) {
				return '\uFFFD'
			}
			return c
		}, *text)
	}
	return r
}

func (r Record) ref() api.Ref {
	return api.Ref{APIVersion: apiVersion, Kind: kind, Namespace: r.Namespace, Name: r.Name}
}

func recordOf(o api.Object) Record {
	at := func(path ...string) time.Time {
		t, err := time.Parse(time.RFC3339, api.Text(o, path...))
		if err != nil {
			return time.Time{}
		}
		return t
	}
	r := Record{
		Namespace: api.Text(o, "metadata", "namespace"), Name: api.Text(o, "metadata", "name"),
		From: api.Text(o, "spec", "from"), To: api.Text(o, "spec", "to"), Reason: api.Text(o, "spec", "reason"),
		By: api.Text(o, "spec", "by"), EndedBy: api.Text(o, "spec", "endedBy"), State: api.Text(o, "status", "state"),
		Created: at("metadata", "creationTimestamp"), Until: at("spec", "until"), Began: at("status", "beganAt"), Ended: at("status", "endedAt"),
	}
	for _, c := range api.List(o, "status", "conditions") {
		if api.Text(c, "type") == "Active" && api.Text(c, "status") != "True" {
			r.Why = api.Text(c, "message")
		}
	}
	return r
}

// Request is what somebody wants to open.
type Request struct {
	From, To string // as in Record
	For      time.Duration
	Reason   string
}

// ErrForm is of ends that cannot be read.
var ErrForm = errors.New("who calls is NAMESPACE/SERVICEACCOUNT, and what is called NAMESPACE/SERVICE[:PORT]")

// Allow writes a record. What the control plane finds with it are findings; then there
// is none. The end is counted by the API server's clock, not by this machine's.
func Allow(ctx context.Context, c *api.Client, r Request) (Record, diag.List, error) {
	service, _, _ := strings.Cut(r.To, ":")
	ns, name, ok := strings.Cut(service, "/")
	_, account, named := strings.Cut(r.From, "/")
	if !ok || ns == "" || name == "" || !named {
		return Record{}, nil, ErrForm
	}
	by, err := whoami(ctx, c)
	if err != nil {
		return Record{}, nil, err
	}
	now, err := c.Clock(ctx)
	if err != nil {
		return Record{}, nil, err
	}
	path, err := c.Path(ctx, api.Ref{APIVersion: apiVersion, Kind: kind, Namespace: ns})
	if err != nil {
		return Record{}, nil, err
	}
	o, err := c.JSON(ctx, http.MethodPost, path, api.Object{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": api.Object{"namespace": ns, "generateName": prefix(account, name)},
		"spec": api.Object{
			"from": r.From, "to": r.To, "reason": r.Reason, "by": by,
			"until": now.Add(r.For).UTC().Format(time.RFC3339),
		},
	})
	if found := denied(err); found != nil {
		return Record{}, found, nil
	}
	if err != nil {
		return Record{}, nil, err
	}
	return recordOf(o), nil, nil
}

// longestPrefix leaves room for what the API server adds, in a name of 63 characters.
const longestPrefix = 50

func prefix(account, service string) string {
	if i := strings.LastIndex(account, "/"); i >= 0 { // of a SPIFFE id
		account = account[i+1:]
	}
	out := account + "-to-" + service
	return strings.TrimRight(out[:min(len(out), longestPrefix)], "-.") + "-"
}

// whoami is who the API server takes us for.
func whoami(ctx context.Context, c *api.Client) (string, error) {
	o, err := c.JSON(ctx, http.MethodPost, "/apis/authentication.k8s.io/v1/selfsubjectreviews",
		api.Object{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
	return api.Text(o, "status", "userInfo", "username"), err
}

// denied are the findings for which the control plane denied something; nil: it did not.
func denied(err error) diag.List {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil {
		return nil
	}
	var out diag.List
	for _, cause := range status.ErrStatus.Details.Causes {
		code := diag.Code(cause.Type)
		if _, known := diag.Lookup(code); known {
			out.Add(diag.New(code, diag.Span{File: kind}, "%s", cause.Message).WithEffect("nothing was opened, and nothing ended"))
		}
	}
	return out
}

// List are the records of a namespace, or of all where it is empty, in order of name.
func List(ctx context.Context, c *api.Client, namespace string) ([]Record, error) {
	all, err := c.List(ctx, api.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace}, "")
	if err != nil {
		return nil, err
	}
	out := make([]Record, len(all))
	for i, o := range all {
		out[i] = recordOf(o)
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// End ends one before its time. One that has ended already stays as it is.
func End(ctx context.Context, c *api.Client, namespace, name string) (Record, diag.List, error) {
	r := Record{Namespace: namespace, Name: name}
	o, err := c.Get(ctx, r.ref())
	if err != nil {
		return r, nil, err
	}
	if r = recordOf(o); r.EndedBy != "" || r.State == "Ended" {
		return r, nil, nil
	}
	by, err := whoami(ctx, c)
	if err != nil {
		return r, nil, err
	}
	o, err = c.Merge(ctx, r.ref(), api.Object{"spec": api.Object{"endedBy": by}})
	if found := denied(err); found != nil {
		return r, found, nil
	}
	if err != nil {
		return r, nil, err
	}
	return recordOf(o), nil, nil
}

// lookEvery is how often a record is looked at that is awaited.
const lookEvery = 200 * time.Millisecond

// Await waits until the control plane has said what became of a record, or what is
// wanted of it; it gives the record as it was seen last.
func Await(ctx context.Context, c *api.Client, r Record, done func(Record) bool) (Record, error) {
	for !done(r) {
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(lookEvery):
		}
		o, err := c.Get(ctx, r.ref())
		if err != nil {
			return r, err
		}
		r = recordOf(o)
	}
	return r, nil
}
