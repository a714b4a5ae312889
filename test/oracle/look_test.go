package oracle

import (
	"testing"

	"github.com/meshc/meshc/lab"
	"github.com/meshc/meshc/lab/caller"
)

// A kernel lends one local port to two connections, and the request that came
// through on one of them is not held against the question of the other.
func TestAnEntryIsHeldAgainstItsOwnQuestionOnly(t *testing.T) {
	const local, remote = "10.0.0.9:40000", "10.0.0.2:8081"
	q := question{ID: "oracle-7-", Cert: noCert, Wire: caller.Request{Kind: caller.Frames}}
	own := lab.Entry{Kind: "http", Side: "inbound", From: local, Local: remote, Details: "via_upstream"}
	elsewhere, other, unnamed := own, own, own
	elsewhere.Local = "10.0.0.2:8080"
	other.RequestID = "oracle-71-"
	unnamed.RequestID = "5c1f3f9e-made-by-the-proxy"
	own.RequestID = "oracle-7-hidden"

	for name, c := range map[string]struct {
		entry lab.Entry
		want  int
	}{
		"another port":             {elsewhere, 0},
		"another question's name":  {other, 0},
		"its own name":             {own, 1},
		"a name the proxy made up": {unnamed, 1},
	} {
		if s := look(&lab.Pod{}, q, caller.Result{Local: local, Remote: remote}, []lab.Entry{c.entry}); len(s.servers) != c.want {
			t.Errorf("%s: %d entries are held against the question, want %d", name, len(s.servers), c.want)
		}
	}
}
