package load

import (
	"testing"
	"time"

	"github.com/meshc/meshc/lab/caller"
)

// A connection that a proxy closes in silence reaches nobody; an answer that is neither
// the application's nor a refusal, and one that never comes, are something else.
func TestCutConnections(t *testing.T) {
	for _, c := range []struct {
		result caller.Result
		want   Tally
	}{
		{caller.Result{Error: "unexpected EOF"}, Tally{Broken: 1, Cut: 1}},
		{caller.Result{Error: "write tcp 10.0.0.1:1->10.0.0.2:2: write: broken pipe"}, Tally{Broken: 1, Cut: 1}},
		{caller.Result{Error: "unexpected EOF", Status: 200}, Tally{Broken: 1}},
		{caller.Result{Error: "EOF", TimedOut: true}, Tally{Broken: 1}},
		{caller.Result{Status: 503}, Tally{Broken: 1}},
		{caller.Result{Status: 403}, Tally{Refused: 1}},
		{caller.Result{Status: 200}, Tally{Reached: 1}},
	} {
		var got Tally
		got.add(time.Now(), caller.HTTP1, c.result)
		if got.Broken != c.want.Broken || got.Cut != c.want.Cut || got.Refused != c.want.Refused || got.Reached != c.want.Reached {
			t.Errorf("%+v: counted as %+v, want %+v", c.result, got, c.want)
		}
	}
}
