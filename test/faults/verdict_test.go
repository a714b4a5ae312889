package faults

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// The judge excuses what an outage explains and nothing else: an answer without a
// grant never, and no silence before the outage or after it.
func TestJudge(t *testing.T) {
	client, err := compilePolicy("client")
	must(t, err)
	thief, err := compilePolicy("thief")
	must(t, err)
	all := questions(func(ir.PortID) string { return "" })
	find := func(pod, method, path string) int {
		for _, q := range all {
			if q.Pod == pod && q.Method == method && q.Path == path {
				return q.ID
			}
		}
		t.Fatalf("nobody in %s asks %s %s", pod, method, path)
		return 0
	}
	read, swap := find("shop/client-0", "GET", "/read/1"), find("shop/thief-0", "GET", "/swap/1")
	j, err := newJudge(all, client, thief)
	must(t, err)
	// 0 to 99 the client's policy, to 199 either, then the thief's; an outage of
	// client-0 from 50 to 150.
	j.inForce = []span{{0, 99, []*policy{client}}, {100, 199, []*policy{client, thief}}, {200, forEver, []*policy{thief}}}
	j.faults = []window{{50, 150, touches("shop/client-0")}}
	for _, c := range []struct {
		what       string
		question   int
		start, end int64
		got        got
		want       counts
	}{
		{"a grant", read, 1, 2, served, counts{served: 1}},
		{"silence before the outage", read, 1, 2, failed, counts{wronglyRefused: 1}},
		{"silence in the outage", read, 60, 61, failed, counts{failed: 1}},
		{"silence that began in it", read, 149, 160, failed, counts{failed: 1}},
		{"silence after it", read, 151, 152, failed, counts{wronglyRefused: 1}},
		{"a refusal in the outage, with a grant", read, 60, 61, refused, counts{wronglyRefused: 1}},
		{"no grant", swap, 60, 61, refused, counts{refused: 1}},
		{"no grant, let through", swap, 60, 61, served, counts{wronglyAllowed: 1}},
		{"no grant, closed", swap, 60, 61, closed, counts{refused: 1}},
		{"no grant, silence of no outage of its own", swap, 60, 61, failed, counts{wronglyRefused: 1}},
		{"between two policies, let through", swap, 98, 120, served, counts{served: 1}},
		{"between two policies, refused", swap, 120, 130, refused, counts{refused: 1}},
		{"after the change, refused", swap, 200, 201, refused, counts{wronglyRefused: 1}},
	} {
		j.take(answer{Question: c.question, Start: c.start, End: c.end, Got: c.got})
		c.want.requests = 1
		if got, _ := j.turn(); got != c.want {
			t.Errorf("%s counts as %+v, want %+v", c.what, got, c.want)
		}
	}
}
